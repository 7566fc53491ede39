"""Every form of these sites, one line each: what has become of it?

In the words of a nurse: answered, answered in part, opened without an answer, sent and not opened, scheduled; or
missed, excused by death or withdrawal, or of a time before the system. Read in a constant number of statements.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, and_, func, select
from sqlalchemy.orm import InstrumentedAttribute

from epro.assessments import BEFORE_SYSTEM, COMPLETED, EXCUSED, MISSED, state_of
from epro.protocol import Protocol
from epro.queries.answered import NOTHING, answered
from epro.store.facts import DEATH, UNDONE, WITHDRAWAL
from epro.store.models import Assessment, Form, Patient, PatientEvent
from epro.store.planned import INSTANT
from scheduler.tables import message

ANSWERED, PARTLY, OPENED, SENT, SCHEDULED = "answered", "partly", "opened", "sent", "scheduled"
STATES = (ANSWERED, PARTLY, OPENED, SENT, SCHEDULED, MISSED, EXCUSED, BEFORE_SYSTEM)


@dataclass(frozen=True)
class Line:
    """One form of one patient at one visit. last_on: the last day of its window."""

    subject: str
    site: str
    visit: str
    due_on: date
    opens_on: date
    last_on: date
    state: str  # one of STATES
    reason: str | None
    mode: str | None
    texts: int
    completed_at: datetime | None


@dataclass(frozen=True)
class Wanted:
    """Which lines, in which order. Empty means every one. sort: a column; a minus before it turns it round."""

    site: str | None = None
    visit: str | None = None
    state: str | None = None
    sort: str = "last_on"


SORTS: Mapping[str, Callable[[Line], Any]] = {
    "subject": lambda line: line.subject,
    "site": lambda line: line.site,
    "visit": lambda line: line.due_on,
    "due_on": lambda line: line.due_on,
    "last_on": lambda line: line.last_on,
    "state": lambda line: STATES.index(line.state),
    "texts": lambda line: line.texts,
}
STORED: Mapping[str, InstrumentedAttribute[Any]] = {  # what the database can sort by
    "subject": Assessment.subject,
    "site": Patient.site,
    "visit": Assessment.due_on,
    "due_on": Assessment.due_on,
    "last_on": Assessment.closes_at,
}


def forms(
    connection: Connection, protocol: Protocol, now: datetime, wanted: Wanted, *, sites: Collection[str] | None
) -> list[Line]:
    """The lines of these sites (None = all) that are wanted, sorted, ties by subject and day."""
    return _sorted(_lines(connection, protocol, now, _here(wanted, sites)), wanted)


def first_forms(
    connection: Connection,
    protocol: Protocol,
    now: datetime,
    wanted: Wanted,
    *,
    sites: Collection[str] | None,
    most: int,
) -> tuple[list[Line], int]:
    """The first lines of the same list, and how many it has. Where the database can sort, no other line is read."""
    name, here = wanted.sort.removeprefix("-"), _here(wanted, sites)
    if wanted.state is not None or name not in STORED:
        lines = forms(connection, protocol, now, wanted, sites=sites)
        return lines[:most], len(lines)
    order = STORED[name].desc() if wanted.sort.startswith("-") else STORED[name]
    of_patient = Patient.subject == Assessment.subject
    count = connection.execute(select(func.count(Assessment.id)).join(Patient, of_patient).where(*here)).scalar_one()
    ids = select(Assessment.id).join(Patient, of_patient).where(*here)
    first = connection.execute(ids.order_by(order, Assessment.subject, Assessment.due_on).limit(most)).scalars().all()
    return _sorted(_lines(connection, protocol, now, [Assessment.id.in_(first)]), wanted), count


def _here(wanted: Wanted, sites: Collection[str] | None) -> list[ColumnElement[bool]]:
    here = [Assessment.opens_at < Assessment.closes_at]
    here += [] if sites is None else [Patient.site.in_(sites)]
    here += [Patient.site == wanted.site] if wanted.site else []
    here += [Assessment.visit == wanted.visit] if wanted.visit else []
    return here


def _sorted(lines: Iterable[Line], wanted: Wanted) -> list[Line]:
    in_state = [line for line in lines if wanted.state in (None, line.state)]
    in_state.sort(key=lambda line: (line.subject, line.due_on))
    return sorted(in_state, key=SORTS[wanted.sort.removeprefix("-")], reverse=wanted.sort.startswith("-"))


def _lines(
    connection: Connection, protocol: Protocol, now: datetime, here: list[ColumnElement[bool]]
) -> Iterator[Line]:
    ended = _ended(connection)
    texts = _texts_left(connection, here)
    begun = [*here, Assessment.started_at.is_not(None), Assessment.completed_at.is_(None)]
    given = answered(connection, begun)
    modes = _modes(connection, here)
    columns = (Patient.site, Patient.zone, Patient.enrolled_at)
    joined = select(Assessment.__table__, *columns).join(Patient, Patient.subject == Assessment.subject).where(*here)
    for row in connection.execute(joined):
        day = ended.get(row.subject)
        ended_at = datetime.combine(day, time(0), ZoneInfo(row.zone)).astimezone(UTC) if day else None
        left = texts.get((row.subject, row.visit), 0)
        yield Line(
            subject=row.subject,
            site=row.site,
            visit=row.visit,
            due_on=row.due_on,
            opens_on=row.opens_at.astimezone(protocol.zone).date(),
            last_on=(row.closes_at - INSTANT).astimezone(protocol.zone).date(),
            state=_state(row, state_of(row, now, row.enrolled_at, ended_at), given.get(row.id, NOTHING).answered, left),
            reason=row.reason,
            mode=modes.get(row.id),
            texts=left,
            completed_at=row.completed_at,
        )


def _state(row: Any, state: str, given: int, left: int) -> str:
    if state == COMPLETED:
        return ANSWERED
    if row.started_at is not None:
        return PARTLY if given else OPENED
    if state in (MISSED, EXCUSED, BEFORE_SYSTEM):
        return state
    return SENT if left else SCHEDULED


def _ended(connection: Connection) -> dict[str, date]:
    """subject → day of death or withdrawal, the earlier one"""
    undone = select(PatientEvent.corrects).where(PatientEvent.kind == UNDONE, PatientEvent.corrects.is_not(None))
    ends = (PatientEvent.kind.in_((DEATH, WITHDRAWAL)), PatientEvent.id.not_in(undone))
    days = select(PatientEvent.subject, func.min(PatientEvent.happened_on).label("on")).where(*ends)
    return {row.subject: row.on for row in connection.execute(days.group_by(PatientEvent.subject))}


def _texts_left(connection: Connection, here: list[ColumnElement[bool]]) -> dict[tuple[str, str], int]:
    of_form = and_(message.c.subject == Assessment.subject, message.c.visit == Assessment.visit)
    rows = connection.execute(
        select(message.c.subject, message.c.visit, func.count().label("n"))
        .join(Assessment, of_form)
        .join(Patient, Patient.subject == Assessment.subject)
        .where(message.c.left_at.is_not(None), *here)
        .group_by(message.c.subject, message.c.visit)
    )
    return {(row.subject, row.visit): row.n for row in rows}


def _modes(connection: Connection, here: list[ColumnElement[bool]]) -> dict[int, str]:
    rows = connection.execute(
        select(Form.assessment, func.max(Form.mode).label("mode"))
        .join(Assessment, Assessment.id == Form.assessment)
        .join(Patient, Patient.subject == Assessment.subject)
        .where(*here)
        .group_by(Form.assessment)
    )
    return {row.assessment: row.mode for row in rows}
