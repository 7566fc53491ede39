"""What does the ledger say: of one patient, of what is due next, of what needs a person?

Reading only; `scheduler.applying` and the arrows write. `metadata` holds the tables for whoever creates them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from sqlalchemy import Connection, bindparam, func, select

from scheduler import arrows
from scheduler.messages import Sent
from scheduler.ports import SMS, Receipt
from scheduler.tables import attempt, balance, heartbeat, message, message_event, metadata

__all__ = [
    "Event",
    "Health",
    "Text",
    "events",
    "health",
    "histories",
    "history",
    "keys_of_attempts",
    "last_texted",
    "latest_states",
    "metadata",
    "next_due",
    "next_text_at",
    "rows",
    "subject_of",
]
NEEDS_A_PERSON = (arrows.REFUSED, arrows.UNKNOWN, arrows.GIVEN_UP, arrows.UNDELIVERED, arrows.NOT_SENDABLE)

LEFT = (
    select(message.c.subject, message.c.key, message.c.left_at, message.c.state)
    .where(message.c.subject.in_(bindparam("subjects", expanding=True)), message.c.left_at.is_not(None))
    .order_by(message.c.left_at, message.c.id)
)


@dataclass(frozen=True, slots=True)
class Text:
    """One text as a page shows it. `code` is the carrier's on the latest attempt."""

    key: str
    visit: str
    step: str
    channel: str
    state: str
    schedule_version: int
    send_at: datetime | None
    send_on: date
    send_time: time
    zone: str
    expires_at: datetime
    left_at: datetime | None
    attempts: int
    code: int | None


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to one text."""

    key: str
    at: datetime
    kind: str
    code: int | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class Left:
    """What was left on the account with the carrier of texts, when it last said so."""

    at: datetime
    amount: str
    currency: str


@dataclass(frozen=True, slots=True)
class Health:
    """What tells that sending works, or that it does not."""

    last_tick_at: datetime | None
    last_error: str | None
    oldest_due_at: datetime | None  # of the texts that should have been looked at by now
    counts: dict[str, int]  # state → texts, of the states that need a person
    left: Left | None = None  # on the account; None where no carrier has said so


def history(connection: Connection, subject: str) -> list[Sent]:
    """What left to this patient, may have left, or is about to."""
    return histories(connection, [subject])[subject]


def histories(connection: Connection, subjects: Iterable[str]) -> dict[str, list[Sent]]:
    """The same for many, in one statement; a patient who was sent nothing has an empty list."""
    found: dict[str, list[Sent]] = {subject: [] for subject in subjects}
    for subject, key, left_at, state in connection.execute(LEFT, {"subjects": list(found)}):
        sent = Sent(key, left_at, leaving=state == arrows.CLAIMED, failed=state == arrows.UNDELIVERED)
        found[subject].append(sent)
    return found


def rows(connection: Connection, subject: str) -> list[Text]:
    """Every text of a patient, by the day it is or was meant for."""
    latest = (attempt.c.message == message.c.id) & (attempt.c.n == message.c.attempts)
    names = [name for name in Text.__dataclass_fields__ if name != "code"]
    statement = (
        select(*(message.c[name] for name in names), attempt.c.code)
        .outerjoin(attempt, latest)
        .where(message.c.subject == subject)
        .order_by(message.c.send_on, message.c.send_time, message.c.id)
    )
    return [Text(**row._mapping) for row in connection.execute(statement)]


def events(connection: Connection, subject: str) -> list[Event]:
    """Everything that happened to a patient's texts, oldest first."""
    columns = (message_event.c.at, message_event.c.kind, message_event.c.code, message_event.c.detail)
    statement = (
        select(message.c.key, *columns)
        .join(message, message.c.id == message_event.c.message)
        .where(message.c.subject == subject)
        .order_by(message_event.c.id)
    )
    return [Event(**row._mapping) for row in connection.execute(statement)]


def next_due(connection: Connection) -> datetime | None:
    """When the next planned text is looked at; None when nothing is planned."""
    statement = select(message.c.next_try_at).where(message.c.state == arrows.PLANNED)
    due_at: datetime | None = connection.execute(statement.order_by(message.c.next_try_at).limit(1)).scalar()
    return due_at


def next_text_at(connection: Connection, subject: str) -> datetime | None:
    """When this patient's next text is planned for; None when none is."""
    planned = (message.c.subject == subject) & (message.c.state == arrows.PLANNED)
    send_at: datetime | None = connection.execute(select(func.min(message.c.send_at)).where(planned)).scalar()
    return send_at


def latest_states(connection: Connection, subject: str, channel: str, *, since: datetime, n: int) -> list[str]:
    """Where the latest `n` texts stand that left by this channel since then, the latest first."""
    left = (message.c.subject == subject) & (message.c.channel == channel) & (message.c.left_at >= since)
    statement = select(message.c.state).where(left).order_by(message.c.left_at.desc(), message.c.id.desc())
    return list(connection.execute(statement.limit(n)).scalars())


def last_texted(connection: Connection, subjects: Sequence[str], channel: str) -> str | None:
    """The one of these patients whose text left last by this channel; None when none has left."""
    left = message.c.subject.in_(subjects) & (message.c.channel == channel) & message.c.left_at.is_not(None)
    statement = select(message.c.subject).where(left).order_by(message.c.left_at.desc(), message.c.id.desc())
    subject: str | None = connection.execute(statement.limit(1)).scalar()
    return subject


def subject_of(connection: Connection, receipt: Receipt) -> str | None:
    """Whose text a receipt speaks of; None when it is not ours."""
    mine = attempt.c.token == receipt.token if receipt.token else attempt.c.carrier_ref == receipt.carrier_ref
    statement = select(message.c.subject).join(attempt, attempt.c.message == message.c.id).where(mine)
    subject: str | None = connection.execute(statement.limit(1)).scalar()
    return subject


def keys_of_attempts(connection: Connection, tokens: Sequence[str]) -> dict[str, str]:
    """The message key of each attempt token that is known."""
    statement = (
        select(attempt.c.token, message.c.key)
        .join(message, message.c.id == attempt.c.message)
        .where(attempt.c.token.in_(tokens))
    )
    return {row.token: row.key for row in connection.execute(statement)}


def health(connection: Connection, now: datetime) -> Health:
    """The clock's last word, the oldest text that is overdue, and how many texts wait for a person."""
    beat = connection.execute(
        select(heartbeat.c.at, heartbeat.c.last_error).order_by(heartbeat.c.at.desc()).limit(1)
    ).one_or_none()
    due_at = next_due(connection)
    counted = connection.execute(
        select(message.c.state, func.count().label("n"))
        .where(message.c.state.in_(NEEDS_A_PERSON))
        .group_by(message.c.state)
    )
    counts = {row.state: row.n for row in counted}
    return Health(
        last_tick_at=beat.at if beat else None,
        last_error=beat.last_error if beat else None,
        oldest_due_at=due_at if due_at is not None and due_at <= now else None,
        counts={state: counts.get(state, 0) for state in NEEDS_A_PERSON},
        left=_left(connection),
    )


def _left(connection: Connection) -> Left | None:
    columns = (balance.c.at, balance.c.amount, balance.c.currency)
    row = connection.execute(select(*columns).where(balance.c.channel == SMS)).one_or_none()
    return Left(*row) if row else None
