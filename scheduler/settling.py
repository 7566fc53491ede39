"""What is written when the outcome of an attempt is known, or when it is known that it cannot be?

An attempt is open from its claim until it is settled; while it is open its message keeps a lease, and `reconciling`
asks the carrier when that runs out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, update

from scheduler import arrows
from scheduler.attempts import note
from scheduler.outcomes import may_try_again, wait_before
from scheduler.ports import Claimed, Refused, Unknown, Writer
from scheduler.tables import message

ASK_AFTER = timedelta(minutes=2)  # a carrier lists what it accepted some time later
NOT_WITH_THE_CARRIER = ("refused", "not_sent")


def settle(connection: Connection, writer: Writer, claimed: Claimed, outcome: Refused | Unknown, now: datetime) -> None:
    """Record a carrier's reply that is no acceptance, in the caller's transaction.

    The writer comes first: what it does about the patient locks her before her texts, as every other act does.
    """
    writer.settled(connection, claimed, outcome, now)
    if isinstance(outcome, Refused):
        _settle_refused(connection, claimed, outcome, now)
    else:
        keep_open(connection, claimed, now, ask_at=now + ASK_AFTER, code=outcome.code)


def settle_accepted(connection: Connection, claimed: Claimed, now: datetime, *, ref: str | None, detail: str) -> None:
    """Record that the carrier has the text, in the caller's transaction."""
    noted = {"outcome": arrows.ACCEPTED, "carrier_ref": ref}
    moved = arrows.accept(connection, [claimed.id], now, attempt=claimed.attempt, detail=detail, noted=noted)
    if not moved:
        _let_go(connection, claimed)


def settle_accepted_each(
    connection: Connection, accepted: Sequence[tuple[Claimed, str | None]], now: datetime, *, detail: str
) -> None:
    """The same for many with the carrier's references, each in a transaction by itself.

    connection: in no transaction; on PostgreSQL in autocommit, and nothing waits for the disk.
    """
    if connection.dialect.name != "postgresql":
        for claimed, ref in accepted:
            with connection.begin():
                settle_accepted(connection, claimed, now, ref=ref, detail=detail)
        return
    attempts = [
        {"id": claimed.attempt, "message": claimed.id, "outcome": arrows.ACCEPTED, "carrier_ref": ref}
        for claimed, ref in accepted
    ]
    moved = set(arrows.accept_each(connection, attempts, now, detail=detail))
    for claimed, _ in accepted:
        if claimed.id not in moved:
            with connection.begin():
                _let_go(connection, claimed)


def settle_unsent(
    connection: Connection, claimed: Claimed, now: datetime, *, next_try_at: datetime, detail: str
) -> None:
    """Surely not with the carrier: tried again, unless it was withheld meanwhile."""
    ids, attempt_id = [claimed.id], claimed.attempt
    moved = arrows.plan_again(connection, ids, now, attempt=attempt_id, next_try_at=next_try_at, detail=detail)
    close(connection, claimed, "not_sent", let_go=bool(moved))


def settle_withheld(connection: Connection, claimed: Claimed, why: str, now: datetime) -> None:
    """No letter was written: the facts of now do not hold this text."""
    arrows.withhold(connection, [claimed.id], now, attempt=claimed.attempt, detail=why)
    close(connection, claimed, "not_sent")


def settle_untold(connection: Connection, claimed: Claimed, now: datetime) -> None:
    """The carrier will never tell: a person must."""
    arrows.lose_sight(connection, [claimed.id], now, attempt=claimed.attempt)
    arrows.give_up(connection, [claimed.id], now, attempt=claimed.attempt)
    close(connection, claimed, "unknown")


def keep_open(
    connection: Connection,
    claimed: Claimed,
    now: datetime,
    *,
    ask_at: datetime,
    code: int | None = None,
    not_found_at: datetime | None = None,
) -> None:
    """Nobody knows yet: the carrier is asked then."""
    arrows.lose_sight(connection, [claimed.id], now, attempt=claimed.attempt, code=code)
    note(connection, claimed.attempt, outcome="unknown", not_found_at=not_found_at)
    connection.execute(update(message).where(*_held_by(claimed)).values(lease_until=ask_at))


def _settle_refused(connection: Connection, claimed: Claimed, refused: Refused, now: datetime) -> None:
    ids, attempt_id, code = [claimed.id], claimed.attempt, refused.code
    if may_try_again(refused, claimed.n):
        again_at = now + wait_before(claimed.n, claimed.key, refused)
        moved = arrows.plan_again(
            connection, ids, now, attempt=attempt_id, next_try_at=again_at, detail=refused.then, code=code
        )
    else:
        moved = arrows.refuse(connection, ids, now, attempt=attempt_id, code=code, detail=refused.then)
    close(connection, claimed, "refused", code=code, let_go=bool(moved))


def close(
    connection: Connection,
    claimed: Claimed,
    outcome: str,
    *,
    code: int | None = None,
    let_go: bool = False,
) -> None:
    """The attempt is settled, and no longer holds its message; one that was withheld and not sent has not left.

    let_go: an arrow has moved the message just now, and has seen to that.
    """
    note(connection, claimed.attempt, outcome=outcome, code=code)
    if let_go:
        return
    _let_go(connection, claimed)
    if outcome in NOT_WITH_THE_CARRIER:
        withheld = message.c.state == arrows.WITHHELD
        latest = message.c.latest_attempt == claimed.attempt
        connection.execute(
            update(message).where(message.c.id == claimed.id, latest, withheld).values(arrows.NEVER_LEFT)
        )


def _let_go(connection: Connection, claimed: Claimed) -> None:
    connection.execute(update(message).where(*_held_by(claimed)).values(arrows.SETTLED))


def _held_by(claimed: Claimed) -> tuple[ColumnElement[bool], ...]:
    """The message while this attempt is open."""
    return message.c.id == claimed.id, message.c.latest_attempt == claimed.attempt, message.c.lease_until.is_not(None)
