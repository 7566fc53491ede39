"""One simulated trial: its patients, their forms and answers, and apart from these the truth."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from analysis.simulation.answering import Answering, answering_of
from analysis.simulation.course import Course, course_of, dated, enrolled, followed_by_death
from analysis.simulation.published import CODES, DAYS_A_MONTH, ITEMS, Scenario
from analysis.simulation.quality import Numbers, Options, global_health, items_of, latent, shifts, true_health

ITEM_CODES = [f"q{number}" for number in range(1, ITEMS + 1)]


@dataclass(frozen=True)
class PlannedForm:
    """What a patient will do about one visit's form.

    wave: the text she answers, 0 = first, 1 and 2 = reminders, 3 = a nurse's call. delay_minutes: after that text.
    resumes: in two sittings. stops_after: items said before she stops for good, None = she goes to the end.
    """

    will_answer: bool
    wave: int
    delay_minutes: float
    minutes_on_form: float
    resumes: bool
    stops_after: int | None


@dataclass(frozen=True, eq=False, repr=False)
class SimulatedTrial:
    """What would be seen, and what is true.

    patients: one row each, in the order of consent: subject, site, er, metastases, language, age, consented_on,
        randomised_on, arm, surgery_on, progression_on, died_on, withdrawn_on (dates; None = never).
    forms: one row per subject and visit, dead or alive: month and the fields of PlannedForm (stops_after NA = None).
    answers: index (subject, visit), only forms that will be answered; q1 to q30, NA = skipped. What lies beyond
        stops_after is there too, and never said.
    truth: index (subject, visit): alive, progressed, dropped_out, QL (the true score), latent scales z_PF, z_RF...
    """

    patients: pd.DataFrame
    forms: pd.DataFrame
    answers: pd.DataFrame
    truth: pd.DataFrame

    def living(self) -> pd.DataFrame:
        """The truth that a while-alive estimand is after: by arm and visit, how many live, and their mean true QL."""
        alive = self.truth[self.truth["alive"]].reset_index()
        arm = alive["subject"].map(self.patients.set_index("subject")["arm"])
        return alive.groupby([arm.rename("arm"), "visit"])["QL"].agg(["size", "mean"])

    def latent(self) -> pd.DataFrame:
        """The truth that a joint model is after: by arm and visit, the mean true QL of all, as if nobody died.

        In the scenario shared parameter alone, where the score does not fall because death is near.
        """
        truth = self.truth.reset_index()
        arm = truth["subject"].map(self.patients.set_index("subject")["arm"])
        return truth.groupby([arm.rename("arm"), "visit"])["QL"].agg(["size", "mean"])

    def patient(self, subject: str) -> Mapping[str, Any]:
        """The row of one patient. Raises KeyError for an unknown one."""
        return self._patients[subject]

    def form(self, subject: str, visit: str) -> PlannedForm | None:
        """What becomes of one form; None for a visit that was not simulated."""
        return self._forms.get((subject, visit))

    def said(self, subject: str, visit: str) -> Mapping[str, int | None]:
        """Item code: option, None = skipped, in the order of the items. Raises KeyError if it is not answered."""
        options = self._answers[subject, visit]
        return dict(zip(ITEM_CODES, (None if option is pd.NA else int(option) for option in options), strict=True))

    @cached_property
    def _patients(self) -> dict[str, Mapping[str, Any]]:
        names = self.patients.columns.tolist()
        rows = (dict(zip(names, row, strict=True)) for row in self.patients.itertuples(index=False, name=None))
        return {row["subject"]: row for row in rows}

    @cached_property
    def _forms(self) -> dict[tuple[str, str], PlannedForm]:
        return {
            (row["subject"], row["visit"]): PlannedForm(
                will_answer=row["will_answer"],
                wave=row["wave"],
                delay_minutes=row["delay_minutes"],
                minutes_on_form=row["minutes_on_form"],
                resumes=row["resumes"],
                stops_after=None if row["stops_after"] is pd.NA else row["stops_after"],
            )
            for row in self.forms.to_dict("records")
        }

    @cached_property
    def _answers(self) -> dict[tuple[str, str], list[Any]]:
        rows = self.answers.astype(object).to_numpy().tolist()
        return dict(zip(self.answers.index.tolist(), rows, strict=True))


def simulate(
    *,
    seed: int | np.random.SeedSequence,
    subjects: int = 200,
    visits: Mapping[str, float],
    start_on: date,
    accrual_months: float,
    scenario: Scenario = "effect",
) -> SimulatedTrial:
    """A trial like BreCLIM-2, the same for the same arguments.

    visits: code: month after randomisation; month 0 = the baseline, answered from consent on. start_on: the first day
    of accrual, which is uniform over accrual_months. Nothing is censored: whoever plays the trial stops where he likes.
    """
    rng = np.random.default_rng(seed)
    months = np.array(sorted(visits.values()), dtype=np.float64)
    codes = sorted(visits, key=lambda code: visits[code])
    patients = enrolled(rng, subjects, start_on, accrual_months)
    course = course_of(rng, patients, scenario)
    z = latent(rng, subjects, months)
    surgical = (patients["arm"] == "surgery").to_numpy()
    if scenario == "shared parameter":
        undying = replace(course, death=np.full(subjects, np.inf))
        shift = shifts(undying, surgical, months)  # the score leads to death, and death does not lower the score
        course = followed_by_death(rng, undying, surgical, true_health(z, shift), months)
    else:
        shift = shifts(course, surgical, months)
    options = items_of(rng, z, shift)
    health = global_health(options)
    gap = patients["randomised_on"].map(date.toordinal) - patients["consented_on"].map(date.toordinal)
    answering = answering_of(
        rng, health, course, -gap.to_numpy() / DAYS_A_MONTH, months, heavy=scenario == "heavy missingness"
    )
    index = pd.MultiIndex.from_product([patients["subject"], codes], names=["subject", "visit"])
    return SimulatedTrial(
        dated(patients, course),
        _forms(answering, index, months),
        _answers(answering, options, index),
        _truth(answering, course, health, months, index).join(_latent_frame(z, index)),
    )


def _forms(answering: Answering, index: pd.MultiIndex, months: Numbers) -> pd.DataFrame:
    stops_after = pd.Series(answering.stops_after.ravel(), index=index, dtype="Int64")
    return pd.DataFrame(
        {
            "month": np.tile(months, len(answering.wave)),
            "will_answer": answering.will_answer.ravel(),
            "wave": answering.wave.ravel(),
            "delay_minutes": answering.delay_minutes.ravel(),
            "minutes_on_form": answering.minutes_on_form.ravel(),
            "resumes": answering.resumes.ravel(),
            "stops_after": stops_after.mask(stops_after == ITEMS),
        },
        index=index,
    ).reset_index()


def _answers(answering: Answering, options: Options, index: pd.MultiIndex) -> pd.DataFrame:
    rows = answering.will_answer.ravel()
    said = pd.DataFrame(options.reshape(-1, ITEMS)[rows], index=index[rows], columns=ITEM_CODES).astype("Int64")
    return said.mask(answering.skipped.reshape(-1, ITEMS)[rows])


def _truth(
    answering: Answering, course: Course, health: Numbers, months: Numbers, index: pd.MultiIndex
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "alive": (months < course.death[:, None]).ravel(),
            "progressed": (months >= course.progression[:, None]).ravel(),
            "dropped_out": answering.dropped_out.ravel(),
            "QL": health.ravel(),
        },
        index=index,
    )


def _latent_frame(z: Numbers, index: pd.MultiIndex) -> pd.DataFrame:
    return pd.DataFrame(z.reshape(-1, len(CODES)), index=index, columns=[f"z_{code}" for code in CODES])
