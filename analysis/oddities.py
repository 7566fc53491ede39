"""What in a trial's tables can be, yet is odd, and how many patients does it concern? All of it is kept and counted."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from analysis.columns import ROWS_SHOWN, rows_where
from analysis.plan import TrialPlan

FORM = ["subject", "visit", "instrument"]


@dataclass(frozen=True)
class Oddity:
    """Rows that are odd. code: a stable name. subjects: how many patients they are of. handling: what is made of it."""

    code: str
    table: str
    rows: tuple[int, ...]
    subjects: int
    what: str
    handling: str

    def __str__(self) -> str:
        shown = ", ".join(map(str, self.rows[:ROWS_SHOWN]))
        more = len(self.rows) - ROWS_SHOWN
        place = f"{self.table}, row {shown}" + (f" and {more} more" if more > 0 else "")
        return f"{place}: {self.what} ({self.subjects} patients)\n  {self.handling}"


def oddities(subjects: pd.DataFrame, forms: pd.DataFrame, answers: pd.DataFrame, plan: TrialPlan) -> list[Oddity]:
    """Everything odd, one entry a kind that occurs; tables as typed by `read_trial`."""
    dated = _dated(subjects, forms, answers, plan)
    return [*_of_forms(dated, plan), *_of_subjects(subjects)]


def _dated(subjects: pd.DataFrame, forms: pd.DataFrame, answers: pd.DataFrame, plan: TrialPlan) -> pd.DataFrame:
    """The forms in their order, each with its patient's days, whether it has an answer, and the day of its last."""
    said = answers[answers["value"].notna() | (answers["state"] == "answered")]
    last = said.groupby(FORM, observed=True)["answered_at"].max().rename("last").reset_index().assign(has_answer=True)
    days = subjects[["subject", "randomised_on", "died_on", "withdrawn_on"]]
    dated = forms.merge(last, on=FORM, how="left").merge(days, on="subject", how="left")
    dated["has_answer"] = dated["has_answer"].notna()
    at = dated["completed_at"].fillna(dated["last"]).dt.tz_convert(plan.trial.zone)
    dated["on"] = at.dt.tz_localize(None).dt.normalize()
    dated["baseline"] = dated["visit"].isin(plan.baselines)
    return dated


def _of_forms(dated: pd.DataFrame, plan: TrialPlan) -> Iterator[Oddity]:
    on, has = dated["on"], dated["has_answer"]
    baseline_on = dated[dated["baseline"]].groupby("subject")["on"].max()
    earlier = ~dated["baseline"] & (on < dated["subject"].map(baseline_on))
    same_day = dated[has & on.notna()].duplicated(["subject", "instrument", "on"], keep=False)
    kinds = {
        "after-death": (on > dated["died_on"], "answered after the day of death", "The answers count as given."),
        "after-withdrawal": (
            on > dated["withdrawn_on"],
            "answered after withdrawal",
            "The answers count; the forms are not expected.",
        ),
        "late-baseline": (
            dated["baseline"] & (on > dated["randomised_on"]),
            "the baseline was answered after the day of randomisation",
            "It is the baseline all the same.",
        ),
        "before-baseline": (earlier, "answered before the patient's baseline", "Both count at the visit they name."),
        "two-on-a-day": (
            same_day.reindex(dated.index, fill_value=False),
            "two visits of one questionnaire were answered on the same day",
            "Both count at the visit they name.",
        ),
        "outside-window": (
            (on < dated["opens_on"]) | (on > dated["closes_on"]),
            "answered outside the window of the visit",
            "It counts at the visit.",
        ),
        "completed-without-answers": (
            (dated["state"] == "completed") & ~has,
            "submitted without a single answer",
            "It counts as not received.",
        ),
        "not-expected": (
            has & ~dated["expected"].astype(bool),
            "answered though not expected",
            "The scores count; the form is in no rate.",
        ),
    }
    for code, (mask, what, handling) in kinds.items():
        odd = mask.fillna(False).astype(bool)
        if odd.any():
            patients = int(dated.loc[odd, "subject"].nunique())
            yield Oddity(code, "forms", rows_where(odd), patients, what, handling)


def _of_subjects(subjects: pd.DataFrame) -> Iterator[Oddity]:
    randomised = subjects["randomised_on"]
    kinds = {
        "surgery-before-randomisation": (
            subjects["surgery_on"] < randomised,
            "operated before randomisation",
            "Time starts at randomisation.",
        ),
        "consent-after-randomisation": (
            subjects["consented_on"] > randomised,
            "consent is dated after randomisation",
            "The patient is analysed.",
        ),
        "died-at-randomisation": (
            subjects["died_on"] == randomised,
            "died on the day of randomisation",
            "The time to death is 0.",
        ),
    }
    for code, (mask, what, handling) in kinds.items():
        odd = mask.fillna(False).astype(bool)
        if odd.any():
            yield Oddity(code, "subjects", rows_where(odd), int(odd.sum()), what, handling)
