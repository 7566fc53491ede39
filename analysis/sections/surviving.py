"""How long do patients live, or live without progression, and how do the arms compare?"""

from functools import partial
from typing import Any

import pandas as pd

from analysis import tables
from analysis.figures.canvas import Figure, months_shown
from analysis.figures.curves import survival_curves
from analysis.numbers import Cell
from analysis.planned import Estimand
from analysis.results import CannotEstimate
from analysis.sections.material import Material, against, attempt, row_of
from analysis.survival import Cox, KaplanMeier, LogRank, cox, follow_up, kaplan_meier, logrank, ph_test, rmst
from analysis.tables import Row, Table

Parts = list[Cell | Table | Figure]
RECENT_DAYS = 92  # three months
NOBODY: Parts = [("Nothing could be estimated: there are no such patients.",)]
FREE = {"overall survival": "Alive", "progression-free survival": "Alive without progression"}


def hazard(material: Material, id: str, estimand: Estimand) -> Parts:
    """Curves, log-rank test, Cox model, its diagnostics, and restricted means."""
    if material.randomised.empty:
        return NOBODY
    times, endpoint = material.times(estimand), estimand.endpoint or ""
    parts: Parts = list(_followed_to_the_cut(material, id)) if endpoint == "overall survival" else []
    title = f"{endpoint.capitalize()}"
    parts += time_to_event(material, id, estimand, FREE[endpoint], title, material.randomised, times)
    if estimand.month is not None:
        parts.append(_restricted(material, id, estimand, times))
    return parts


def time_to_event(
    material: Material, id: str, estimand: Estimand, free: str, title: str, patients: pd.DataFrame, times: pd.DataFrame
) -> Parts:
    """Curves by arm with numbers at risk, medians, the comparison of the arms and what it rests on."""
    if patients.empty:
        return NOBODY
    numbers, arms = material.numbers, material.arms
    curves = kaplan_meier(times["time"], times["event"], patients["arm"])
    months = months_shown(float(times["time"].max()))
    caption = f"{title}: Kaplan-Meier curves with 95 % log-log intervals; ticks are censored patients."
    figure = survival_curves(id, curves, arms, ylabel=free, caption=caption, months=months, verb=f'km("{id}").figure')
    tests = _comparisons(material, patients, times)
    parts: Parts = [figure, tables.survival(numbers, id, curves, arms, free, estimand.month)]
    parts.append(tables.comparison(numbers, id, tests, material.contrasts, tested=estimand.is_tested))
    parts.append(tables.at_risk(numbers, id, curves, arms, months))
    planned = list(material.plan.analysis.strata)
    if planned and patients[planned].isna().any(axis=None):
        parts.append(("Patients without a recorded stratum are a stratum of their own.",))
    parts.append(_diagnostics(material, id, next(iter(tests.values()))[1]))
    return parts


def _followed_to_the_cut(material: Material, id: str) -> list[Cell]:
    """How complete the follow-up of the living is: late deaths are heard of, late life is not."""
    cut, alive = material.trial.data_cut, material.randomised
    alive = alive[alive["died_on"].isna()]
    if cut is None or alive.empty:
        return []
    days = (pd.Timestamp(cut) - alive["last_alive_on"]).dt.days
    recent = material.numbers.count(f"{id}.followed.recent", (days <= RECENT_DAYS).sum())
    living = material.numbers.count(f"{id}.followed.alive", len(alive))
    known = f"Known alive in the last {RECENT_DAYS} days before the data cut: "
    warning = (
        " not known dead. The fewer they are, the further the curves may lie too low: deaths are heard of, life is not."
    )
    return [(known, recent, " of the ", living, warning)]


def _comparisons(
    material: Material, patients: pd.DataFrame, times: pd.DataFrame
) -> dict[str, tuple[LogRank | CannotEstimate, Cox | CannotEstimate]]:
    """Log-rank test and Cox model of the arms, stratified as planned, and plain beside it."""
    plan = material.plan
    covariates = material.indicators(patients)
    analyses: dict[str, pd.Series[str] | None] = {"Not stratified": None}
    if (strata := material.strata(patients, times["event"])) is not None:
        labels = ", ".join(plan.strata[code].label for code in plan.analysis.strata)
        analyses = {f"Stratified by {labels}": strata, **analyses}
    time, event = times["time"], times["event"]
    return {
        title: (
            attempt(partial(logrank, time, event, patients["arm"], strata=strata)),
            attempt(partial(cox, time, event, covariates, strata=strata)),
        )
        for title, strata in analyses.items()
    }


def _diagnostics(material: Material, id: str, model: Cox | CannotEstimate) -> Cell:
    """Whether the hazard ratio may be constant."""
    if isinstance(model, CannotEstimate):
        return (f"Proportional hazards could not be tested: {model}.",)
    test = attempt(partial(ph_test, model))
    if isinstance(test, CannotEstimate):
        return (f"Proportional hazards could not be tested: {test}.",)
    row: dict[str, float] = row_of(test.table, "GLOBAL")
    numbers = material.numbers
    return (
        "Diagnostics. Proportional hazards (Grambsch and Therneau): chi-square ",
        numbers.decimal(f"{id}.ph.chi_square", row["chi_square"], 2),
        ", p ",
        numbers.p(f"{id}.ph.p", row["p"]),
        "; a small p speaks against one hazard ratio for all times. Patients ",
        numbers.count(f"{id}.cox.n", model.n),
        ", events ",
        numbers.count(f"{id}.cox.events", model.events),
        ".",
    )


def _restricted(material: Material, id: str, estimand: Estimand, times: pd.DataFrame) -> Cell | Table:
    """Mean time up to the month, and its difference: what may be read where hazards are not proportional."""
    month = estimand.month or 0.0
    found = attempt(partial(rmst, times["time"], times["event"], material.randomised["arm"], horizon=month))
    title = f"Restricted mean time to {month:g} months"
    if isinstance(found, CannotEstimate):
        return (f"{title}: not estimable: {found}.",)
    rows = []
    for arm, label in material.arms.items():
        if arm in found.means.index:
            mean = tables.estimated(material.numbers, f"{id}.rmst.{arm}", row_of(found.means, arm), 1)
            rows.append(Row(label, (mean,)))
    for arm, label in material.contrasts.items():
        apart = against(found.differences, arm, material.reference)
        cell = tables.estimated(material.numbers, f"{id}.rmst.difference.{arm}", apart, 1)
        rows.append(Row(f"Difference, {label}", (cell,)))
    note = "Area under the Kaplan-Meier curve up to then, normal intervals. Above 0: longer for the arm named first."
    return Table(title, ("", "Months (95 % interval)"), tuple(rows), note)


def at_a_month(material: Material, id: str, estimand: Estimand) -> Parts:
    """Survival at a month by arm, and the difference."""
    if material.randomised.empty:
        return NOBODY
    times, month, numbers = material.times(estimand), estimand.month or 0.0, material.numbers
    curves = kaplan_meier(times["time"], times["event"], material.randomised["arm"])
    at, apart = curves.survival_at(month), curves.difference_at(month)
    show = partial(numbers.percent, missing=tables.SHORT)
    rows = []
    for arm, label in material.arms.items():
        if arm in at.index:
            row = row_of(at, arm)
            share = numbers.with_interval(show, f"{id}.{arm}", row["survival"], row["lower"], row["upper"])
            rows.append(Row(label, (share, ("",))))
    for arm, label in material.contrasts.items():
        row = against(apart, arm, material.reference) if len(apart) else {}
        of = (row.get(name, float("nan")) for name in ("difference", "lower", "upper"))
        difference = numbers.with_interval(show, f"{id}.difference.{arm}", *of)
        rows.append(
            Row(
                f"Difference, {label}",
                (difference, tables.p_cell(numbers, f"{id}.difference.{arm}.p", row, estimand.is_tested)),
            )
        )
    note = "Greenwood's variance; arms: log-log intervals; difference: percentage points, normal interval."
    head = ("", f"{FREE[estimand.endpoint or '']} at {month:g} months (95 % interval)", "p")
    return [Table("Kaplan-Meier estimates and their difference", head, tuple(rows), note)]


def median(material: Material, id: str, estimand: Estimand) -> Parts:
    """Median by arm, and how long patients were followed."""
    if material.randomised.empty:
        return NOBODY
    times, arm = material.times(estimand), material.randomised["arm"]
    medians = kaplan_meier(times["time"], times["event"], arm).to_frame()
    followed: KaplanMeier = follow_up(times["time"], times["event"], arm)
    rows = []
    for code, label in material.arms.items():
        if code in medians.index:
            cells = [
                _median(material, f"{id}.{name}{code}", frame.loc[code])
                for name, frame in (("", medians), ("follow-up.", followed.to_frame()))
            ]
            rows.append(Row(label, tuple(cells)))
    head = ("Arm", "Median, months (95 % interval)", "Median follow-up, months (reverse Kaplan-Meier)")
    return [Table("Medians", head, tuple(rows), "Intervals on the log-log scale.")]


def _median(material: Material, id: str, row: Any) -> Cell:
    show = partial(material.numbers.decimal, places=1, missing=tables.NOT_REACHED)
    return material.numbers.with_interval(show, id, row["median"], row["lower"], row["upper"])
