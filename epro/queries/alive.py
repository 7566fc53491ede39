"""Of whom must somebody say that she is alive, before a text goes to her?"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, or_, select
from sqlalchemy.orm import aliased

from epro.protocol import Protocol
from epro.store import facts, people
from epro.store.models import Assessment, Patient, PatientEvent
from scheduler import arrows
from scheduler.tables import message

AHEAD = timedelta(days=7)  # so long before a text the nurse is asked
MOST, MOST_LOOKED_AT, MOST_TEXTS = 20, 30, 100  # patients that are listed, or judged; their texts that are read
STUCK = (arrows.WITHHELD, arrows.NOT_SENDABLE)


@dataclass(frozen=True)
class Silent:
    """A patient of whom nothing has been heard for too long.

    send_at: when the first text goes or should have gone; waits: it does not go before somebody has confirmed.
    """

    subject: str
    site: str
    visit: str
    send_at: datetime
    last_sign_on: date
    waits: bool


def silent(
    connection: Connection, protocol: Protocol, now: datetime, *, sites: Collection[str] | None = None
) -> tuple[list[Silent], bool]:
    """The first patients of these sites (None = all) to whom a text is due within a week, and whether more may be."""
    rule = protocol.schedule.signs_of_life
    if rule is None:
        return [], False
    soon = now + AHEAD
    planned = and_(message.c.state == arrows.PLANNED, message.c.next_try_at <= soon)  # by the index of what is due
    asked = and_(or_(planned, message.c.state.in_(STUCK)), message.c.send_at <= soon, message.c.closes_at > now)
    here = [] if sites is None else [Patient.site.in_(sites)]
    columns = (message.c.subject, message.c.visit, message.c.send_at, Patient.site)
    joined = (
        select(*columns)
        .join(Patient, Patient.subject == message.c.subject)
        .where(asked, _not_heard_of(soon - timedelta(days=rule.days - 1)), *here)
    )
    in_order = joined.order_by(message.c.send_at, message.c.subject).limit(MOST_TEXTS)
    texts = connection.execute(in_order).all()
    of_each = {row.subject: row for row in reversed(texts)}  # her first
    first = {row.subject: row for row in sorted(of_each.values(), key=_due)[:MOST_LOOKED_AT]}
    found = []
    for subject, known in people.facts_of(connection, first).items():
        row, last_sign_on = first[subject], max(sign.on for sign in known.signs)
        on = max(known.day_of(row.send_at), known.day_of(now))
        if known.may_be_texted and (on - last_sign_on).days > rule.days:
            waits = rule.without == "hold"
            found.append(Silent(subject, row.site, row.visit, row.send_at, last_sign_on, waits))
    unread = len(texts) == MOST_TEXTS or len(of_each) > MOST_LOOKED_AT
    return sorted(found, key=_due)[:MOST], unread or len(found) > MOST


def _due(one: Any) -> tuple[datetime, str]:
    return one.send_at, one.subject


def _not_heard_of(since: datetime) -> ColumnElement[bool]:
    """That a patient was enrolled before this, and has not answered or given a sign after it: most fall away here."""
    answered = or_(Assessment.started_at > since, Assessment.completed_at > since)
    sign = (PatientEvent.kind.in_(facts.SIGNS_OF_LIFE), PatientEvent.happened_on > since.date())
    correcting = aliased(PatientEvent)
    same = (correcting.subject == PatientEvent.subject, correcting.corrects == PatientEvent.id)
    return and_(
        Patient.enrolled_at <= since,
        ~exists().where(Assessment.subject == Patient.subject, answered),
        ~exists().where(PatientEvent.subject == Patient.subject, *sign, ~exists().where(*same)),
    )
