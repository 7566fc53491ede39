"""What does the report say about one subject: in which words, tables and figures, and what could not be estimated?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import pandas as pd

from analysis import compliance, deterioration, disposition, estimands, figures, profiles, tables
from analysis.figures import Figure
from analysis.numbers import Cell, Numbers
from analysis.plan import TrialPlan
from analysis.results import CannotEstimate
from analysis.survival import Cox, LogRank, cox, kaplan_meier, logrank
from analysis.tables import Row, Table
from analysis.trial import Trial
from questionnaires.definition import Composite, Scale

Found = TypeVar("Found")

RECENT_DAYS = 92  # three months
NOT_RECORDED = "not recorded"
BASELINE_TERM = "baseline"


@dataclass(frozen=True)
class Section:
    """A part of the report: its paragraphs, tables and figures in the order of reading."""

    id: str
    title: str
    parts: list[Cell | Table | Figure] = field(default_factory=list)

    @property
    def figures(self) -> list[Figure]:
        return [part for part in self.parts if isinstance(part, Figure)]


@dataclass(frozen=True)
class Material:
    """What every section draws on. scores: of the plan's instrument. numbers: those shown so far."""

    trial: Trial
    plan: TrialPlan
    scores: pd.DataFrame
    numbers: Numbers

    @property
    def arms(self) -> dict[str, str]:
        """Code: label, up to the colon of its description; the reference arm first."""
        codes = [self.plan.analysis.reference_arm, *self.plan.other_arms]
        return {code: self.plan.arms[code].partition(":")[0] for code in codes}

    @property
    def visits(self) -> dict[str, str]:
        """Code: English title, in the order of time."""
        titles = {code: self.plan.visit[code].title for code in self.plan.months}
        return {code: title.get("en", next(iter(title.values()))) for code, title in titles.items()}

    @property
    def contrasts(self) -> dict[str, str]:
        """Arm: what its hazard ratio compares."""
        reference = self.arms[self.plan.analysis.reference_arm]
        return {arm: f"{self.arms[arm]} against {reference}" for arm in self.plan.other_arms}

    def scale(self, code: str) -> Scale | Composite:
        instrument = self.trial.instruments[self.plan.analysis.instrument]
        parts: list[Scale | Composite] = [*instrument.scales, *instrument.composites]
        return next(part for part in parts if part.code == code)


def participants(material: Material) -> Section:
    """Who was enrolled, randomised, lost, analysed."""
    trial, numbers = material.trial, material.numbers
    randomised = trial.randomised
    baseline = material.scores[material.scores["baseline"]].merge(
        randomised[["subject", "randomised_on"]], on="subject"
    )
    late = (baseline["answered_on"] > baseline["randomised_on"]).sum()
    paragraph: Cell = (
        "Enrolled: ",
        numbers.count("consort.enrolled", len(trial.subjects)),
        ". Randomised: ",
        numbers.count("consort.randomised", len(randomised)),
        ". All randomised patients are analysed in the arm they were given. Baseline forms answered after the day of "
        "randomisation (kept): ",
        numbers.count("consort.late-baseline", late),
        ".",
    )
    counts = disposition.consort(trial.subjects, material.scores, list(material.arms))
    return Section("participants", "Participants", [paragraph, tables.consort(numbers, counts, material.arms)])


def completion(material: Material) -> Section:
    """How many forms came, by visit and arm."""
    rates = compliance.rates(material.trial)
    instruments = sorted(set(rates.index.get_level_values("instrument")))
    section = Section("completion", "Completion of the questionnaires")
    for instrument in instruments:
        table = tables.completion(material.numbers, rates, instrument, material.arms, material.visits)
        section.parts.append(table)
    if not instruments:
        section.parts.append(("No forms of randomised patients are in the data.",))
    return section


def quality_of_life(material: Material) -> Section:
    """Observed means by arm and visit."""
    section = Section("quality-of-life", "Quality of life among those alive and answering")
    section.parts.append(
        (
            "Observed means of patients who are alive and answered, with 95 % intervals. They are not the means of "
            "the arms: patients in poor health answer less, and the dead do not answer.",
        )
    )
    for code in material.plan.analysis.profile_scales:
        scale = material.scale(code)
        label, direction = scale.label["en"], f"higher is {scale.higher_is}"
        means = profiles.mean_profile(material.scores, code)
        title = f"Mean {label} ({code}) among those alive and answering"
        if means.empty:
            section.parts.append((f"{label}: no figure, there are no scores.",))
        else:
            section.parts.append(
                figures.mean_profile(
                    f"profile-{code}",
                    means,
                    material.arms,
                    material.plan.months,
                    ylabel=f"{label}, {direction}",
                    caption=f"{title}, with 95 % intervals; 0 to 100, {direction}.",
                )
            )
        section.parts.append(tables.profile(material.numbers, means, code, title, material.arms, material.visits))
    return section


def other_questionnaires(material: Material) -> Section:
    """Observed means of every score that the plan's instrument does not give; empty where there is no other."""
    section = Section("other-questionnaires", "Other questionnaires among those alive and answering")
    for code, instrument in material.trial.instruments.items():
        if code == material.plan.analysis.instrument:
            continue
        if not instrument.scores:
            section.parts.append((f"{instrument.title}: {instrument.not_scored or 'it has no scores.'}",))
            continue
        scores = material.trial.scores(code)
        asked = set(material.trial.forms.loc[material.trial.forms["instrument"] == code, "visit"])
        visits = {visit: name for visit, name in material.visits.items() if visit in asked}
        for score in instrument.scores:
            title = f"{instrument.title}: mean {score.label['en']} ({score.code}), higher is {score.higher_is}"
            means = profiles.mean_profile(scores, score.code)
            id = f"{code}.{score.code}"
            section.parts.append(tables.profile(material.numbers, means, id, title, material.arms, visits))
    return section


def overall_survival(material: Material) -> Section:
    """Death from any cause."""
    times = estimands.overall_survival(material.trial.randomised)
    section = Section("overall-survival", "Overall survival")
    section.parts.append(
        ("Time from randomisation to death from any cause. Who is not known dead is censored when last known alive.",)
    )
    section.parts.extend(_followed_to_the_cut(material))
    return _time_to_event(section, "os", "Alive", material, material.trial.randomised, times)


def _followed_to_the_cut(material: Material) -> list[Cell]:
    """How complete the follow-up of the living is: late deaths are heard of, late life is not."""
    cut, alive = material.trial.data_cut, material.trial.randomised
    alive = alive[alive["died_on"].isna()]
    if cut is None or alive.empty:
        return []
    days = (pd.Timestamp(cut) - alive["last_alive_on"]).dt.days
    recent = material.numbers.count("os.followed.recent", (days <= RECENT_DAYS).sum())
    living = material.numbers.count("os.followed.alive", len(alive))
    warning = ". The fewer they are, the further the curves may lie too low: deaths are heard of, life is not."
    return [
        (
            "Known alive in the last ",
            str(RECENT_DAYS),
            " days before the data cut: ",
            recent,
            " of the ",
            living,
            " not known dead",
            warning,
        )
    ]


def progression_free_survival(material: Material) -> Section:
    """Progression or death."""
    times = estimands.progression_free_survival(material.trial.randomised)
    section = Section("progression-free-survival", "Progression-free survival")
    section.parts.append(("Time from randomisation to progression or death, whichever is first.",))
    return _time_to_event(section, "pfs", "Alive without progression", material, material.trial.randomised, times)


def baseline_and_survival(material: Material) -> Section:
    """Quality of life joined to survival: does the baseline score foretell death?"""
    code = material.plan.analysis.baseline_scale
    label = material.scale(code).label["en"]
    randomised = material.trial.randomised
    times = estimands.overall_survival(randomised)
    baseline = material.scores[material.scores["baseline"]].set_index("subject")[code]
    covariates = _indicators(randomised, material.plan)
    covariates.insert(0, BASELINE_TERM, randomised["subject"].map(baseline).astype(float) / 10)
    model = _attempt(partial(cox, times["time"], times["event"], covariates))
    section = Section("baseline-and-survival", "Quality of life at baseline and survival")
    section.parts.append(
        (f"Does {label} before treatment foretell survival, whatever the arm? Hazard ratio per 10 points more.",)
    )
    numbers = material.numbers
    if isinstance(model, Cox):
        counts = {"n": model.n, "events": model.events, "excluded": model.excluded}
        n, events, excluded = (numbers.count(f"baseline-survival.{key}", value) for key, value in counts.items())
        section.parts.append(
            ("Patients: ", n, ", deaths: ", events, "; left out for want of a baseline score: ", excluded, ".")
        )
    named = {BASELINE_TERM: f"{label} ({code}) at baseline, per 10 points", **material.contrasts}
    rows = [
        Row(text, tables.hazard_ratio(numbers, f"baseline-survival.{term}", model, term))
        for term, text in named.items()
    ]
    section.parts.append(
        Table("Cox model of overall survival", ("Covariate", "Hazard ratio (95 % interval)", "p"), tuple(rows))
    )
    return section


def time_to_deterioration(material: Material) -> Section:
    """Worsening of the plan's scale, or death."""
    planned = material.plan.analysis.deterioration
    scale = material.scale(planned.scale)
    definition = deterioration.Definition(
        planned.scale, scale.label["en"], planned.threshold, scale.higher_is == "better"
    )
    randomised = material.trial.randomised
    times = deterioration.time_to(material.scores, randomised, definition)
    excluded = times.attrs["excluded"][deterioration.NO_BASELINE]
    patients = times[["subject"]].merge(randomised, on="subject", how="left")
    section = Section("time-to-deterioration", f"Time to deterioration of {scale.label['en']}, or death")
    count = material.numbers.count("ttd.excluded", excluded)
    section.parts.append((str(definition),))
    section.parts.append(("Left out for want of a baseline score: ", count, "."))
    section.parts.append(_endings(material, times["cause"], patients["arm"]))
    return _time_to_event(section, "ttd", "Alive without deterioration", material, patients, times)


def _endings(material: Material, cause: "pd.Series[str]", arm: "pd.Series[str]") -> Table:
    """How many patients' time ended in which way, by arm."""
    counts = pd.crosstab(cause, arm).reindex(index=deterioration.CAUSES, columns=list(material.arms), fill_value=0)
    rows = []
    for ending, row in zip(deterioration.CAUSES, counts.to_numpy().tolist(), strict=True):
        id = f"ttd.cause.{ending.replace(' ', '-')}"
        cells = [(material.numbers.count(f"{id}.{arm}", n),) for arm, n in zip(material.arms, row, strict=True)]
        rows.append(Row(ending.capitalize(), tuple(cells)))
    return Table("How the time ended", ("Ending", *material.arms.values()), tuple(rows))


def _time_to_event(
    section: Section, id: str, ylabel: str, material: Material, patients: pd.DataFrame, times: pd.DataFrame
) -> Section:
    """Curves by arm with numbers at risk, medians, the share at the plan's month, and the comparison of the arms."""
    plan, numbers, arms = material.plan, material.numbers, material.arms
    if patients.empty:
        section.parts.append(("Nothing could be estimated: there are no such patients.",))
        return section
    curves = kaplan_meier(times["time"], times["event"], patients["arm"])
    months = figures.months_shown(float(times["time"].max()))
    caption = f"{section.title}: Kaplan-Meier curves with 95 % log-log intervals; ticks are censored patients."
    section.parts.append(figures.survival_curves(id, curves, arms, ylabel=ylabel, caption=caption, months=months))
    section.parts.append(tables.survival(numbers, id, curves, arms, ylabel, plan.analysis.survival_months))
    tests = _comparisons(material, patients, times)
    section.parts.append(tables.comparison(numbers, id, tests, material.contrasts))
    section.parts.append(tables.at_risk(numbers, id, curves, arms, months))
    if patients[list(plan.analysis.strata)].isna().any(axis=None):
        section.parts.append(("Patients without a recorded stratum are a stratum of their own.",))
    return section


def _comparisons(
    material: Material, patients: pd.DataFrame, times: pd.DataFrame
) -> Mapping[str, tuple[LogRank | CannotEstimate, Cox | CannotEstimate]]:
    """Log-rank test and Cox model of the arms, stratified as planned, and plain beside it."""
    plan = material.plan
    covariates = _indicators(patients, plan)
    analyses: dict[str, pd.DataFrame | None] = {"Not stratified": None}
    if plan.analysis.strata:
        labels = ", ".join(plan.strata[code].label for code in plan.analysis.strata)
        recorded = patients[list(plan.analysis.strata)].astype(object).fillna(NOT_RECORDED)
        analyses = {f"Stratified by {labels}": recorded, **analyses}
    time, event = times["time"], times["event"]
    return {
        title: (
            _attempt(partial(logrank, time, event, patients["arm"], strata=strata)),
            _attempt(partial(cox, time, event, covariates, strata=strata)),
        )
        for title, strata in analyses.items()
    }


def _indicators(patients: pd.DataFrame, plan: TrialPlan) -> pd.DataFrame:
    """One column for every arm but the reference: 1 for its patients."""
    return pd.DataFrame({arm: (patients["arm"] == arm).astype(float) for arm in plan.other_arms})


def _attempt(estimate: Callable[[], Found]) -> Found | CannotEstimate:
    """The estimate, or why there is none."""
    try:
        return estimate()
    except CannotEstimate as reason:
        return reason
