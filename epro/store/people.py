"""Which patients are there, what was recorded of them, and who else is about to write of them?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, exists, or_, select
from sqlalchemy.orm import InstrumentedAttribute, aliased

from epro.store.facts import DEATH, UNDONE, WITHDRAWAL, Facts, Happened, InUse
from epro.store.models import Assessment, Contact, Patient, PatientEvent


def facts_of(connection: Connection, subjects: Iterable[str] | None = None) -> dict[str, Facts]:
    """The facts of these patients (None = all), in four statements however many they are."""
    wanted = None if subjects is None else sorted(set(subjects))
    patients = connection.execute(select(Patient.__table__).where(*_among(Patient.subject, wanted))).all()
    standing = _standing(connection, wanted)
    contacts, reached_from = _contacts(connection, wanted)
    settled, answered_at = _answered(connection, wanted)
    return {
        row.subject: Facts(
            subject=row.subject,
            site=row.site,
            language=row.language,
            zone=row.zone,
            enrolled_at=row.enrolled_at,
            strata=row.strata,
            events={event.kind: event for event in standing[row.subject]},
            contacts=contacts.get(row.subject, {}),
            settled=frozenset(settled[row.subject]),
            standing=tuple(standing[row.subject]),
            reached_from=reached_from.get(row.subject),
            answered_at=tuple(answered_at[row.subject]),
        )
        for row in patients
    }


def has_ended() -> ColumnElement[bool]:
    """That a patient died or withdrew, as far as is known: the condition for statements about `Patient`."""
    undoing = aliased(PatientEvent)
    undone = exists().where(undoing.corrects == PatientEvent.id, undoing.kind == UNDONE)
    ends = (PatientEvent.subject == Patient.subject, PatientEvent.kind.in_((DEATH, WITHDRAWAL)))
    return exists().where(*ends, ~undone)


def those_ended() -> Select[str]:
    """The same as a list of patients, for statements about all of them."""
    undone = select(PatientEvent.corrects).where(PatientEvent.kind == UNDONE, PatientEvent.corrects.is_not(None))
    ends = (PatientEvent.kind.in_((DEATH, WITHDRAWAL)), PatientEvent.id.not_in(undone))
    return select(PatientEvent.subject).where(*ends).distinct()


def lock(connection: Connection, *subjects: str) -> None:
    """Hold patients until the end of the transaction, so that two plans of one patient are never written at once.

    Several in the order of their ids, so that two who hold some of the same never wait for each other.
    """
    these = select(Patient.subject).where(Patient.subject.in_(subjects)).order_by(Patient.subject)
    connection.execute(these.with_for_update())


def _standing(connection: Connection, wanted: Sequence[str] | None) -> dict[str, list[Happened]]:
    """Every event that was neither undone nor corrected. What corrected it may itself be undone: then it stands."""
    statement = select(PatientEvent.__table__).where(*_among(PatientEvent.subject, wanted)).order_by(PatientEvent.id)
    rows = connection.execute(statement).all()
    undone = {row.corrects for row in rows if row.kind == UNDONE}
    replaced = {row.corrects for row in rows if row.id not in undone}
    found: dict[str, list[Happened]] = defaultdict(list)
    for row in rows:
        if row.kind != UNDONE and row.id not in undone | replaced:
            event = Happened(row.id, row.kind, row.happened_on, row.reported_at, row.value, row.reason)
            found[row.subject].append(event)
    return found


def _contacts(
    connection: Connection, wanted: Sequence[str] | None
) -> tuple[dict[str, dict[str, InUse]], dict[str, datetime]]:
    """The addresses in use, by channel, and since when there has been any."""
    columns = (Contact.subject, Contact.kind, Contact.id, Contact.from_at, Contact.until_at)
    rows = connection.execute(select(*columns).where(*_among(Contact.subject, wanted)).order_by(Contact.id)).all()
    in_use: dict[str, dict[str, InUse]] = defaultdict(dict)
    for row in rows:
        if row.until_at is None:
            in_use[row.subject][row.kind] = InUse(row.id, row.from_at)
    return in_use, {row.subject: row.from_at for row in reversed(rows)}


def _answered(
    connection: Connection, wanted: Sequence[str] | None
) -> tuple[dict[str, set[str]], dict[str, list[datetime]]]:
    """The visits for which nothing more is sent, and when any was begun or submitted."""
    settled: dict[str, set[str]] = defaultdict(set)
    answered_at: dict[str, list[datetime]] = defaultdict(list)
    names = ("subject", "visit", "started_at", "completed_at", "reason")
    columns = [getattr(Assessment, name) for name in names]
    touched = or_(*(column.is_not(None) for column in columns[2:]))
    for row in connection.execute(select(*columns).where(touched, *_among(Assessment.subject, wanted))):
        if row.completed_at is not None or row.reason is not None:
            settled[row.subject].add(row.visit)
        answered_at[row.subject] += [at for at in (row.started_at, row.completed_at) if at is not None]
    return settled, answered_at


def _among(column: InstrumentedAttribute[str], wanted: Sequence[str] | None) -> list[ColumnElement[bool]]:
    return [] if wanted is None else [column.in_(wanted)]
