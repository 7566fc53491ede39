"""How may a message go from one state to another?

Each arrow between two states is one function here, which writes one event for each message it moves; nothing else
writes `message.state`. An arrow takes only the messages that stand in its sources, so a race moves a message once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from scheduler.attempts import open_attempts
from scheduler.following import Arrow, add, follow, follow_each, follow_with_columns

PLANNED, CLAIMED, CANCELLED, SUPERSEDED = "planned", "claimed", "cancelled", "superseded"
EXPIRED, NOT_SENDABLE, WITHHELD, REFUSED = "expired", "not_sendable", "withheld", "refused"
UNKNOWN, GIVEN_UP, ACCEPTED, DELIVERED = "unknown", "given_up", "accepted", "delivered"
UNDELIVERED, DELIVERY_UNKNOWN = "undelivered", "delivery_unknown"

PUT_ASIDE = frozenset({CANCELLED, SUPERSEDED, EXPIRED, NOT_SENDABLE, WITHHELD})  # not sent, and could still be
STATES = PUT_ASIDE | {
    PLANNED,
    CLAIMED,
    REFUSED,
    UNKNOWN,
    GIVEN_UP,
    ACCEPTED,
    DELIVERED,
    UNDELIVERED,
    DELIVERY_UNKNOWN,
}

Row = Mapping[str, Any]  # column values of one message
SETTLED: dict[str, Any] = {"lease_owner": None, "lease_until": None}
NEVER_LEFT: dict[str, Any] = {**SETTLED, "left_at": None, "left_on": None}
TO_ACCEPTED = Arrow("accepted", PUT_ASIDE | {PLANNED, CLAIMED, UNKNOWN, GIVEN_UP}, ACCEPTED)


def plan_new(connection: Connection, rows: Sequence[Row], at: datetime) -> None:
    """Into the ledger: a text to be sent, or one that the rules leave no moment for (`state` says which)."""
    add(connection, rows, at)


def move(connection: Connection, rows: Sequence[Row], at: datetime) -> None:
    """planned → planned at another time; each row names its `id` and its new columns."""
    follow_with_columns(connection, Arrow("moved", frozenset({PLANNED}), PLANNED), rows, at)


def revive(connection: Connection, rows: Sequence[Row], at: datetime) -> None:
    """Put aside → planned: what had fallen away is wanted after all; never while an attempt is open."""
    arrow = Arrow("revived", PUT_ASIDE, PLANNED)
    follow_with_columns(connection, arrow, rows, at)


def cancel(connection: Connection, ids: Sequence[int], at: datetime, *, detail: str | None = None) -> list[int]:
    """planned → cancelled: nothing in the plan holds it any longer."""
    return follow(connection, Arrow("cancelled", frozenset({PLANNED}), CANCELLED), ids, at, detail=detail)


def supersede(connection: Connection, ids: Sequence[int], at: datetime) -> list[int]:
    """planned → superseded: a later step, or another text of the day, goes instead."""
    return follow(connection, Arrow("superseded", frozenset({PLANNED}), SUPERSEDED), ids, at)


def expire(connection: Connection, ids: Sequence[int], at: datetime) -> list[int]:
    """planned → expired: it is too late."""
    return follow(connection, Arrow("expired", frozenset({PLANNED}), EXPIRED), ids, at)


def rule_out(connection: Connection, ids: Sequence[int], at: datetime) -> list[int]:
    """planned → not_sendable: the rules leave no moment for it."""
    return follow(connection, Arrow("not_sendable", frozenset({PLANNED}), NOT_SENDABLE), ids, at)


def claim(connection: Connection, rows: Sequence[Row], at: datetime) -> list[int]:
    """planned → claimed, with a new attempt each; the intent before the act. Returns the attempts' ids in order.

    Each row: id, n, token, lease_owner, lease_until, left_on. The caller holds the rows' locks.
    """
    if not rows:
        return []
    opened = [{"message": row["id"], "n": row["n"], "token": row["token"], "claimed_at": at} for row in rows]
    ids = open_attempts(connection, opened)
    attempts = [ids[row["token"]] for row in rows]
    columns = [
        {
            "id": row["id"],
            "attempts": row["n"],
            "latest_attempt": attempt,
            "lease_owner": row["lease_owner"],
            "lease_until": row["lease_until"],
            "left_at": at,
            "left_on": row["left_on"],
        }
        for row, attempt in zip(rows, attempts, strict=True)
    ]
    follow_with_columns(connection, Arrow("claimed", frozenset({PLANNED}), CLAIMED), columns, at)
    return attempts


def withhold(
    connection: Connection, ids: Sequence[int], at: datetime, *, attempt: int | None = None, detail: str
) -> list[int]:
    """claimed → withheld: stopped between claim and hand-over. The attempt stays open until it is surely settled."""
    arrow = Arrow("withheld", frozenset({CLAIMED}), WITHHELD)
    return follow(connection, arrow, ids, at, held_by=attempt, detail=detail)


def refuse(
    connection: Connection, ids: Sequence[int], at: datetime, *, attempt: int, code: int | None, detail: str
) -> list[int]:
    """claimed → refused, by the carrier and for good; a text withheld in flight was refused all the same."""
    arrow = Arrow("refused", frozenset({CLAIMED, WITHHELD}), REFUSED)
    return follow(connection, arrow, ids, at, held_by=attempt, code=code, detail=detail, **NEVER_LEFT)


def plan_again(
    connection: Connection,
    ids: Sequence[int],
    at: datetime,
    *,
    attempt: int,
    next_try_at: datetime,
    detail: str,
    code: int | None = None,
) -> list[int]:
    """claimed, unknown or undelivered → planned: surely not with the patient, and to be tried once more."""
    arrow = Arrow("planned_again", frozenset({CLAIMED, UNKNOWN, UNDELIVERED}), PLANNED)
    columns = {"next_try_at": next_try_at, **NEVER_LEFT}
    return follow(connection, arrow, ids, at, held_by=attempt, code=code, detail=detail, **columns)


def lose_sight(
    connection: Connection, ids: Sequence[int], at: datetime, *, attempt: int, code: int | None = None
) -> list[int]:
    """claimed → unknown: perhaps accepted, and never to be sent again blind."""
    return follow(connection, Arrow("unknown", frozenset({CLAIMED}), UNKNOWN), ids, at, held_by=attempt, code=code)


def give_up(connection: Connection, ids: Sequence[int], at: datetime, *, attempt: int) -> list[int]:
    """unknown → given_up: the carrier cannot tell; a person must."""
    return follow(connection, Arrow("given_up", frozenset({UNKNOWN}), GIVEN_UP), ids, at, held_by=attempt)


def accept(
    connection: Connection,
    ids: Sequence[int],
    at: datetime,
    *,
    attempt: int,
    detail: str,
    noted: Row | None = None,
) -> list[int]:
    """→ accepted: the carrier has it. A receipt or a look at its list may say so of a text believed unsent."""
    return follow(connection, TO_ACCEPTED, ids, at, attempt=attempt, detail=detail, noted=noted)


def accept_each(connection: Connection, attempts: Sequence[Row], at: datetime, *, detail: str) -> list[int]:
    """→ accepted, on PostgreSQL: each by itself, without waiting for the disk; as in `following.follow_each`."""
    return follow_each(connection, TO_ACCEPTED, attempts, at, detail=detail)


def deliver(connection: Connection, ids: Sequence[int], at: datetime, *, attempt: int) -> list[int]:
    """→ delivered, from wherever it was believed to be: a receipt may overtake everything else."""
    return follow(connection, Arrow("delivered", STATES - {DELIVERED}, DELIVERED), ids, at, attempt=attempt)


def fail_delivery(
    connection: Connection, ids: Sequence[int], at: datetime, *, attempt: int, code: int | None
) -> list[int]:
    """→ undelivered: accepted by the carrier, and it did not reach the phone."""
    sources = frozenset({CLAIMED, UNKNOWN, ACCEPTED, WITHHELD, GIVEN_UP, DELIVERY_UNKNOWN})
    return follow(connection, Arrow("undelivered", sources, UNDELIVERED), ids, at, held_by=attempt, code=code)


def stop_waiting(connection: Connection, ids: Sequence[int], at: datetime) -> list[int]:
    """accepted → delivery_unknown: no receipt came."""
    return follow(connection, Arrow("delivery_unknown", frozenset({ACCEPTED}), DELIVERY_UNKNOWN), ids, at)
