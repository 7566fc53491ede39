"""The ledger is older than the world: which texts left since it was saved, and which of them can nobody tell?

A ledger that comes back from a backup believes that everything after the backup is still to be sent. The carrier is
asked for what it took since then; what it names is recorded as left, and never sent again.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, update

from scheduler import arrows
from scheduler.claiming import TOKEN_BYTES
from scheduler.hours import local_date
from scheduler.instants import utc
from scheduler.ports import CHANNELS
from scheduler.tables import attempt, message

CLOCKS_DIFFER_BY = timedelta(minutes=5)
IN_QUESTION = (arrows.PLANNED, arrows.CLAIMED, arrows.UNKNOWN)


def knows(connection: Connection, ref: str) -> bool:
    """Whether the ledger has the outcome of a text, by the carrier's reference."""
    return connection.execute(select(attempt.c.id).where(attempt.c.carrier_ref == ref)).first() is not None


def record_as_left(connection: Connection, subjects: Iterable[str], at: datetime, ref: str | None) -> str | None:
    """Of the texts of these patients, the one that was due when this one left is accepted, as of then.

    Returns its key; None where no text of theirs was due: a person must look. Raises NaiveInstant.
    """
    at = utc(at)
    due = connection.execute(
        select(message)
        .where(
            message.c.subject.in_(list(subjects)),
            message.c.state.in_(IN_QUESTION),
            message.c.send_at <= at + CLOCKS_DIFFER_BY,
            message.c.expires_at > at - CLOCKS_DIFFER_BY,
        )
        .order_by(message.c.send_at.desc(), message.c.position.desc())
        .with_for_update()
    ).all()
    free = (row for row in due if row.state != arrows.PLANNED or not _left_on(connection, row, at))
    row = next(free, None)
    if row is None:
        return None
    latest = row.latest_attempt if row.state != arrows.PLANNED else _claim(connection, row, at)
    arrows.accept(connection, [row.id], at, attempt=latest, detail="found at the carrier after a restore")
    connection.execute(update(attempt).where(attempt.c.id == latest).values(outcome="accepted", carrier_ref=ref))
    connection.execute(update(message).where(message.c.id == row.id).values(arrows.SETTLED))
    key: str = row.key
    return key


def give_up_between(
    connection: Connection, since: datetime, until: datetime, channels: Collection[str] = CHANNELS
) -> list[str]:
    """Nobody can tell of the texts that were due in between by these channels: they count as sent, and are a person's.

    Returns their keys. At most one of a patient's day: the others had given way to it. Raises NaiveInstant.
    """
    since, until = utc(since), utc(until)
    due = connection.execute(
        select(message)
        .where(
            message.c.state.in_(IN_QUESTION),
            message.c.channel.in_(channels),
            message.c.send_at.between(since - CLOCKS_DIFFER_BY, until),
        )
        .order_by(message.c.send_at.desc(), message.c.position.desc())
        .with_for_update()
    ).all()
    return [row.key for row in due if _give_up(connection, row)]


def _give_up(connection: Connection, row: Row[Any]) -> bool:
    latest = row.latest_attempt
    if row.state == arrows.PLANNED:
        if _left_on(connection, row, row.send_at):
            return False
        latest = _claim(connection, row, row.send_at)
    arrows.lose_sight(connection, [row.id], row.send_at, attempt=latest)
    arrows.give_up(connection, [row.id], row.send_at, attempt=latest)
    connection.execute(update(attempt).where(attempt.c.id == latest).values(outcome="unknown"))
    connection.execute(update(message).where(message.c.id == row.id).values(arrows.SETTLED))
    return True


def _claim(connection: Connection, row: Row[Any], at: datetime) -> int:
    """The attempt that the backup does not hold."""
    claim = {
        "id": row.id,
        "n": row.attempts + 1,
        "token": secrets.token_hex(TOKEN_BYTES),
        "lease_owner": None,
        "lease_until": None,
        "left_on": local_date(at, row.zone),
    }
    (latest,) = arrows.claim(connection, [claim], at)
    return latest


def _left_on(connection: Connection, row: Row[Any], at: datetime) -> bool:
    """Whether another text of this patient has left on that day."""
    same_day = (message.c.subject == row.subject, message.c.left_on == local_date(at, row.zone))
    return connection.execute(select(message.c.id).where(*same_day)).first() is not None
