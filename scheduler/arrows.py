"""How may a message go from one state to another?

Each arrow between two states is one function here, which writes one event for each message it moves; nothing else
writes `message.state`. An arrow takes only the messages that stand in its sources, so a race moves a message once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    FromClause,
    Insert,
    Select,
    String,
    Table,
    Update,
    bindparam,
    case,
    cast,
    column,
    func,
    insert,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningInsert, ReturningUpdate

from scheduler.instants import utc
from scheduler.tables import attempt, message, message_event

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
TOLD = ("at", "kind", "attempt", "code", "detail")  # of an event


class Arrow(NamedTuple):
    kind: str  # of the event
    sources: frozenset[str]
    target: str


def plan_new(connection: Connection, rows: Sequence[Row], at: datetime) -> None:
    """Into the ledger: a text to be sent, or one that the rules leave no moment for (`state` says which)."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        values = {"rows": _as_json(rows), **_named("event", {**dict.fromkeys(TOLD), "at": at})}
        connection.execute(_adding_and_telling(tuple(rows[0])), values)
        return
    ids = connection.execute(insert(message).returning(message.c.id), [dict(row) for row in rows]).scalars()
    _tell(connection, list(ids), {"at": at}, kind=message.c.state)


def move(connection: Connection, rows: Sequence[Row], at: datetime) -> None:
    """planned → planned at another time; each row names its `id` and its new columns."""
    _follow_with_columns(connection, Arrow("moved", frozenset({PLANNED}), PLANNED), rows, at)


def revive(connection: Connection, rows: Sequence[Row], at: datetime) -> None:
    """Put aside → planned: what had fallen away is wanted after all; never while an attempt is open."""
    arrow = Arrow("revived", PUT_ASIDE, PLANNED)
    _follow_with_columns(connection, arrow, rows, at)


def cancel(connection: Connection, ids: Sequence[int], at: datetime, *, detail: str | None = None) -> list[int]:
    """planned → cancelled: nothing in the plan holds it any longer."""
    return _follow(connection, Arrow("cancelled", frozenset({PLANNED}), CANCELLED), ids, at, detail=detail)


def supersede(connection: Connection, ids: Sequence[int], at: datetime) -> list[int]:
    """planned → superseded: a later step, or another text of the day, goes instead."""
    return _follow(connection, Arrow("superseded", frozenset({PLANNED}), SUPERSEDED), ids, at)


def expire(connection: Connection, ids: Sequence[int], at: datetime) -> list[int]:
    """planned → expired: it is too late."""
    return _follow(connection, Arrow("expired", frozenset({PLANNED}), EXPIRED), ids, at)


def rule_out(connection: Connection, ids: Sequence[int], at: datetime) -> list[int]:
    """planned → not_sendable: the rules leave no moment for it."""
    return _follow(connection, Arrow("not_sendable", frozenset({PLANNED}), NOT_SENDABLE), ids, at)


def claim(connection: Connection, rows: Sequence[Row], at: datetime) -> list[int]:
    """planned → claimed, with a new attempt each; the intent before the act. Returns the attempts' ids in order.

    Each row: id, n, token, lease_owner, lease_until, left_on. The caller holds the rows' locks.
    """
    if not rows:
        return []
    opened = [{"message": row["id"], "n": row["n"], "token": row["token"], "claimed_at": at} for row in rows]
    ids = _open_attempts(connection, opened)
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
    _follow_with_columns(connection, Arrow("claimed", frozenset({PLANNED}), CLAIMED), columns, at)
    return attempts


def withhold(
    connection: Connection, ids: Sequence[int], at: datetime, *, attempt: int | None = None, detail: str
) -> list[int]:
    """claimed → withheld: stopped between claim and hand-over. The attempt stays open until it is surely settled."""
    arrow = Arrow("withheld", frozenset({CLAIMED}), WITHHELD)
    return _follow(connection, arrow, ids, at, held_by=attempt, detail=detail)


def refuse(
    connection: Connection, ids: Sequence[int], at: datetime, *, attempt: int, code: int | None, detail: str
) -> list[int]:
    """claimed → refused, by the carrier and for good; a text withheld in flight was refused all the same."""
    arrow = Arrow("refused", frozenset({CLAIMED, WITHHELD}), REFUSED)
    return _follow(connection, arrow, ids, at, held_by=attempt, code=code, detail=detail, **NEVER_LEFT)


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
    return _follow(connection, arrow, ids, at, held_by=attempt, code=code, detail=detail, **columns)


def lose_sight(
    connection: Connection, ids: Sequence[int], at: datetime, *, attempt: int, code: int | None = None
) -> list[int]:
    """claimed → unknown: perhaps accepted, and never to be sent again blind."""
    return _follow(connection, Arrow("unknown", frozenset({CLAIMED}), UNKNOWN), ids, at, held_by=attempt, code=code)


def give_up(connection: Connection, ids: Sequence[int], at: datetime, *, attempt: int) -> list[int]:
    """unknown → given_up: the carrier cannot tell; a person must."""
    return _follow(connection, Arrow("given_up", frozenset({UNKNOWN}), GIVEN_UP), ids, at, held_by=attempt)


def accept(connection: Connection, ids: Sequence[int], at: datetime, *, attempt: int, detail: str) -> list[int]:
    """→ accepted: the carrier has it. A receipt or a look at its list may say so of a text believed unsent."""
    sources = PUT_ASIDE | {PLANNED, CLAIMED, UNKNOWN, GIVEN_UP}
    return _follow(connection, Arrow("accepted", sources, ACCEPTED), ids, at, attempt=attempt, detail=detail)


def deliver(connection: Connection, ids: Sequence[int], at: datetime, *, attempt: int) -> list[int]:
    """→ delivered, from wherever it was believed to be: a receipt may overtake everything else."""
    return _follow(connection, Arrow("delivered", STATES - {DELIVERED}, DELIVERED), ids, at, attempt=attempt)


def fail_delivery(
    connection: Connection, ids: Sequence[int], at: datetime, *, attempt: int, code: int | None
) -> list[int]:
    """→ undelivered: accepted by the carrier, and it did not reach the phone."""
    sources = frozenset({CLAIMED, UNKNOWN, ACCEPTED, WITHHELD, GIVEN_UP, DELIVERY_UNKNOWN})
    return _follow(connection, Arrow("undelivered", sources, UNDELIVERED), ids, at, held_by=attempt, code=code)


def stop_waiting(connection: Connection, ids: Sequence[int], at: datetime) -> list[int]:
    """accepted → delivery_unknown: no receipt came."""
    return _follow(connection, Arrow("delivery_unknown", frozenset({ACCEPTED}), DELIVERY_UNKNOWN), ids, at)


def _open_attempts(connection: Connection, opened: Sequence[Row]) -> dict[str, int]:
    """New attempts; token → id."""
    if connection.dialect.name == "postgresql":
        new = connection.execute(_opening(tuple(opened[0])), {"rows": _as_json(opened)})
    else:
        new = connection.execute(
            insert(attempt).returning(attempt.c.token, attempt.c.id), [dict(row) for row in opened]
        )
    return {row.token: row.id for row in new}


@cache
def _opening(columns: tuple[str, ...]) -> ReturningInsert[str, int]:
    rows = select(_rows(attempt, columns))
    return insert(attempt).from_select(columns, rows).returning(attempt.c.token, attempt.c.id)


def _follow(
    connection: Connection,
    arrow: Arrow,
    ids: Sequence[int],
    at: datetime,
    *,
    held_by: int | None = None,
    attempt: int | None = None,
    code: int | None = None,
    detail: str | None = None,
    **columns: Any,
) -> list[int]:
    """Move the messages that stand in the arrow's sources; returns which did.

    held_by: moves only those whose latest attempt this is. attempt: the one to name in the event, whichever it is; it
    no longer holds its message.
    """
    if not ids:
        return []
    told = {"at": at, "kind": arrow.kind, "attempt": held_by or attempt, "code": code, "detail": detail}
    values = {"ids": list(ids), **_named("new", columns), **_named("event", told)}
    moving = _moving(arrow, tuple(columns), held_by is not None, attempt is not None)
    if connection.dialect.name == "postgresql":
        return list(connection.execute(_moving_and_telling(moving), values).scalars())
    moved = list(connection.execute(moving, values).scalars())
    _tell(connection, moved, told)
    return moved


@cache
def _moving(arrow: Arrow, columns: tuple[str, ...], is_held: bool, is_named: bool) -> ReturningUpdate[int]:
    """The update of `_follow`, made once for each arrow: making it anew costs as much as carrying it out."""
    this = bindparam("event_attempt", type_=attempt.c.id.type)
    where = [message.c.id.in_(bindparam("ids", expanding=True)), _in_a_source(arrow)]
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
    if is_held:
        where.append(message.c.latest_attempt == this)
    if is_named:
        values |= {name: case((message.c.latest_attempt == this, null()), else_=message.c[name]) for name in SETTLED}
    return update(message).where(*where).values(state=arrow.target, **values).returning(message.c.id)


@cache
def _moving_and_telling(moving: ReturningUpdate[int]) -> ReturningInsert[int]:
    """The update and its events as one statement, where the database can: one way to it and back."""
    moved = moving.cte("moved")
    return _telling(select(moved.c.id)).returning(message_event.c.message)


@cache
def _adding_and_telling(columns: tuple[str, ...]) -> Insert:
    new = _rows(message, columns)
    added = insert(message).from_select(columns, select(new)).returning(message.c.id, message.c.state).cte("added")
    return _telling(select(added.c.id), kind=added.c.state)


def _follow_with_columns(connection: Connection, arrow: Arrow, rows: Sequence[Row], at: datetime) -> None:
    """The same where each row brings its own columns; its caller has locked the rows and read their states."""
    if not rows:
        return
    columns = tuple(rows[0])
    told = {"at": at, "kind": arrow.kind}
    if connection.dialect.name == "postgresql":
        values = {"rows": _as_json(rows), **_named("event", {**dict.fromkeys(TOLD), **told})}
        connection.execute(_moving_each_and_telling(arrow, columns), values)
        return
    connection.execute(_moving_each(arrow, columns), [_named("new", row) for row in rows])
    _tell(connection, [row["id"] for row in rows], told, **_attempt_of(message, columns))


@cache
def _moving_each_and_telling(arrow: Arrow, columns: tuple[str, ...]) -> Insert:
    new = _rows(message, columns)
    values: dict[str, Any] = {name: new.c[name] for name in columns if name != "id"}
    moving = update(message).where(message.c.id == new.c.id, _in_a_source(arrow)).values(state=arrow.target, **values)
    moved = moving.returning(message.c.id, message.c.latest_attempt).cte("moved")
    return _telling(select(moved.c.id), **_attempt_of(moved, columns))


def _attempt_of(moved: FromClause, columns: Sequence[str]) -> dict[str, ColumnElement[Any]]:
    """The attempt that an event names: the one that came with the columns, if one did."""
    return {"attempt": moved.c.latest_attempt} if "latest_attempt" in columns else {}


@cache
def _moving_each(arrow: Arrow, columns: tuple[str, ...]) -> Update:
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns if name != "id"}
    this = message.c.id == bindparam("new_id")
    return update(message).where(this, _in_a_source(arrow)).values(state=arrow.target, **values)


def _in_a_source(arrow: Arrow) -> ColumnElement[bool]:
    return or_(*(message.c.state == state for state in sorted(arrow.sources)))  # IN cannot be repeated


def _rows(table: Table, columns: Sequence[str]) -> FromClause:
    """Rows that come as one value, `rows`, however many they are: far faster than a value for each cell."""
    typed = [column(name, table.c[name].type) for name in columns]
    given = cast(bindparam("rows", type_=String), JSON)
    return func.json_to_recordset(given).table_valued(*typed).render_derived(name="new", with_types=True)


def _as_json(rows: Sequence[Row]) -> str:
    return json.dumps([dict(row) for row in rows], default=_in_words)


def _in_words(value: date | time) -> str:
    return utc(value).isoformat() if isinstance(value, datetime) else value.isoformat()


def _named(prefix: str, values: Row) -> dict[str, Any]:
    return {f"{prefix}_{name}": value for name, value in values.items()}


def _tell(connection: Connection, ids: Sequence[int], told: Row, **taken: ColumnElement[Any]) -> None:
    """One event for each of these messages; `taken` from the message are the columns that are not `told`."""
    if ids:
        these = select(message.c.id).where(message.c.id.in_(bindparam("ids", expanding=True))).order_by(message.c.id)
        blank = dict.fromkeys(TOLD)
        connection.execute(_telling(these, **taken), {"ids": list(ids), **_named("event", {**blank, **told})})


def _telling(these: Select[int], **taken: ColumnElement[Any]) -> Insert:
    columns = [taken.get(name, bindparam(f"event_{name}", type_=message_event.c[name].type)) for name in TOLD]
    return insert(message_event).from_select(["message", *TOLD], these.add_columns(*columns))
