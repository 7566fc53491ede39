"""How do the arms' mean changes from baseline differ, were nobody to die and answers missing at random?"""

import warnings
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from analysis import mmrm, tables
from analysis.figures.canvas import Figure
from analysis.figures.profiles import difference_profile
from analysis.mmrm import MMRM, CovarianceFellBack
from analysis.mmrm.covariances import NAMES
from analysis.numbers import Cell, Number
from analysis.planned import Estimand
from analysis.results import CannotEstimate
from analysis.sections.material import NOT_RECORDED, Material, attempt, direction, row_of
from analysis.sections.observed import change
from analysis.tables import Row, Table

Parts = list[Cell | Table | Figure]
FEWEST = 2  # scores of each arm at a visit; with fewer it is left out of the model, and named


def change_at_a_visit(material: Material, id: str, estimand: Estimand) -> Parts:
    """For each scale: adjusted means and differences at every visit, and the observed changes at the planned one."""
    parts: Parts = []
    for code in estimand.scales:
        model, left_out = _model(material, code)
        parts += _told(material, f"{id}.{code}", estimand, code, model, left_out)
        figure = change(material, code, estimand.visit or "", estimand.threshold or 0)
        if figure is not None:
            parts += [figure, _both_scores(material, f"{id}.{code}", code, estimand.visit or "")]
    return parts


def _both_scores(material: Material, id: str, code: str, visit: str) -> Cell:
    here = material.scores[(material.scores["visit"] == visit) & material.scores[code].notna()]
    both = here[here["subject"].map(material.baselines[code]).notna()]
    told: list[str | Number] = ["Patients with both scores"]
    for arm, label in material.arms.items():
        told += [f"; {label}: ", material.numbers.count(f"{id}.both.{arm}", (both["arm"] == arm).sum())]
    return (*told, ".")


def overall(material: Material, id: str, estimand: Estimand) -> Parts:
    """For each scale: the difference averaged over the visits, weighted as planned and, beside it, the other way."""
    parts: Parts = []
    for code in estimand.scales:
        model, _ = _model(material, code)
        label = material.scale(code).label["en"]
        if isinstance(model, CannotEstimate):
            parts.append((f"{label}: not estimable: {model}.",))
            continue
        rows = []
        planned = estimand.weights or "time"
        for weights in (planned, "equal" if planned == "time" else "time"):
            weighted = _weights(material, list(model.covariance.index), weights, estimand.until_month)
            averaged = model.averaged("arm", by="visit", weights=weighted)
            for arm, contrast in material.contrasts.items():
                row = _row(averaged, f"{arm} - {material.reference}")
                key = f"{id}.{code}.{weights}.{arm}"
                cell = tables.estimated(material.numbers, key, row, 1)
                p = tables.p_cell(material.numbers, f"{key}.p", row, estimand.is_tested)
                asked = "as planned" if weights == planned else "beside it"
                words = "weighted by time" if weights == "time" else "each visit the same weight"
                rows.append(Row(f"{contrast}, {words} ({asked})", (cell, p)))
        head = ("Difference in mean change", "Points (95 % interval)", "p")
        note = direction(label, material.scale(code).higher_is)
        parts.append(Table(f"{label}, averaged over the visits", head, tuple(rows), note))
    return parts


def _model(material: Material, code: str) -> tuple[MMRM | CannotEstimate, list[str]]:
    """The model of a scale, fitted once for the report, and the visits that it leaves out."""
    data, left_out = changes(material, code)
    if code not in material.models:
        strata = [f"stratum_{name}" for name in material.plan.analysis.strata if data[f"stratum_{name}"].nunique() > 1]
        terms = " + ".join(["base * visit", "arm * visit", *strata])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CovarianceFellBack)  # the report says it
            fit = partial(mmrm.fit, f"chg ~ {terms}", data, subject="subject", visit="visit")
            material.models[code] = attempt(fit) if len(data) else CannotEstimate("no patient has two scores")
    return material.models[code], left_out


def changes(material: Material, code: str) -> tuple[pd.DataFrame, list[str]]:
    """Changes from baseline, a row per patient and visit with both scores: subject, arm, visit, base, chg, strata.

    And the visits after baseline at which some arm has too few.
    """
    scores = material.scores[~material.scores["baseline"]]
    data = scores[["subject", "arm", "visit", code]].assign(base=scores["subject"].map(material.baselines[code]))
    data = data.assign(chg=data[code] - data["base"]).dropna(subset=["chg", "arm"])
    counts = data.groupby(["visit", "arm"], observed=True).size().unstack(fill_value=0)
    counts = counts.reindex(columns=list(material.arms), fill_value=0)
    later = [visit for visit in material.visits if visit not in material.plan.baselines]
    kept = [visit for visit in later if visit in counts.index and (counts.loc[visit] >= FEWEST).all()]
    data = data[data["visit"].isin(kept)]
    who = material.randomised.set_index("subject")
    for name in material.plan.analysis.strata:
        data[f"stratum_{name}"] = data["subject"].map(who[name]).astype(object).fillna(NOT_RECORDED)
    data["visit"] = pd.Categorical(data["visit"], kept)
    data["arm"] = pd.Categorical(data["arm"].astype(object), list(material.arms))
    return data.reset_index(drop=True), [visit for visit in later if visit not in kept]


def _told(
    material: Material, id: str, estimand: Estimand, code: str, model: MMRM | CannotEstimate, left_out: list[str]
) -> Parts:
    label, numbers = material.scale(code).label["en"], material.numbers
    if isinstance(model, CannotEstimate):
        return [(f"{label}: not estimable: {model}.",)]
    means, apart = model.ls_means("arm", by="visit"), model.contrasts("arm", by="visit")
    rows = []
    for visit in model.covariance.index:
        cells: list[Cell] = []
        for arm in material.arms:
            row = _row(means[means["arm"] == arm], visit)
            cells.append(tables.estimated(numbers, f"{id}.{visit}.mean.{arm}", row, 1))
        for arm in material.others:
            row = _row(apart[apart["contrast"] == f"{arm} - {material.reference}"], visit)
            key = f"{id}.{visit}.difference.{arm}"
            cells += [
                tables.estimated(numbers, key, row, 1),
                tables.p_cell(numbers, f"{key}.p", row, estimand.is_tested and visit == estimand.visit),
            ]
        mark = " (planned)" if visit == estimand.visit else ""
        rows.append(Row(f"{material.visits[visit]}{mark}", tuple(cells)))
    columns = [each for contrast in material.contrasts.values() for each in (f"Difference, {contrast}", "p")]
    head = ("Visit", *(f"{name}: mean change" for name in material.arms.values()), *columns)
    note = direction(label, material.scale(code).higher_is)
    title = f"Adjusted mean change of {label} ({code}), points (95 % interval)"
    parts: Parts = [_figure(material, id, estimand, code, apart), Table(title, head, tuple(rows), note)]
    return [*parts, *_rests_on(material, id, estimand, model, left_out)]


def _row(table: pd.DataFrame, key: Any) -> dict[str, float]:
    """One row, without interval and p where hardly a degree of freedom is left: they would be of no size at all."""
    row = row_of(table, key)
    return row if row["df"] >= 1 else {**row, "lower": np.nan, "upper": np.nan, "p": np.nan}


def _figure(material: Material, id: str, estimand: Estimand, code: str, apart: pd.DataFrame) -> Figure:
    scale = material.scale(code)
    drawn = apart.assign(month=[material.plan.months[str(visit)] for visit in apart.index])
    contrasts = {f"{arm} - {material.reference}": label for arm, label in material.contrasts.items()}
    name, reference = id.replace(".", "-"), material.arms[material.reference]
    above, below = ("better", "worse") if scale.higher_is == "better" else ("worse", "better")
    return difference_profile(
        f"difference-{name}",
        drawn,
        list(dict.fromkeys(drawn["month"])),
        contrasts,
        ylabel="Difference in mean change, points",
        directions=(f"↑ {above} than {reference}", f"↓ {below} than {reference}"),
        caption=f"Difference between arms in mean change of {scale.label['en']}, with 95 % intervals: hypothetical, "
        f"were nobody to die, and answers missing at random. Band: less than {estimand.threshold:g} points.",
        threshold=estimand.threshold,
        verb=f'shows("{id.partition(".")[0]}").figures["difference-{name}"]',
    )


def _rests_on(material: Material, id: str, estimand: Estimand, model: MMRM, left_out: list[str]) -> list[Cell]:
    """Diagnostics: what was fitted to what, and what stands in the way of the planned visit."""
    numbers, covariance = material.numbers, NAMES[model.structure]
    if model.structure != model.asked:
        covariance += f" (asked for: {NAMES[model.asked]})"
    told: list[Cell] = [
        (
            f"Diagnostics. Mixed model for repeated measures, {covariance} covariance, "
            f"degrees of freedom {model.method}, adjusted for the baseline by visit and for the strata: patients ",
            numbers.count(f"{id}.subjects", model.subjects),
            ", scores ",
            numbers.count(f"{id}.rows", model.rows),
            ", restricted log likelihood ",
            numbers.decimal(f"{id}.loglik", model.loglik, 2),
            ". Hypothetical: it speaks of a world in which nobody dies, and answers are missing at random.",
        )
    ]
    told += [(f"The {NAMES[structure]} covariance was not fitted: {why}.",) for structure, why in model.refused.items()]
    if left_out:
        names = ", ".join(material.visits[visit] for visit in left_out)
        told.append((f"Left out for want of scores in every arm: {names}.",))
    if estimand.visit in left_out:
        told.append(("The planned visit could not be estimated.",))
    return told


def _weights(material: Material, visits: list[str], weights: str, until: float | None) -> dict[str, float]:
    """Weights of visits that average a change over time: the trapezoid's from 0, where it is 0; or equal ones."""
    months = np.array([material.plan.months[visit] for visit in visits])
    used = months <= (until if until is not None else np.inf)
    if not used.any():
        return dict.fromkeys(visits, 0.0)
    if weights == "equal":
        return dict(zip(visits, used / used.sum(), strict=True))
    at = months[used]
    around = np.concatenate([[0.0], at, at[-1:]])
    shares = np.zeros(len(visits))
    shares[used] = (around[2:] - around[:-2]) / 2 / at[-1]
    return dict(zip(visits, shares.tolist(), strict=True))
