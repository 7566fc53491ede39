"""Whom do I call today?

Four lists: overdue (the window closes soonest first), due, unreachable, and done lately. Whatever the number of
patients, they are read in a constant number of statements.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from epro.protocol import Protocol
from epro.queries.answered import NOTHING, Answered, answered, items_of
from epro.queries.reach import Sending, sending_of, why_unreachable
from epro.store import facts
from epro.store.facts import Facts
from epro.store.models import Assessment, Patient
from scheduler.tables import attempt, message

LATELY = SOON = timedelta(days=14)
INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Row:
    """One assessment of one patient. `last_on` is the last day of its window; `days_left` 0 = it closes tonight."""

    subject: str
    site: str
    visit: str
    baseline: bool
    due_on: date
    last_on: date
    days_left: int
    opens_on: date
    opens_at: datetime
    closes_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    answered: Answered
    items: int
    sending: Sending


@dataclass(frozen=True)
class Unreachable:
    """A patient whom no text reaches, why, and the form that is open or comes next."""

    why: tuple[str, ...]
    form: Row


@dataclass(frozen=True)
class Worklist:
    overdue: tuple[Row, ...]
    due: tuple[Row, ...]
    unreachable: tuple[Unreachable, ...]
    done: tuple[Row, ...]
    paused: Mapping[str, date]  # patients whose texts rest, and until when


def worklist(
    connection: Connection,
    protocol: Protocol,
    now: datetime,
    *,
    sites: Collection[str] | None = None,
    visit: str | None = None,
) -> Worklist:
    """The lists of these sites (None = all), of one visit or of every one."""
    which = list(_listed(now, sites, visit))
    known = facts.facts_of(connection, connection.execute(_subjects(which)).scalars())
    rows = [row for row in _rows(connection, protocol, which, now) if row.completed_at or not known[row.subject].ended]
    today = _day(now, protocol)
    waiting = sorted((row for row in rows if row.completed_at is None), key=_urgency)
    is_open = [row for row in waiting if row.opens_at <= now]
    return Worklist(
        overdue=tuple(row for row in is_open if row.due_on < today),
        due=tuple(row for row in is_open if row.due_on >= today),
        unreachable=tuple(_unreachable(waiting, known)),
        done=tuple(sorted((row for row in rows if row.completed_at), key=_completed, reverse=True)),
        paused={subject: until for subject, one in known.items() if (until := one.paused_until(today))},
    )


def _listed(now: datetime, sites: Collection[str] | None, visit: str | None) -> Iterator[ColumnElement[bool]]:
    waits = and_(
        Assessment.completed_at.is_(None),
        Assessment.expected.is_(True),
        Assessment.closes_at > now,
        Assessment.opens_at <= now + SOON,
    )
    yield or_(waits, Assessment.completed_at > now - LATELY)
    if sites is not None:
        yield Patient.site.in_(sites)
    if visit is not None:
        yield Assessment.visit == visit


def _subjects(which: Sequence[ColumnElement[bool]]) -> Any:
    return select(Patient.subject).distinct().join(Assessment, Assessment.subject == Patient.subject).where(*which)


def _urgency(row: Row) -> tuple[datetime, bool, str]:
    return row.closes_at, not row.baseline, row.subject


def _completed(row: Row) -> tuple[datetime, str]:
    assert row.completed_at is not None
    return row.completed_at, row.subject


def _rows(
    connection: Connection, protocol: Protocol, which: Sequence[ColumnElement[bool]], now: datetime
) -> Iterator[Row]:
    counted = answered(connection, which)
    sendings = _sendings(connection, which)
    today = _day(now, protocol)
    found = connection.execute(
        select(Assessment.__table__, Patient.site).join(Patient, Patient.subject == Assessment.subject).where(*which)
    )
    for row in found:
        last_on = _day(row.closes_at - INSTANT, protocol)
        yield Row(
            subject=row.subject,
            site=row.site,
            visit=row.visit,
            baseline=protocol.visit(row.visit, row.schedule_version).baseline,
            due_on=row.due_on,
            last_on=last_on,
            days_left=(last_on - today).days,
            opens_on=_day(row.opens_at, protocol),
            opens_at=row.opens_at,
            closes_at=row.closes_at,
            started_at=row.started_at,
            completed_at=row.completed_at,
            answered=counted.get(row.id, NOTHING),
            items=items_of(protocol, row.visit, row.schedule_version),
            sending=sendings[row.subject, row.visit],
        )


def _sendings(connection: Connection, which: Sequence[ColumnElement[bool]]) -> dict[tuple[str, str], Sending]:
    """What has become of the texts of these assessments, in one statement."""
    tried = attempt.alias()
    here = and_(message.c.subject == Assessment.subject, message.c.visit == Assessment.visit)
    latest = attempt.c.id == select(func.max(tried.c.id)).where(tried.c.message == message.c.id).scalar_subquery()
    columns = [message.c[name] for name in ("subject", "visit", "state", "send_at", "left_at")]
    rows = connection.execute(
        select(*columns, attempt.c.code)
        .join(Assessment, here)
        .join(Patient, Patient.subject == Assessment.subject)
        .outerjoin(attempt, latest)
        .where(*which)
    )
    texts = defaultdict(list)
    for row in rows:
        texts[row.subject, row.visit].append(row)
    return defaultdict(Sending, {key: sending_of(rows) for key, rows in texts.items()})


def _unreachable(waiting: Sequence[Row], known: dict[str, Facts]) -> Iterator[Unreachable]:
    """Each patient once, with the form whose window closes first among those that no text reaches."""
    told = set()
    for row in waiting:
        why = why_unreachable(known[row.subject], row.sending, started=row.started_at is not None)
        if why and row.subject not in told:
            told.add(row.subject)
            yield Unreachable(why, row)


def _day(at: datetime, protocol: Protocol) -> date:
    return at.astimezone(protocol.zone).date()
