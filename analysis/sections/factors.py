"""Which patients live longer, and does the difference between the arms depend on who they are?"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pandas as pd
from scipy import stats

from analysis import tables
from analysis.figures.canvas import Figure
from analysis.figures.forest import Line, forest
from analysis.numbers import Cell, slugs
from analysis.planned import Estimand
from analysis.results import CannotEstimate
from analysis.sections.material import POINTS, Material, attempt, row_of
from analysis.survival import cox
from analysis.tables import Row, Table

Parts = list[Cell | Table | Figure]
UP_TO, ABOVE = "up to the median", "above the median"


def _factor(material: Material, code: str) -> tuple[str, Any]:
    """A factor's label, and its value for each randomised patient: a number per 10 points, or a level."""
    who, plan = material.randomised, material.plan
    if code in plan.strata:
        return plan.strata[code].label, who[code].astype(object)
    if code in plan.analysis.covariate:
        covariate, table = plan.analysis.covariate[code], material.trial.covariates
        values = who["subject"].map(table.set_index("subject")[code]) if table is not None else who["subject"].map({})
        return covariate.label, values.astype(float) if covariate.kind == "number" else values.astype(object)
    label = f"{material.scale(code).label['en']} at baseline, per 10 points"
    return label, who["subject"].map(material.baselines[code]).astype(float) / POINTS


def prognostic(material: Material, id: str, estimand: Estimand) -> Parts:
    """One Cox model with the arm and every factor."""
    times = material.times(estimand)
    covariates = material.indicators(material.randomised)
    labels = dict(material.contrasts)
    for code in estimand.factors:
        label, values = _factor(material, code)
        if values.dtype != object:
            unit = ", one more" if code in material.plan.analysis.covariate else ""
            covariates[code], labels[code] = values, f"{label}{unit}"
            continue
        levels = (
            list(material.plan.strata[code].levels) if code in material.plan.strata else sorted(set(values.dropna()))
        )
        for level in levels[1:]:
            term = f"{code}.{level}"
            covariates[term] = (values == level).astype(float).where(values.notna())
            labels[term] = f"{label}: {level} against {levels[0]}"
    model = attempt(partial(cox, times["time"], times["event"], covariates))
    head = ("Factor", "Hazard ratio (95 % interval)", *tables.p_head(estimand.is_tested))
    rows = [
        Row(label, tables.hazard_ratio(material.numbers, f"{id}.{term}", model, term, tested=estimand.is_tested))
        for term, label in labels.items()
    ]
    parts: Parts = [Table("One Cox model with all of them", head, tuple(rows))]
    if not isinstance(model, CannotEstimate):
        lines = [
            Line(labels[str(term)], row["hr"], row["lower"], row["upper"], _shown(row))
            for term, row in model.terms.iterrows()
        ]
        parts.insert(
            0,
            _forest(
                material,
                id,
                lines,
                "Hazard ratio of death",
                "The factors of one Cox model; above 1: earlier death. Bars: 95 % intervals.",
                None,
            ),
        )
        n, events, excluded = (
            material.numbers.count(f"{id}.{key}", value)
            for key, value in (("n", model.n), ("events", model.events), ("excluded", model.excluded))
        )
        parts.append(("Patients: ", n, ", deaths: ", events, "; left out for want of a factor: ", excluded, "."))
    return parts


def predictive(material: Material, id: str, estimand: Estimand) -> Parts:
    """The arms' hazard ratio within each group, and a test of the interaction; no p-value for a group."""
    times, covariates = material.times(estimand), material.indicators(material.randomised)
    rows: list[Row] = []
    lines: list[Line] = []
    medians: list[Cell] = []
    for code in estimand.factors:
        label, values = _factor(material, code)
        if values.dtype != object:
            median = material.numbers.decimal(f"{id}.{code}.median", float(values.median()), 1)
            medians.append((f"{label}: the median is ", median, "."))
            values = _halved(values)
        levels = sorted(set(values.dropna()), key=lambda level: (level == ABOVE, level))
        lines.append(Line(label))
        for level, slug in slugs(levels).items():
            mine = (values == level).to_numpy(bool)
            key, group = f"{id}.{code}.{slug}", f"{label}: {level}"
            for row, line in _within(material, key, group, times[mine], covariates[mine]):
                rows.append(row)
                lines += [line] if line is not None else []
        if estimand.is_tested:
            tested = _interaction(material, f"{id}.{code}", values, levels, times, covariates)
            rows.append(Row(f"{label}: interaction", (("",), ("",), tested)))
    head = ("Group", "Patients", "Deaths", "Hazard ratio (95 % interval)")
    note = "No group is tested by itself; intervals are not adjusted for their number."
    if estimand.is_tested:
        note += " Interaction: likelihood-ratio test of arm by factor, one of several such."
    reference = material.arms[material.reference]
    other = f"{material.arms[material.others[0]]} better" if len(material.others) == 1 else f"better than {reference}"
    caption = "Hazard ratio of the arms within groups; right: ratio (95 % interval), deaths/patients."
    figure = _forest(material, id, lines, "Hazard ratio of death", caption, (other, f"{reference} better"))
    return [figure, Table("The arms within groups", head, tuple(rows), note), *medians]


def _halved(values: "pd.Series[float]") -> "pd.Series[Any]":
    """Numbers as two groups, up to their median and above."""
    if values.isna().all():
        return values.astype(object)
    groups = pd.Series(UP_TO, values.index, dtype=object)
    return groups.where(values <= values.median(), ABOVE).where(values.notna())


def _within(
    material: Material, id: str, group: str, times: pd.DataFrame, covariates: pd.DataFrame
) -> Iterator[tuple[Row, Line | None]]:
    """The row and the line of each contrast in one group of patients; no line where it is not estimable."""
    level = group.rpartition(": ")[2]
    model = attempt(partial(cox, times["time"], times["event"], covariates))
    for arm, contrast in material.contrasts.items():
        which = f"; {material.arms[arm]}" if len(material.contrasts) > 1 else ""
        n = material.numbers.count(f"{id}.{arm}.n", len(times))
        events = material.numbers.count(f"{id}.{arm}.events", times["event"].sum())
        ratio = tables.hazard_ratio(material.numbers, f"{id}.{arm}", model, arm, tested=False)
        line = None
        if not isinstance(model, CannotEstimate):
            row = row_of(model.terms, arm)
            said = f"{_shown(row)}   {events.text}/{n.text}"
            line = Line(f"   {level}{which}", row["hr"], row["lower"], row["upper"], said)
        yield Row(f"{group}; {contrast}", ((n,), (events,), *ratio)), line


def _interaction(
    material: Material, id: str, values: Any, levels: list[Any], times: pd.DataFrame, arms: pd.DataFrame
) -> Cell:
    known = values.notna().to_numpy(bool)
    main = {f"level {level}": (values == level).astype(float) for level in levels[1:]}
    crossed = {f"{arm} {level}": arms[arm] * main[f"level {level}"] for arm in arms for level in levels[1:]}
    if not crossed:
        return ("not estimable: there is one group",)
    small = pd.concat([arms, pd.DataFrame(main)], axis=1)[known]
    large = pd.concat([small, pd.DataFrame(crossed)[known]], axis=1)
    models = [attempt(partial(cox, times["time"][known], times["event"][known], each)) for each in (small, large)]
    if isinstance(models[0], CannotEstimate) or isinstance(models[1], CannotEstimate):
        return ("not estimable: a group has too few deaths",)
    chi_square = 2 * (models[1].loglik - models[0].loglik)
    p = float(stats.chi2.sf(chi_square, len(crossed)))
    return ("p ", material.numbers.p(f"{id}.interaction.p", p))


def _shown(row: Any) -> str:
    return f"{row['hr']:.2f} ({row['lower']:.2f} to {row['upper']:.2f})"


def _forest(
    material: Material, id: str, lines: list[Line], xlabel: str, caption: str, favours: tuple[str, str] | None
) -> Figure:
    return forest(id, lines, xlabel=xlabel, favours=favours, caption=caption, verb=f'shows("{id}").figures["{id}"]')
