"""Write the trial folder: who took part, which forms were due and came, and every current answer. No contact data.

The columns are declared in `analysis.trial`, which also writes and reads the folder back before this says done.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Connection, func, select

from analysis.trial import Trial, write_trial
from epro.assessments import COMPLETED, EXCUSED, answered_after_randomisation, state_of
from epro.house import House
from epro.protocol import CONSENT, RANDOMISATION, Protocol, covariates_in, is_number
from epro.store import facts, people
from epro.store.crf import covariates_of, events_of
from epro.store.database import reading
from epro.store.facts import Facts
from epro.store.models import Allocation, Answer, Assessment, Form, never_planned
from questionnaires.branching import State, states
from questionnaires.catalogue import file_of
from questionnaires.definition import Instrument

ALIVE = (*facts.SIGNS_OF_LIFE, facts.WITHDRAWAL)
AFTER_RANDOMISATION = "after_randomisation"
NOT_APPLICABLE = "not_applicable"


def export(house: House, folder: Path, *, now: datetime) -> Trial:
    """Write the folder as it stands at `now`, and return it as read back. Raises analysis' typed errors, OSError."""
    protocol = house.protocol
    with reading(house.engine) as connection:
        known = people.facts_of(connection)
        arms = {row.subject: row.arm for row in connection.execute(select(Allocation.subject, Allocation.arm))}
        answers = _answers(connection, protocol)
        forms = _forms(connection, protocol, known, now)
        covariates, adverse_events = _covariates(connection, protocol), _adverse_events(connection)
    return write_trial(
        folder,
        subjects=_subjects(protocol, known, arms, answers),
        forms=forms,
        answers=answers,
        plan=protocol.document.data,
        data_cut=_day(now, protocol),
        epro_version=version("epro"),
        instruments=[file_of(code, beside=protocol.folder) for code in protocol.instruments],
        covariates=covariates,
        adverse_events=adverse_events,
    )


def _subjects(protocol: Protocol, known: dict[str, Facts], arms: dict[str, str], answers: pd.DataFrame) -> pd.DataFrame:
    received = answers.dropna(subset=["answered_at"])
    last_answer = received.groupby("subject")["answered_at"].max() if len(received) else pd.Series(dtype=object)
    rows = []
    for subject, patient in sorted(known.items()):
        on = patient.anchors
        answered_on = _day(last_answer[subject], protocol) if subject in last_answer.index else None
        rows.append(
            {
                "subject": subject,
                "site": patient.site,
                "arm": arms.get(subject),
                **{code: patient.strata.get(code) for code in protocol.strata},
                "consented_on": on.get(CONSENT),
                "randomised_on": on.get(RANDOMISATION),
                "surgery_on": on.get(facts.SURGERY),
                "progression_on": on.get(facts.PROGRESSION),
                "died_on": on.get(facts.DEATH),
                "withdrawn_on": on.get(facts.WITHDRAWAL),
                "last_alive_on": _last_alive(patient, answered_on),
            }
        )
    return pd.DataFrame(rows)


def _covariates(connection: Connection, protocol: Protocol) -> pd.DataFrame | None:
    """A row per patient of whom the case report form said anything; None where it has said nothing yet."""
    given, named = covariates_of(connection), covariates_in(protocol)
    rows = [
        {"subject": subject, **{name: _value(values.get(name), each) for name, each in named.items()}}
        for subject, values in sorted(given.items())
    ]
    return pd.DataFrame(rows) if rows and named else None


def _value(written: str | None, covariate: Mapping[str, Any]) -> float | str | None:
    return float(written) if written is not None and is_number(covariate) else written


def _adverse_events(connection: Connection) -> pd.DataFrame | None:
    """Every event that was not taken back; None where there is none."""
    told = ("subject", "term", "grade", "serious", "started_on", "ended_on")
    standing = [event for event in events_of(connection).values() if not event.taken_back]
    return pd.DataFrame([{name: getattr(event, name) for name in told} for event in standing]) if standing else None


def _last_alive(patient: Facts, answered_on: date | None) -> date:
    """The last day the patient was known to be alive: an answer, a call, a visit, an import; never the export's day."""
    seen = [event.on for kind, event in patient.events.items() if kind in ALIVE]
    last = max(day for day in [*seen, answered_on] if day is not None)
    died = patient.events.get(facts.DEATH)
    return min(last, died.on) if died else last


def _forms(connection: Connection, protocol: Protocol, known: dict[str, Facts], now: datetime) -> pd.DataFrame:
    started = {
        (row.assessment, row.instrument): row
        for row in connection.execute(
            select(Form.assessment, Form.instrument, Form.version, Form.mode, Form.language, Form.wording_sha256)
        )
    }
    rows = []
    planned = select(Assessment.__table__).where(~never_planned())
    for assessment in connection.execute(planned.order_by(Assessment.subject, Assessment.due_on)):
        patient = known[assessment.subject]
        state = state_of(assessment, now, patient.enrolled_at, patient.ended_at)
        visit = protocol.visit(assessment.visit, assessment.schedule_version)
        for instrument in visit.instruments:
            form = started.get((assessment.id, instrument))
            rows.append(
                {
                    "subject": assessment.subject,
                    "visit": assessment.visit,
                    "month": visit.month,
                    "instrument": instrument,
                    "version": form.version if form else protocol.instruments[instrument].version,
                    "due_on": assessment.due_on,
                    "opens_on": _day(assessment.opens_at, protocol),
                    "closes_on": _day(assessment.closes_at - timedelta(seconds=1), protocol),
                    "expected": assessment.expected,
                    "state": state,
                    "reason": _reason(assessment, state, patient, visit.baseline, protocol),
                    "mode": form.mode if form else None,
                    "language": form.language if form else None,
                    "completed_at": assessment.completed_at,
                    "wording_sha256": form.wording_sha256 if form else None,
                    "schedule_version": assessment.schedule_version,
                }
            )
    return pd.DataFrame(rows)


def _reason(assessment: Any, state: str, patient: Facts, baseline: bool, protocol: Protocol) -> str | None:
    """Why a form is excused; or that a baseline was answered after its patient was randomised."""
    if state == EXCUSED:
        return facts.DEATH if facts.DEATH in patient.events else facts.WITHDRAWAL
    randomised = patient.events.get(RANDOMISATION)
    if (
        baseline
        and state == COMPLETED
        and randomised
        and answered_after_randomisation(assessment.completed_at, randomised.on, protocol.zone)
    ):
        return AFTER_RANDOMISATION
    reason: str | None = assessment.reason
    return reason


ANSWER = ["subject", "visit", "instrument", "version", "item", "value", "state", "answered_at"]


def _answers(connection: Connection, protocol: Protocol) -> pd.DataFrame:
    """Every item of every form that was begun, in one of the four states of an item. Words are not exported."""
    given: dict[int, dict[str, Any]] = defaultdict(dict)
    latest = select(func.max(Answer.id)).group_by(Answer.form, Answer.item)
    said = (Answer.form, Answer.item, Answer.value, Answer.text, Answer.state, Answer.received_at)
    for row in connection.execute(select(*said).where(Answer.id.in_(latest))):
        given[row.form][row.item] = row
    forms = connection.execute(
        select(Form.id, Form.instrument, Form.version, Assessment.subject, Assessment.visit)
        .join(Assessment, Assessment.id == Form.assessment)
        .order_by(Assessment.subject, Assessment.due_on, Form.id)
    )
    rows = [
        (form.subject, form.visit, form.instrument, form.version, *item)
        for form in forms
        for item in _items(protocol.instruments[form.instrument], given[form.id])
    ]
    return pd.DataFrame(rows, columns=ANSWER).astype({"value": "Int64"})


def _items(instrument: Instrument, said: Mapping[str, Any]) -> Iterator[tuple[str, int | None, str, datetime | None]]:
    """item, value, state, received: what was said and still applies, or why there is nothing."""
    kept = {item: row for item, row in said.items() if row.state != NOT_APPLICABLE}
    standing = {item: row.value if row.value is not None else row.text for item, row in kept.items()}
    for item, state in states(instrument, standing, kept).items():
        row = kept.get(item) if state in (State.ANSWERED, State.SKIPPED) else None
        yield item, row and row.value, state.value.replace(" ", "_"), row and row.received_at


def _day(at: datetime, protocol: Protocol) -> date:
    return at.astimezone(protocol.zone).date()
