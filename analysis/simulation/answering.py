"""Which forms are filled in, when, and how far? Seldom when health is poor, late in the trial, near death.

Answer: logit P = 3.0 - .018 month + .012 (QL - 60) - 1.2 [death within 3 months] - 1.3 [within 1] + N(0, 1) a patient.
Drop-out for good: hazard .010 a month * exp(-.02 (QL - 60)).
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from analysis.simulation.course import Course
from analysis.simulation.published import DAYS_A_MONTH, ITEMS

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]

WAVES = (0.60, 0.20, 0.12, 0.08)  # first text, two reminders, a nurse's call; assumed
WAVES_AT_BASELINE = (0.90, 0.06, 0.03, 0.01)  # on the clinic's tablet; assumed
WAVE_DAYS = np.array([0, 3, 7, 10])  # after the due day
SOON = 0.60  # answers that come soon: lognormal minutes (median, sigma); the others the same day or later
SOON_MINUTES, SOON_SIGMA = 20.0, 1.2
LATER_MINUTES, LATER_SIGMA = 14 * 60.0, 1.0
SENT_AT, WAKES_AT, SLEEPS_AT = 10 * 60, 7 * 60, 22 * 60  # minutes of the local day; nobody answers at night
MINUTES_A_DAY = 24 * 60
FORM_MINUTES, FORM_SIGMA = 7.0, 0.5
RESUMES = 0.08
STOPS = 0.02
SKIPS, SKIPS_LATE, LATE_ITEMS = 0.01, 0.03, (28, 29, 30)
USUAL, HEAVY = (3.0, 0.010), (1.0, 0.060)  # logit of answering at the start, drop-out a month; heavy: assumed
CALENDAR_SLACK_DAYS = 4.0  # a calendar month is not 30.4375 days


@dataclass(frozen=True)
class Answering:
    """What happens to each form, (patients, visits); skipped: (patients, visits, items)."""

    will_answer: Mask
    dropped_out: Mask
    wave: NDArray[np.int64]
    delay_minutes: Numbers
    minutes_on_form: Numbers
    resumes: Mask
    stops_after: NDArray[np.int64]  # items said; ITEMS = all
    skipped: Mask


def answering_of(
    rng: Generator, health: Numbers, course: Course, consent: Numbers, months: Numbers, *, heavy: bool = False
) -> Answering:
    """health: (patients, visits) true QL. consent: months from consent to randomisation. months: of the visits.

    heavy: fewer answer, and many more stop.
    """
    willingness, stopping = HEAVY if heavy else USUAL
    shape = health.shape
    death = course.death[:, None]
    baseline = months == 0
    left = death - months
    logit = willingness - 0.018 * months + 0.012 * (health - 60) - 1.2 * (left < 3) - 1.3 * (left < 1)
    logit = logit + rng.standard_normal((shape[0], 1))
    willing = rng.random(shape) < 1 / (1 + np.exp(-logit))
    dropped_out = _dropped_out(rng, health, months, stopping)
    wave = np.where(baseline, rng.choice(4, shape, p=WAVES_AT_BASELINE), rng.choice(4, shape, p=WAVES))
    delay = _delays(rng, shape)
    day = months * DAYS_A_MONTH + WAVE_DAYS[wave] + delay / MINUTES_A_DAY + CALENDAR_SLACK_DAYS
    answered = day / DAYS_A_MONTH - np.where(baseline, consent[:, None], 0.0)
    there = answered < np.minimum(death, course.withdrawal[:, None])
    late = np.isin(np.arange(1, ITEMS + 1), LATE_ITEMS)
    return Answering(
        will_answer=willing & there & ~dropped_out,
        dropped_out=dropped_out,
        wave=wave,
        delay_minutes=delay,
        minutes_on_form=FORM_MINUTES * np.exp(FORM_SIGMA * rng.standard_normal(shape)),
        resumes=rng.random(shape) < RESUMES,
        stops_after=np.where(rng.random(shape) < STOPS, rng.integers(1, ITEMS, shape), ITEMS),
        skipped=rng.random((*shape, ITEMS)) < np.where(late, SKIPS_LATE, SKIPS),
    )


def _dropped_out(rng: Generator, health: Numbers, months: Numbers, stopping: float) -> Mask:
    """Who has stopped answering for good by each visit; health at a visit decides about the time since the last."""
    hazard = stopping * np.exp(-0.02 * (health[:, 1:] - 60)) * np.diff(months)
    cumulative = np.concatenate([np.zeros((len(health), 1)), np.cumsum(hazard, axis=1)], axis=1)
    return np.asarray(cumulative > rng.exponential(size=(len(health), 1)), dtype=np.bool_)


def _delays(rng: Generator, shape: tuple[int, ...]) -> Numbers:
    """Minutes from a text to its answer; one that falls into the night waits for the morning, spread over an hour."""
    soon = SOON_MINUTES * np.exp(SOON_SIGMA * rng.standard_normal(shape))
    later = LATER_MINUTES * np.exp(LATER_SIGMA * rng.standard_normal(shape))
    delay = np.where(rng.random(shape) < SOON, soon, later)
    clock = (SENT_AT + delay) % MINUTES_A_DAY
    wait = np.where(clock < WAKES_AT, WAKES_AT - clock, MINUTES_A_DAY - clock + WAKES_AT)
    night = (clock < WAKES_AT) | (clock >= SLEEPS_AT)
    return np.asarray(np.where(night, delay + wait + 60 * rng.random(shape), delay), dtype=np.float64)
