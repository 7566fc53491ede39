"""What stands in a nurse's calendar? The days of forms that are still to come in, by subject id alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, select

from epro.protocol import Protocol
from epro.store import people
from epro.store.models import Assessment, Patient, User
from epro.store.planned import INSTANT

AHEAD = timedelta(days=120)
DUE, CLOSES = "due", "closes"


@dataclass(frozen=True)
class Day:
    """A day that matters of one form. kind: DUE, or CLOSES on the last day of its window."""

    on: date
    subject: str
    visit: str
    kind: str


@dataclass(frozen=True)
class Holder:
    """Whose calendar it is, with role and sites as they are now."""

    email: str
    role: str
    sites: tuple[str, ...]


def holder_of(connection: Connection, user: int) -> Holder | None:
    """None when the account is disabled."""
    columns = (User.email, User.role, User.sites)
    row = connection.execute(select(*columns).where(User.id == user, User.active.is_(True))).one_or_none()
    return Holder(row.email, row.role, tuple(row.sites)) if row else None


def agenda(connection: Connection, protocol: Protocol, now: datetime, *, sites: Collection[str]) -> list[Day]:
    """The days of these sites' forms whose window has not closed, four months ahead, in one statement."""
    waits = (
        Assessment.completed_at.is_(None),
        Assessment.reason.is_(None),
        Assessment.expected.is_(True),
        Assessment.closes_at > now,
        Assessment.opens_at <= now + AHEAD,
        Assessment.opens_at < Assessment.closes_at,
        ~people.has_ended(),
        Patient.site.in_(sites),
    )
    columns = (Assessment.subject, Assessment.visit, Assessment.due_on, Assessment.closes_at)
    joined = select(*columns).join(Patient, Patient.subject == Assessment.subject).where(*waits)
    found = []
    for row in connection.execute(joined.order_by(Assessment.due_on, Assessment.subject)):
        found.append(Day(row.due_on, row.subject, row.visit, DUE))
        last_on = (row.closes_at - INSTANT).astimezone(protocol.zone).date()
        found.append(Day(last_on, row.subject, row.visit, CLOSES))
    return found
