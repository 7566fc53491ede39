"""Who takes part, in which arm, and what befalls them: surgery, progression, death, withdrawal?

Illness-death model: progression, death after it and death without it, the first two sharing a gamma frailty (mean 1,
variance 0.4). Times in months of 30.4375 days after randomisation; infinite = never.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from math import log

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

from analysis.simulation.published import (
    ARMS,
    DAYS_A_MONTH,
    ER_POSITIVE,
    ONE_METASTASIS,
    SITES,
    SPEAKS_SWEDISH,
    Scenario,
)

Numbers = NDArray[np.float64]

FRAILTY_VARIANCE = 0.4
PROGRESSION_MEDIAN = 12.0
DEATH_MEDIAN, DEATH_SHAPE = 21.0, 1.2  # after progression
DEATH_UNPROGRESSED = 0.015 / 12  # a month
SURGICAL_DEATH, SURGICAL_DEATH_MONTHS = 0.01, 3.0
HAZARD_RATIOS = {  # progression, death after progression
    "surgery": (0.60, 0.85),
    "er_negative": (1.8, 2.2),
}
NON_PROPORTIONAL = (1.5, 0.6)  # hazard ratio of progression with surgery, before and after
CHANGES_AT = 3.0  # months
DEATH_BY_HEALTH = 0.018  # a month, at a score of 60 without surgery; assumed, as are the next
RATIO_NOW, RATIO_BASELINE = 0.80, 0.90  # hazard ratio of death per 10 points more of the true score
RATIO_SURGERY = 0.75
WITHDRAWAL = 0.0015  # a month; assumed
SURGERY_DAYS = (14, 42)  # after randomisation; assumed
CONSENT_DAYS = (1, 14)  # before randomisation; assumed
LAST_MONTH = 600.0  # what would happen later does not happen
BLOCKS = (2, 4, 6)
AGE_MEAN, AGE_SD, AGE_FROM, AGE_TO = 58.0, 10.0, 30, 80  # assumed


@dataclass(frozen=True)
class Course:
    """What befalls each of n patients, in months after randomisation; infinite = never."""

    surgery: Numbers
    progression: Numbers
    death: Numbers
    withdrawal: Numbers


def enrolled(rng: Generator, subjects: int, start_on: date, accrual_months: float) -> pd.DataFrame:
    """Patients in the order of consent, without what befalls them; arms by permuted blocks within site and ER."""
    days = np.sort(rng.integers(0, max(1, round(accrual_months * DAYS_A_MONTH)), subjects))
    site = rng.choice(list(SITES), subjects, p=list(SITES.values()))
    patients = pd.DataFrame({"site": site})
    number = patients.groupby("site").cumcount() + 1
    patients.insert(0, "subject", [f"{site}-{n:03d}" for site, n in zip(site, number, strict=True)])
    patients["er"] = np.where(rng.random(subjects) < ER_POSITIVE, "pos", "neg")
    patients["metastases"] = np.where(rng.random(subjects) < ONE_METASTASIS, "1", "2-4")
    patients["language"] = np.where(rng.random(subjects) < SPEAKS_SWEDISH, "sv", "en")
    patients["age"] = _ages(rng, subjects)
    waits = rng.integers(CONSENT_DAYS[0], CONSENT_DAYS[1] + 1, subjects)
    patients["consented_on"] = [start_on + timedelta(days=int(day)) for day in days]
    patients["randomised_on"] = [
        on + timedelta(days=int(wait)) for on, wait in zip(patients["consented_on"], waits, strict=True)
    ]
    arm = np.empty(subjects, dtype=object)
    for rows in patients.groupby(["site", "er"]).indices.values():
        arm[rows] = _permuted_blocks(rng, len(rows))
    patients["arm"] = arm
    return patients


def course_of(rng: Generator, patients: pd.DataFrame, scenario: Scenario) -> Course:
    """Progression, death, surgery and withdrawal of each patient. Nobody is operated on after progression or death."""
    n = len(patients)
    surgical = (patients["arm"] == "surgery").to_numpy()
    negative = (patients["er"] == "neg").to_numpy()
    effect = (1.0, 1.0) if scenario == "null" else HAZARD_RATIOS["surgery"]
    if scenario == "non-proportional":
        effect = (NON_PROPORTIONAL[0], effect[1])
    to_progression, to_death = (
        np.where(surgical, by_surgery, 1.0) * np.where(negative, by_er, 1.0)
        for by_surgery, by_er in zip(effect, HAZARD_RATIOS["er_negative"], strict=True)
    )
    frailty = rng.gamma(1 / FRAILTY_VARIANCE, FRAILTY_VARIANCE, n)
    progression = rng.exponential(size=n) / (log(2) / PROGRESSION_MEDIAN * frailty * to_progression)
    if scenario == "non-proportional":
        slower = surgical & (progression > CHANGES_AT)
        progression[slower] = (
            CHANGES_AT + (progression[slower] - CHANGES_AT) * NON_PROPORTIONAL[0] / NON_PROPORTIONAL[1]
        )
    cumulative = rng.exponential(size=n) / (log(2) * frailty * to_death)
    after = DEATH_MEDIAN * cumulative ** (1 / DEATH_SHAPE)
    unprogressed = rng.exponential(1 / DEATH_UNPROGRESSED, n)
    surgery = np.where(surgical, rng.integers(SURGERY_DAYS[0], SURGERY_DAYS[1] + 1, n) / DAYS_A_MONTH, np.inf)
    surgery[surgery >= np.minimum(progression, unprogressed)] = np.inf
    if scenario != "null":
        dies = np.isfinite(surgery) & (rng.random(n) < SURGICAL_DEATH)
        soon = surgery[dies] + rng.random(int(dies.sum())) * (SURGICAL_DEATH_MONTHS - surgery[dies])
        unprogressed[dies] = np.minimum(unprogressed[dies], soon)
    death = np.where(progression < unprogressed, progression + after, unprogressed)
    progression[progression >= death] = np.inf
    withdrawal = rng.exponential(1 / WITHDRAWAL, n)
    withdrawal[withdrawal >= death] = np.inf
    return Course(*(np.where(time < LAST_MONTH, time, np.inf) for time in (surgery, progression, death, withdrawal)))


def followed_by_death(
    rng: Generator, course: Course, surgical: NDArray[np.bool_], health: Numbers, months: Numbers
) -> Course:
    """The course with deaths that come of the true score, now and at baseline, and of surgery.

    health: (patients, visits) true score; between two visits the earlier one's is the hazard's, after the last its own.
    """
    points = (health - 60) / 10
    hazard = DEATH_BY_HEALTH * RATIO_NOW**points * RATIO_BASELINE ** points[:, :1]
    hazard = hazard * np.where(surgical, RATIO_SURGERY, 1.0)[:, None]
    cumulative = np.concatenate(
        [np.zeros((len(health), 1)), np.cumsum(hazard[:, :-1] * np.diff(months), axis=1)], axis=1
    )
    needed = rng.exponential(size=len(health))
    last = (cumulative <= needed[:, None]).sum(axis=1) - 1
    rows = np.arange(len(health))
    death = months[last] + (needed - cumulative[rows, last]) / hazard[rows, last]
    death = np.where(death < LAST_MONTH, death, np.inf)
    others = (np.where(time < death, time, np.inf) for time in (course.surgery, course.progression, course.withdrawal))
    surgery, progression, withdrawal = others
    return Course(surgery, progression, death, withdrawal)


def dated(patients: pd.DataFrame, course: Course) -> pd.DataFrame:
    """The patients with the days of what befalls them; the earliest is the day after randomisation."""
    columns = {"surgery_on": course.surgery, "progression_on": course.progression}
    columns |= {"died_on": course.death, "withdrawn_on": course.withdrawal}
    days = {name: [_days(month) for month in months] for name, months in columns.items()}
    on = {
        name: [
            None if each is None else start + timedelta(days=each)
            for start, each in zip(patients["randomised_on"], column, strict=True)
        ]
        for name, column in days.items()
    }
    return patients.assign(**{name: pd.Series(column, dtype=object) for name, column in on.items()})


def _days(months: float) -> int | None:
    return max(1, round(months * DAYS_A_MONTH)) if np.isfinite(months) else None


def _ages(rng: Generator, n: int) -> NDArray[np.int64]:
    ages = rng.normal(AGE_MEAN, AGE_SD, n)
    while (outside := (ages < AGE_FROM) | (ages >= AGE_TO + 1)).any():
        ages[outside] = rng.normal(AGE_MEAN, AGE_SD, int(outside.sum()))
    return ages.astype(np.int64)


def _permuted_blocks(rng: Generator, n: int) -> list[str]:
    arms: list[str] = []
    while len(arms) < n:
        half = int(rng.choice(BLOCKS)) // 2
        arms += rng.permutation(np.repeat(ARMS, half)).tolist()
    return arms[:n]
