"""What does a carrier's receipt change? Receipts come late, doubled and out of order, and move a text forward only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select, update

from scheduler import arrows
from scheduler.instants import utc
from scheduler.outcomes import may_try_again, refusal_of, wait_before
from scheduler.ports import Receipt
from scheduler.tables import attempt, message

RANK = {"accepted": 1, "undelivered": 2, "delivered": 3}  # of what an attempt is known to have come to


def receive(connection: Connection, receipt: Receipt, now: datetime) -> str | None:
    """Record a receipt in the caller's transaction; returns the message's key, None when the receipt is not ours.

    A receipt alone settles an attempt whose reply was lost, and stops a second one that would follow.
    Raises NaiveInstant.
    """
    now = utc(now)
    row = _attempt_of(connection, receipt)
    if row is None:
        return None
    if _moves_forward(connection, row, receipt):
        _settle(connection, row, receipt, now)
    return str(row.key)


def _attempt_of(connection: Connection, receipt: Receipt) -> Row[Any] | None:
    if receipt.token:
        mine = attempt.c.token == receipt.token
    elif receipt.carrier_ref:
        mine = attempt.c.carrier_ref == receipt.carrier_ref
    else:
        return None
    columns = (message.c.key, message.c.latest_attempt, message.c.expires_at)
    return connection.execute(
        select(attempt, *columns)
        .join(message, message.c.id == attempt.c.message)
        .where(mine)
        .with_for_update(of=message)
    ).one_or_none()


def _moves_forward(connection: Connection, row: Row[Any], receipt: Receipt) -> bool:
    """Note it on the attempt, unless as much or more is known of it."""
    as_much = [outcome for outcome, rank in RANK.items() if rank >= RANK[receipt.status]]
    noted = connection.execute(
        update(attempt)
        .where(attempt.c.id == row.id, or_(attempt.c.outcome.is_(None), attempt.c.outcome.not_in(as_much)))
        .values(
            outcome=receipt.status,
            code=func.coalesce(receipt.code, attempt.c.code),
            carrier_ref=func.coalesce(receipt.carrier_ref, attempt.c.carrier_ref),
        )
    )
    return noted.rowcount == 1


def _settle(connection: Connection, row: Row[Any], receipt: Receipt, now: datetime) -> None:
    ids = [row.message]
    match receipt.status:
        case "delivered":
            moved = arrows.deliver(connection, ids, now, attempt=row.id)
        case "accepted":
            moved = arrows.accept(connection, ids, now, attempt=row.id, detail="receipt")
        case "undelivered":
            moved = arrows.fail_delivery(connection, ids, now, attempt=row.id, code=receipt.code)
    if moved:
        _it_left(connection, row)
    if moved and receipt.status == "undelivered":
        _try_again(connection, row, receipt, now)


def _it_left(connection: Connection, row: Row[Any]) -> None:
    """The message is no longer held by this attempt, and counts as having left when it was claimed."""
    this = message.c.id == row.message
    connection.execute(update(message).where(this, message.c.latest_attempt == row.id).values(arrows.SETTLED))
    connection.execute(update(message).where(this, message.c.left_at.is_(None)).values(left_at=row.claimed_at))


def _try_again(connection: Connection, row: Row[Any], receipt: Receipt, now: datetime) -> None:
    """A phone that was off may be tried later, as a new attempt, while there is time."""
    refused = refusal_of(receipt.code) if receipt.code is not None else None
    if refused is None or refused.then != "later" or not may_try_again(refused, row.n):
        return
    next_try_at = now + wait_before(row.n, row.key, refused)
    if next_try_at < row.expires_at:
        arrows.plan_again(
            connection,
            [row.message],
            now,
            next_try_at=next_try_at,
            detail=refused.then,
            attempt=row.id,
            code=receipt.code,
        )
