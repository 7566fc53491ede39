"""What became of the texts whose outcome nobody knows?

An attempt whose lease has run out is looked into. No letter was ever written: planned again at once. Otherwise the
carrier is asked, some time after the hand-over: it has the text, or surely has not, or (twice, minutes apart) does not
list it, or cannot tell. Never is a text sent again blind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row, select

from scheduler import arrows
from scheduler.instants import utc
from scheduler.ports import Accepted, CannotTell, Carrier, Claimed, NotFound, Writer
from scheduler.settling import keep_open, settle_accepted, settle_unsent, settle_untold
from scheduler.tables import attempt, message

LOOKS_AT_ONCE = 50
BETWEEN_LOOKS = timedelta(minutes=5)
CANNOT_TELL_FOR = timedelta(hours=24)  # after which a carrier that does not answer is given up
RECEIPT_WITHIN = timedelta(hours=72)


@dataclass
class Reconciled:
    """What one look found, in texts."""

    accepted: int = 0
    planned_again: int = 0
    still_unknown: int = 0
    given_up: int = 0
    delivery_unknown: int = 0


def reconcile(
    engine: Engine, now: datetime, writer: Writer, carrier: Carrier, *, limit: int = LOOKS_AT_ONCE
) -> Reconciled:
    """Look into the attempts that should be settled by now, and stop waiting for receipts. Raises NaiveInstant."""
    now = utc(now)
    done = Reconciled()
    with engine.begin() as connection:
        open_attempts = _open_attempts(connection, now, limit)
        done.delivery_unknown = len(_stop_waiting(connection, now, limit))
    for row in open_attempts:
        _look_into(engine, now, writer, carrier, row, done)
    return done


def _open_attempts(connection: Connection, now: datetime, limit: int) -> Sequence[Row[Any]]:
    return connection.execute(
        select(message, attempt.c.n, attempt.c.token, attempt.c.claimed_at, attempt.c.not_found_at)
        .join(attempt, attempt.c.id == message.c.latest_attempt)
        .where(message.c.lease_until <= now)
        .order_by(message.c.lease_until, message.c.id)
        .limit(limit)
    ).all()


def _stop_waiting(connection: Connection, now: datetime, limit: int) -> list[int]:
    waiting = select(message.c.id).where(message.c.state == arrows.ACCEPTED, message.c.left_at <= now - RECEIPT_WITHIN)
    return arrows.stop_waiting(connection, connection.execute(waiting.limit(limit)).scalars().all(), now)


def _look_into(
    engine: Engine, now: datetime, writer: Writer, carrier: Carrier, row: Row[Any], done: Reconciled
) -> None:
    claimed = _claimed(row)
    trace = writer.trace(claimed)
    found = carrier.find(trace, claimed.token, claimed.claimed_at) if trace else NotFound(sure=True)
    with engine.begin() as connection:
        match found:
            case Accepted(ref):
                settle_accepted(connection, claimed, now, ref=ref, detail="found at the carrier")
                done.accepted += 1
            case NotFound(sure) if sure or _looked_before(row, now):
                detail = "unknown to the carrier" if trace else "no letter was written"
                settle_unsent(connection, claimed, now, next_try_at=now, detail=detail)
                done.planned_again += 1
            case CannotTell(for_now) if not for_now or now - claimed.claimed_at >= CANNOT_TELL_FOR:
                settle_untold(connection, claimed, now)
                done.given_up += 1
            case _:
                not_found_at = row.not_found_at or (now if isinstance(found, NotFound) else None)
                keep_open(connection, claimed, now, ask_at=now + BETWEEN_LOOKS, not_found_at=not_found_at)
                done.still_unknown += 1


def _looked_before(row: Row[Any], now: datetime) -> bool:
    return row.not_found_at is not None and now - row.not_found_at >= BETWEEN_LOOKS


def _claimed(row: Row[Any]) -> Claimed:
    return Claimed(
        id=row.id,
        key=row.key,
        subject=row.subject,
        visit=row.visit,
        step=row.step,
        channel=row.channel,
        version=row.schedule_version,
        expires_at=row.expires_at,
        attempt=row.latest_attempt,
        n=row.n,
        token=row.token,
        claimed_at=row.claimed_at,
    )
