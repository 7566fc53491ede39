"""How long do patients live, or live without progression, and how do the arms compare?"""

from functools import partial
from typing import Any

import pandas as pd
from scipy import stats

from analysis import tables
from analysis.figures.canvas import Figure, months_shown
from analysis.figures.curves import survival_curves
from analysis.figures.forest import Line, forest
from analysis.numbers import Cell
from analysis.planned import Estimand
from analysis.results import CannotEstimate
from analysis.sections.material import POINTS, Material, against, attempt, row_of
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
        rows.append(Row(label, (tables.estimated(material.numbers, f"{id}.rmst.difference.{arm}", apart, 1),)))
    return Table(title, ("", "Months (95 % interval)"), tuple(rows))


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
            Row(label, (difference, tables.p_cell(numbers, f"{id}.difference.{arm}.p", row, estimand.is_tested)))
        )
    head = ("", f"{FREE[estimand.endpoint or '']} at {month:g} months (95 % interval)", "p")
    return [Table("Kaplan-Meier estimates and their difference", head, tuple(rows), "Greenwood's variance.")]


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
            covariates[code], labels[code] = values, label
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
        parts.insert(0, _forest(material, id, lines, "Hazard ratio of death", "The factors of one Cox model.", None))
        n, excluded = (
            material.numbers.count(f"{id}.{key}", value)
            for key, value in (("n", model.n), ("excluded", model.excluded))
        )
        parts.append(("Patients: ", n, "; left out for want of a factor: ", excluded, "."))
    return parts


def predictive(material: Material, id: str, estimand: Estimand) -> Parts:
    """The arms' hazard ratio within each group, and a test of the interaction; no p-value for a group."""
    times, who, numbers = material.times(estimand), material.randomised, material.numbers
    covariates = material.indicators(who)
    rows, lines = [], []
    for code in estimand.factors:
        label, values = _factor(material, code)
        if values.dtype != object:
            middle = values.median()
            values = (
                pd.Series("up to the median", who.index)
                .where(values <= middle, "above the median")
                .where(values.notna())
            )
        levels = sorted(set(values.dropna()))
        lines.append(Line(label))
        for level in levels:
            mine = (values == level).to_numpy(bool)
            for arm, contrast in material.contrasts.items():
                model = attempt(partial(cox, times["time"][mine], times["event"][mine], covariates[mine]))
                key = f"{id}.{code}.{level}.{arm}"
                n, events = (
                    numbers.count(f"{key}.{k}", v)
                    for k, v in (("n", mine.sum()), ("events", times["event"][mine].sum()))
                )
                ratio = tables.hazard_ratio(numbers, key, model, arm, tested=False)
                rows.append(Row(f"{label}: {level}; {contrast}", ((n,), (events,), *ratio)))
                if not isinstance(model, CannotEstimate):
                    row = row_of(model.terms, arm)
                    lines.append(
                        Line(
                            f"   {level}",
                            row["hr"],
                            row["lower"],
                            row["upper"],
                            f"{_shown(row)}   {events.text}/{n.text}",
                        )
                    )
        rows.append(
            Row(
                f"{label}: interaction",
                (("",), ("",), _interaction(material, f"{id}.{code}", values, levels, times, covariates)),
            )
        )
    head = ("Group", "Patients", "Deaths", "Hazard ratio (95 % interval)")
    note = "No group is tested by itself. Interaction: likelihood-ratio test of arm by factor, one of several such."
    other, reference = (material.arms[arm] for arm in (material.plan.other_arms[0], material.reference))
    caption = "Hazard ratio of the arms within groups; right: ratio (95 % interval), deaths/patients."
    figure = _forest(material, id, lines, "Hazard ratio of death", caption, (f"{other} better", f"{reference} better"))
    return [figure, Table("The arms within groups", head, tuple(rows), note)]


def _interaction(
    material: Material, id: str, values: Any, levels: list[Any], times: pd.DataFrame, arms: pd.DataFrame
) -> Cell:
    known = values.notna().to_numpy(bool)
    main = {f"{level}": (values == level).astype(float) for level in levels[1:]}
    crossed = {f"{arm} {level}": arms[arm] * main[level] for arm in arms for level in levels[1:]}
    if not crossed:
        return ("not estimable: there is one group",)
    small = pd.concat([arms, pd.DataFrame(main)], axis=1)[known]
    large = pd.concat([small, pd.DataFrame(crossed)[known]], axis=1)
    models = [attempt(partial(cox, times["time"][known], times["event"][known], each)) for each in (small, large)]
    if isinstance(models[0], CannotEstimate) or isinstance(models[1], CannotEstimate):
        return ("interaction not estimable: a group has too few deaths",)
    chi_square = 2 * (models[1].loglik - models[0].loglik)
    p = float(stats.chi2.sf(chi_square, len(crossed)))
    return ("interaction p ", material.numbers.p(f"{id}.interaction.p", p))


def _shown(row: Any) -> str:
    return f"{row['hr']:.2f} ({row['lower']:.2f} to {row['upper']:.2f})"


def _forest(
    material: Material, id: str, lines: list[Line], xlabel: str, caption: str, favours: tuple[str, str] | None
) -> Figure:
    return forest(id, lines, xlabel=xlabel, favours=favours, caption=caption, verb=f'shows("{id}").figures["{id}"]')
