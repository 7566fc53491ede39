"""What stands in one patient's plan, what was sent, what came back, and what was recorded of her?"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, select

from epro.assessments import COMPLETED, answered_after_randomisation, is_open, state_of
from epro.protocol import RANDOMISATION, Protocol
from epro.queries.answered import NOTHING, Answered, answered, items_of
from epro.queries.reach import Sending, sending_of, why_unreachable
from epro.refusals import NoSuchPatient
from epro.store import people
from epro.store.facts import Facts
from epro.store.models import Allocation, Assessment, Form, Patient, PatientEvent, never_planned
from epro.versions import awaiting_consent, versions_of
from scheduler import arrows, ledger
from scheduler.ledger import Text

STILL_TO_LEAVE = (arrows.PLANNED, arrows.CLAIMED)
FALLEN_AWAY = (arrows.CANCELLED, arrows.SUPERSEDED)
MOST_FOUND = 50


@dataclass(frozen=True)
class Visit:
    """One visit of the plan. `last_on` is the last day of its window; `mode` self or tablet once it is begun."""

    code: str
    baseline: bool
    due_on: date
    last_on: date
    opens_at: datetime
    closes_at: datetime
    state: str  # one of `assessments.STATES`
    open: bool
    started_at: datetime | None
    completed_at: datetime | None
    after_randomisation: bool
    mode: str | None
    reason: str | None  # why it is missing
    answered: Answered
    items: int
    texts: tuple[Text, ...]

    @property
    def fallen_away(self) -> int:
        return sum(text.state in FALLEN_AWAY for text in self.texts)

    @property
    def texts_told(self) -> tuple[Text, ...]:
        """The texts worth a line: those that go, went, or could not."""
        return tuple(text for text in self.texts if text.state not in FALLEN_AWAY)


@dataclass(frozen=True)
class Recorded:
    """One thing that staff or the patient made known. `corrects`: the earlier word that it replaces."""

    id: int
    kind: str
    happened_on: date
    reported_at: datetime
    by: str
    reason: str | None
    value: str | None  # of a pause the day on which texts go again, of a consent the version
    corrects: int | None


@dataclass(frozen=True)
class Timeline:
    patient: Facts
    visits: tuple[Visit, ...]
    recorded: tuple[Recorded, ...]
    pending: int  # texts still to leave
    paused_until: date | None  # the first day on which texts go again
    awaits_consent_to: tuple[int, ...]  # versions of the trial
    why_unreachable: tuple[str, ...]  # as `queries.reach` says it, of the form that is open or of her in general


def timeline(connection: Connection, protocol: Protocol, subject: str, now: datetime) -> Timeline:
    """Everything the desk shows of one patient, but her arm. Raises NoSuchPatient."""
    patient = people.facts_of(connection, [subject]).get(subject)
    if patient is None:
        raise NoSuchPatient(subject)
    texts = ledger.rows(connection, subject)
    visits = _visits(connection, protocol, patient, texts, now)
    current = next((visit for visit in visits if visit.open), None)
    sending = sending_of(current.texts) if current else Sending()
    return Timeline(
        patient=patient,
        visits=tuple(visits),
        recorded=tuple(_recorded(connection, subject)),
        pending=sum(text.state in STILL_TO_LEAVE for text in texts),
        paused_until=patient.paused_until(now.astimezone(protocol.zone).date()),
        awaits_consent_to=tuple(version.n for version in awaiting_consent(versions_of(connection), patient)),
        why_unreachable=why_unreachable(patient, sending, started=bool(current and current.started_at)),
    )


def planned_texts(connection: Connection, subject: str) -> list[tuple[str, datetime]]:
    """Key and instant of every text that is still to leave, in order of time."""
    waiting = [text for text in ledger.rows(connection, subject) if text.state in STILL_TO_LEAVE]
    return sorted(((text.key, text.send_at) for text in waiting if text.send_at), key=lambda text: text[1])


def arm_of(connection: Connection, subject: str) -> str | None:
    """Only for those who may know it."""
    return connection.execute(select(Allocation.arm).where(Allocation.subject == subject)).scalar()


def site_of(connection: Connection, subject: str) -> str | None:
    """None: no such patient."""
    return connection.execute(select(Patient.site).where(Patient.subject == subject)).scalar()


def subjects_like(connection: Connection, typed: str, sites: Collection[str] | None) -> list[str]:
    """The subject ids at these sites (None = all) that contain what was typed; the first fifty."""
    here = [] if sites is None else [Patient.site.in_(sites)]
    statement = select(Patient.subject).where(Patient.subject.icontains(typed, autoescape=True), *here)
    return list(connection.execute(statement.order_by(Patient.subject).limit(MOST_FOUND)).scalars())


def _visits(
    connection: Connection, protocol: Protocol, patient: Facts, texts: list[Text], now: datetime
) -> list[Visit]:
    mine = Assessment.subject == patient.subject
    counted = answered(connection, [mine])
    modes = connection.execute(
        select(Form.assessment, Form.mode).join(Assessment, Assessment.id == Form.assessment).where(mine)
    )
    mode_of = {row.assessment: row.mode for row in modes}
    randomised = patient.events.get(RANDOMISATION)
    planned = (mine, ~never_planned())
    rows = connection.execute(select(Assessment.__table__).where(*planned).order_by(Assessment.due_on, Assessment.id))
    visits = []
    for row in rows:
        baseline = protocol.visit(row.visit, row.schedule_version).baseline
        state = state_of(row, now, patient.enrolled_at, patient.ended_at)
        visits.append(
            Visit(
                code=row.visit,
                baseline=baseline,
                due_on=row.due_on,
                last_on=(row.closes_at - timedelta(microseconds=1)).astimezone(protocol.zone).date(),
                opens_at=row.opens_at,
                closes_at=row.closes_at,
                state=state,
                open=is_open(row, now) and patient.ended is None,
                started_at=row.started_at,
                completed_at=row.completed_at,
                after_randomisation=baseline
                and state == COMPLETED
                and randomised is not None
                and answered_after_randomisation(row.completed_at, randomised.on, protocol.zone),
                mode=mode_of.get(row.id),
                reason=row.reason,
                answered=counted.get(row.id, NOTHING),
                items=items_of(protocol, row.visit, row.schedule_version),
                texts=tuple(text for text in texts if text.visit == row.visit),
            )
        )
    return visits


def _recorded(connection: Connection, subject: str) -> list[Recorded]:
    columns = [PatientEvent.__table__.c[name] for name in Recorded.__dataclass_fields__]
    rows = connection.execute(select(*columns).where(PatientEvent.subject == subject).order_by(PatientEvent.id.desc()))
    return [Recorded(**row._mapping) for row in rows]
