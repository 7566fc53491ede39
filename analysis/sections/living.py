"""How well are those alive; and how many are worse, stable or better, the dead counted as worse?"""

from functools import partial
from typing import Any

import pandas as pd

from analysis import deterioration, estimands, tables, while_alive
from analysis.deterioration import DAYS_A_MONTH, Definition
from analysis.figures.canvas import Figure
from analysis.numbers import Cell
from analysis.planned import Estimand
from analysis.responding import odds_ratios
from analysis.results import CannotEstimate
from analysis.sections.material import Material, against, attempt, direction, row_of
from analysis.tables import Row, Table
from analysis.while_alive import WhileAlive

Parts = list[Cell | Table | Figure]
RESPONSES = (deterioration.WORSENED, deterioration.STABLE, deterioration.IMPROVED, deterioration.UNKNOWN)


def among_the_living(material: Material, id: str, estimand: Estimand) -> Parts:
    """For each scale: the mean among the living by visit, and what it must not be read without."""
    parts: Parts = []
    for code in estimand.scales:
        parts += _of_a_scale(material, f"{id}.{code}", estimand, code)
    return parts


def _of_a_scale(material: Material, id: str, estimand: Estimand, code: str) -> Parts:
    scale = material.scale(code)
    visits, left_out = _visits(material, code, estimand.until_month)
    times = estimands.overall_survival(material.randomised)
    subjects = material.randomised[["subject", "arm"]].astype({"arm": object})
    subjects = subjects.assign(time=times["time"], died=times["event"])
    forms = material.scores[material.scores["subject"].isin(subjects["subject"])][["subject", "visit", code]]
    found = attempt(
        partial(
            while_alive.estimate,
            forms,
            subjects,
            score=code,
            visits=visits,
            threshold=estimand.threshold,
            higher_is_better=scale.higher_is == "better",
        )
    )
    if isinstance(found, CannotEstimate):
        return [(f"{scale.label['en']}: not estimable: {found}.",)]
    well = f"Alive and at {estimand.threshold:g} or better" if estimand.threshold else ""
    quantities = {
        "mean among the living": ("Mean among the living", found.means, 1),
        "alive": ("Alive", found.alive, 100),
        "alive and well": (well, found.alive_and_well, 100),
        "composite": ("Mean, the dead at the worst value", found.composite, 1),
    }
    parts: Parts = []
    for quantity, (title, table, unit) in quantities.items():
        if table is not None:
            parts.append(_table(material, id, quantity, title, table, found.differences.loc[quantity], visits, unit))
    parts.append((direction(scale.label["en"], scale.higher_is),))
    parts.append(_rests_on(material, id, found))
    if left_out:
        names = ", ".join(material.visits[visit] for visit in left_out)
        parts.append((f"Left out for want of scores in every arm: {names}.",))
    return parts


def _rests_on(material: Material, id: str, found: WhileAlive) -> Cell:
    numbers = material.numbers
    return (
        "Conditional on survival: it describes those alive at each visit, who differ between arms when survival "
        "does. Estimating equations with independence working correlation, weighted by the inverse of the chance "
        "to answer; robust standard errors, corrected for few patients. Differences of shares are percentage points. "
        "Largest weight ",
        numbers.decimal(f"{id}.largest-weight", found.largest_weight, 2),
        ", weights cut: ",
        numbers.count(f"{id}.cut", found.cut),
        ". Patients: ",
        numbers.count(f"{id}.n", found.n),
        ", deaths: ",
        numbers.count(f"{id}.deaths", found.deaths),
        ".",
    )


def _visits(material: Material, code: str, until: float | None) -> tuple[dict[str, float], list[str]]:
    """Visits after baseline with enough scores of living patients in every arm, and the others."""
    who = material.randomised.assign(time=estimands.overall_survival(material.randomised)["time"])
    scored = material.scores[material.scores[code].notna()].merge(who[["subject", "time"]], on="subject")
    counts = (
        scored[scored["time"] > scored["month"]].groupby(["visit", "arm"], observed=True).size().unstack(fill_value=0)
    )
    counts = counts.reindex(columns=list(material.arms), fill_value=0)
    asked = {
        visit: month
        for visit, month in material.plan.months.items()
        if visit not in material.plan.baselines and (until is None or month <= until)
    }
    kept = {v: m for v, m in asked.items() if v in counts.index and (counts.loc[v] >= while_alive.FEWEST).all()}
    return kept, [visit for visit in asked if visit not in kept]


def _table(
    material: Material,
    id: str,
    quantity: str,
    title: str,
    table: pd.DataFrame,
    apart: Any,
    visits: dict[str, float],
    unit: int,
) -> Table:
    rows, slug = [], quantity.replace(" ", "-")
    for visit in visits:
        cells: list[Cell] = []
        for arm in material.arms:
            key = f"{id}.{slug}.{visit}.{arm}"
            cells.append(_cell(material, key, row_of(table, (visit, arm)), unit))
        for arm in material.contrasts:
            row = against(apart.loc[visit], arm, material.reference)
            cells.append(_cell(material, f"{id}.{slug}.{visit}.difference.{arm}", row, unit))
        rows.append(Row(material.visits[visit], tuple(cells)))
    differences = (f"Difference, {label}" for label in material.contrasts.values())
    return Table(f"{title}, by visit (95 % interval)", ("Visit", *material.arms.values(), *differences), tuple(rows))


def _cell(material: Material, id: str, row: dict[str, float], unit: int) -> Cell:
    if unit == 1:
        return tables.estimated(material.numbers, id, row, 1)
    return material.numbers.with_interval(material.numbers.percent, id, row["estimate"], row["lower"], row["upper"])


def responders(material: Material, id: str, estimand: Estimand) -> Parts:
    """Counts of each response by arm, and the odds of being worse."""
    if material.randomised.empty:
        return [("Nothing could be estimated: there are no such patients.",)]
    parts: Parts = []
    for code in estimand.scales:
        parts += _responses(material, f"{id}.{code}", estimand, code)
    return parts


def _responses(material: Material, id: str, estimand: Estimand, code: str) -> Parts:
    scale, visit = material.scale(code), estimand.visit or ""
    better = scale.higher_is == "better"
    definition = Definition(code, scale.label["en"], estimand.threshold or 1, higher_is_better=better)
    by_day = round(material.plan.months[visit] * DAYS_A_MONTH)
    found = deterioration.responders(material.scores, material.randomised, definition, visit=visit, by_day=by_day)
    response = found["response"]
    title = f"{scale.label['en']} at {material.visits[visit]}"
    scored = material.scores.loc[(material.scores["visit"] == visit) & material.scores[code].notna(), "subject"]
    dead = (response == deterioration.WORSENED) & ~material.randomised["subject"].isin(scored)
    return [_counts(material, id, estimand, title, response, dead), _odds(material, id, estimand, code, response)]


def _counts(
    material: Material, id: str, estimand: Estimand, title: str, response: "pd.Series[str]", dead: "pd.Series[bool]"
) -> Table:
    """Patients of each arm with each response. dead: who is worsened by death alone."""
    numbers, rows = material.numbers, []
    for word in RESPONSES:
        cells: list[Cell] = []
        for arm in material.arms:
            mine = response[material.randomised["arm"] == arm]
            cells.append(tables.count_of(numbers, f"{id}.{word}.{arm}", int((mine == word).sum()), len(mine)))
        name = "Alive, no score" if word == deterioration.UNKNOWN else word.capitalize()
        rows.append(Row(name, tuple(cells)))
    counts = {arm: int((dead & (material.randomised["arm"] == arm)).sum()) for arm in material.arms}
    rows.insert(
        1,
        Row(
            "- of whom dead without a score",
            tuple((numbers.count(f"{id}.dead.{arm}", n),) for arm, n in counts.items()),
        ),
    )
    note = f"Worsened: {estimand.threshold:g} points or more, or dead by then. Per cent of all randomised."
    return Table(title, ("", *material.arms.values()), tuple(rows), note)


def _odds(material: Material, id: str, estimand: Estimand, code: str, response: "pd.Series[str]") -> Table:
    """The odds of being worse; the living without a score as the plan has it."""
    worse, unknown = (response == deterioration.WORSENED).astype("boolean"), response == deterioration.UNKNOWN
    counted_as_worse = estimand.missing == "worsened"
    worse = worse | unknown if counted_as_worse else worse.mask(unknown)
    covariates = material.indicators(material.randomised)
    covariates["base"] = material.randomised["subject"].map(material.baselines[code]).astype(float)
    model, tested = attempt(partial(odds_ratios, worse, covariates)), estimand.is_tested
    ratio = partial(tables.hazard_ratio, material.numbers, tested=tested, name="odds_ratio")
    rows = [Row(label, ratio(f"{id}.{arm}", model, arm)) for arm, label in material.contrasts.items()]
    head = ("", "Odds ratio of being worse (95 % interval)", *tables.p_head(tested))
    rule = "counted as worse" if counted_as_worse else "left out"
    note = f"Wald interval; below 1: the arm named first is worse less often. The living without a score are {rule}."
    return Table("Logistic model, adjusted for the score at baseline", head, tuple(rows), note)
