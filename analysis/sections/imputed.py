"""What would be concluded if the missing answers of the living were worse than they seem?"""

from functools import partial
from typing import Any

import pandas as pd

from analysis import imputation, tables
from analysis.figures.canvas import Figure
from analysis.figures.tipping import signed, tipping_map
from analysis.imputation import Imputed
from analysis.numbers import Cell
from analysis.planned import Estimand
from analysis.results import CannotEstimate
from analysis.sections.material import Material, attempt, direction, months_after, row_of
from analysis.sections.repeated import changes
from analysis.tables import Row, Table

Parts = list[Cell | Table | Figure]


def imputed(material: Material, id: str, estimand: Estimand) -> Parts:
    """For each scale: the difference at the visit under each strategy, and where it tips."""
    parts: Parts = []
    for code in estimand.scales:
        parts += _of_a_scale(material, f"{id}.{code}", estimand, code)
    return parts


def _of_a_scale(material: Material, id: str, estimand: Estimand, code: str) -> Parts:
    label = material.scale(code).label["en"]
    table, without = _table(material, code, estimand.visit or "")
    if table.empty:
        return [(f"{label}: not estimable: no patient has two scores.",)]
    estimate = partial(imputation.estimate, table, outcome="chg", reference=material.reference, covariates=("base",))
    found = attempt(partial(estimate, deltas=estimand.deltas, jobs=1))
    if isinstance(found, CannotEstimate):
        return [(f"{label}: not estimable: {found}.",)]
    numbers, rows = material.numbers, []
    for strategy in imputation.STRATEGIES:
        for arm, words in material.contrasts.items():
            row = row_of(found.differences, (strategy, estimand.visit, f"{arm} - {material.reference}"))
            key = f"{id}.{strategy.replace(' ', '-')}.{arm}"
            cell = tables.estimated(numbers, key, row, 1)
            rows.append(
                Row(f"{words}: {strategy}", (cell, tables.p_cell(numbers, f"{key}.p", row, estimand.is_tested)))
            )
    head, note = ("Missing answers", "Points (95 % interval)", "p"), direction(label, material.scale(code).higher_is)
    parts: Parts = [Table(f"Difference in mean change of {label}", head, tuple(rows), note)]
    parts += _tipped(material, id, estimand, found, label)
    here: Any = found.counts.loc[estimand.visit]
    told: list[Any] = [f"At {material.visits[estimand.visit or '']}"]
    for arm, words in material.arms.items():
        for kind in ("observed", "imputed", "dead"):
            told += [f"; {words}, {kind}: ", numbers.count(f"{id}.{kind}.{arm}", here.loc[arm, kind])]
    parts.append((*told, "; left out for want of a baseline score: ", numbers.count(f"{id}.excluded", without), "."))
    parts.append(("Conditional means, standard errors by the jackknife; nothing is imputed after death.",))
    return parts


def _tipped(material: Material, id: str, estimand: Estimand, found: Imputed, label: str) -> Parts:
    """The map of tipping points, and the first of them in words."""
    if found.tipping is None:
        return []
    parts: Parts = []
    points: Any = found.tipping_points()
    for arm in material.others:
        pair = f"{arm} - {material.reference}"
        name = f"tipping-{id.replace('.', '-')}" + (f"-{arm}" if len(material.others) > 1 else "")
        own = found.tipping.xs((estimand.visit, pair), level=("visit", "arms"))
        parts.append(
            tipping_map(
                name,
                own,
                reference=material.arms[material.reference],
                other=material.arms[arm],
                caption=f"Difference in mean change of {label} when points are added to imputed scores of either arm, "
                "missing at random where framed; shaded and bold: p below 0.05.",
                verb=f'shows("{id.partition(".")[0]}").figures["{name}"]',
            )
        )
        parts.append(_grid(material, f"{id}.tipping.{arm}", own, material.arms[material.reference], material.arms[arm]))
        tip = float(points.loc[(estimand.visit, pair), "points"])
        words = "there is no difference to tip, or no points tried do"
        shown = material.numbers.decimal(f"{id}.tipping.{arm}", tip, 0, missing=words)
        parts.append(
            (f"Points added to the imputed scores of {material.arms[arm]} at which p first reaches 0.05: ", shown, ".")
        )
    return parts


def _grid(material: Material, id: str, tipping: Any, reference: str, other: str) -> Table:
    """The numbers of the map."""
    estimates: Any = tipping["estimate"].unstack("to others")
    rows = []
    for to_reference in estimates.index:
        cells = [
            (
                material.numbers.decimal(
                    f"{id}.{to_reference:g}.{to_others:g}", estimates.loc[to_reference, to_others], 1
                ),
            )
            for to_others in estimates.columns
        ]
        rows.append(Row(f"{signed(to_reference)} in {reference}", tuple(cells)))
    head = ("Points added", *(signed(points) for points in estimates.columns))
    title = f"Difference in mean change by points added to imputed scores of {other} (across) and {reference} (down)"
    return Table(title, head, tuple(rows))


def _table(material: Material, code: str, visit: str) -> tuple[pd.DataFrame, int]:
    """A row per patient with a baseline score and visit up to the one asked for; and how many patients lack one.

    Visits at which an arm has too few scores are left out. Who is not known dead by a visit is alive there.
    """
    data, _ = changes(material, code)
    until = material.plan.months[visit]
    kept = [each for each in data["visit"].cat.categories if material.plan.months[each] <= until]
    who = material.randomised[["subject", "arm", "randomised_on", "died_on"]]
    who = who.assign(base=who["subject"].map(material.baselines[code]).astype(float))
    known = who[who["base"].notna()]
    if not kept or visit not in kept:
        return pd.DataFrame(), len(who) - len(known)
    rows = known.merge(
        pd.DataFrame({"visit": kept, "month": [material.plan.months[each] for each in kept]}), how="cross"
    )
    rows["alive"] = ~(months_after(rows, rows["died_on"]) <= rows["month"]).fillna(False)
    rows = rows.merge(data[["subject", "visit", "chg"]].astype({"visit": object}), on=["subject", "visit"], how="left")
    rows["alive"] |= rows["chg"].notna()
    rows["visit"] = pd.Categorical(rows["visit"], kept)
    rows["arm"], rows["subject"] = rows["arm"].astype(object), rows["subject"].astype(object)
    return rows[["subject", "visit", "arm", "alive", "chg", "base"]], len(who) - len(known)
