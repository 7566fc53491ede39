"""What would the trial office's files say of simulated patients: their covariates, and their adverse events?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from analysis.simulation import SimulatedTrial
from epro.acts.imports.files import bring_in
from epro.acts.imports.kinds import KINDS
from epro.house import House
from epro.protocol import RANDOMISATION
from epro.refusals import Refusal
from epro.store import facts
from epro.store.audit import Actor
from epro.store.database import reading, writing
from epro.store.facts import Facts
from epro.store.people import facts_of
from questionnaires.cells import as_csv

TRIAL_OFFICE = Actor("trial.office@demo.example", "trial_office", "import")
ECOG_1 = 0.35  # the share who are restricted in strenuous activity, assumed
EVENTS_A_YEAR = {"Nausea": 0.8, "Fatigue": 1.0, "Neutrophil count decreased": 0.5, "Pain": 0.4}  # assumed
AFTER_SURGERY = {"Wound infection": 0.12, "Bile leak": 0.05}  # the share of those operated on, assumed
GRADES = (1, 2, 3, 4)
OF_GRADE = (0.45, 0.35, 0.16, 0.04)
SERIOUS_FROM = 3
EVENT = ("subject", "term", "grade", "serious", "started_on", "ended_on")
LONGEST_DAYS = 40


def bring_in_case_report_forms(house: House, simulated: SimulatedTrial, *, seed: int, now: datetime) -> None:
    """Import both files by the trial office's own verb, for the patients who are enrolled."""
    chance = np.random.default_rng([seed, 1])
    with reading(house.engine) as connection:
        known = facts_of(connection)
    patients = [simulated.patient(subject) for subject in sorted(known)]
    today = now.astimezone(house.protocol.zone).date()
    covariates = [(p["subject"], p["age"], int(chance.random() < ECOG_1)) for p in patients]
    events = [event for p in patients for event in _events(chance, p, known[p["subject"]], today)]
    for kind, header, rows in (
        ("covariates", ("subject", "age", "ecog"), covariates),
        ("adverse_events", EVENT, events),
    ):
        if rows:
            _import(house, kind, as_csv(header, rows), now)


def _import(house: House, kind: str, text: str, now: datetime) -> None:
    with writing(house.engine) as connection:
        brought = bring_in(
            connection, house.protocol, house.cipher, KINDS[kind], text.encode(), by=TRIAL_OFFICE, now=now
        )
        if brought.wrongs:
            raise Refusal(brought.wrongs)


def _events(
    chance: np.random.Generator, patient: Mapping[str, Any], known: Facts, today: date
) -> Iterator[tuple[Any, ...]]:
    """Each term at a rate of its own from randomisation on, and what follows an operation."""
    if RANDOMISATION not in known.events:
        return
    first = known.events[RANDOMISATION].on
    last = min([today, *(known.events[kind].on for kind in (facts.DEATH, facts.WITHDRAWAL) if kind in known.events)])
    years = max(0, (last - first).days) / 365.25
    for term, rate in EVENTS_A_YEAR.items():
        days = {int(day) for day in chance.integers(0, max(1, (last - first).days), chance.poisson(rate * years))}
        for day in sorted(days):
            yield _event(chance, patient["subject"], term, first + timedelta(days=day), last)
    if facts.SURGERY in known.events:
        for term, share in AFTER_SURGERY.items():
            on = known.events[facts.SURGERY].on + timedelta(days=int(chance.integers(1, 15)))
            if chance.random() < share and on <= last:
                yield _event(chance, patient["subject"], term, on, last)


def _event(chance: np.random.Generator, subject: str, term: str, on: date, last: date) -> tuple[Any, ...]:
    grade = int(chance.choice(GRADES, p=OF_GRADE))
    ends_on = on + timedelta(days=int(chance.integers(1, LONGEST_DAYS)))
    serious = "yes" if grade >= SERIOUS_FROM and chance.random() < 0.5 else "no"
    return subject, term, grade, serious, on, ends_on if ends_on <= last else ""
