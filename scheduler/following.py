"""How does an arrow move its messages and tell of it, in as few ways to the database and back as it can?

For `scheduler.arrows` alone. PostgreSQL moves messages and writes their events in one statement; SQLite, which is no
way off, takes two. Each statement is made once and kept, since making it costs as much as carrying it out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Insert,
    Select,
    Update,
    bindparam,
    case,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg
from sqlalchemy.sql.dml import ReturningInsert, ReturningUpdate

from scheduler.attempts import note, noting
from scheduler.batches import as_json, named, rows_of
from scheduler.tables import attempt, message, message_event

Row = Mapping[str, Any]  # column values of one message
TOLD = ("at", "kind", "attempt", "code", "detail")  # of an event
LEASE = ("lease_owner", "lease_until")


class Arrow(NamedTuple):
    kind: str  # of the event
    sources: frozenset[str]
    target: str


def add(connection: Connection, rows: Sequence[Row], at: datetime) -> None:
    """New messages, each told of under the state it is added in."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        values = {"rows": as_json(rows), **named("event", {**dict.fromkeys(TOLD), "at": at})}
        connection.execute(_adding_and_telling(tuple(rows[0])), values)
        return
    ids = connection.execute(insert(message).returning(message.c.id), [dict(row) for row in rows]).scalars()
    _tell(connection, list(ids), {"at": at}, kind=message.c.state)


@cache
def _adding_and_telling(columns: tuple[str, ...]) -> Insert:
    new = rows_of(message, columns)
    added = insert(message).from_select(columns, select(new)).returning(message.c.id, message.c.state).cte("added")
    return _telling(select(added.c.id), kind=added.c.state)


def follow(
    connection: Connection,
    arrow: Arrow,
    ids: Sequence[int],
    at: datetime,
    *,
    held_by: int | None = None,
    attempt: int | None = None,
    code: int | None = None,
    detail: str | None = None,
    noted: Row | None = None,
    **columns: Any,
) -> list[int]:
    """Move the messages that stand in the arrow's sources; returns which did.

    held_by: moves only those whose latest attempt this is. attempt: the one to name in the event, whichever it is; it
    no longer holds its message. noted: what is noted on that attempt, whether a message moves or not.
    """
    if not ids:
        return []
    told = {"at": at, "kind": arrow.kind, "attempt": held_by or attempt, "code": code, "detail": detail}
    values = {"ids": list(ids), **named("new", columns), **named("event", told)}
    moving = _moving(arrow, tuple(columns), held_by is not None, attempt is not None)
    if connection.dialect.name == "postgresql":
        with_notes = {**values, **named("noted", {"id": attempt, **(noted or {})})}
        return list(connection.execute(_moving_and_telling(moving, tuple(noted or ())), with_notes).scalars())
    if noted and attempt:
        note(connection, attempt, **noted)
    moved = list(connection.execute(moving, values).scalars())
    _tell(connection, moved, told)
    return moved


def follow_each(
    connection: Connection, arrow: Arrow, attempts: Sequence[Row], at: datetime, *, detail: str
) -> list[int]:
    """The same for one message of each of these attempts, on PostgreSQL alone: each in a transaction by itself.

    All are on their way before the first reply is read, and by the driver itself: what SQLAlchemy does for a
    statement costs more than the database's work on it. No commit waits for the disk: what it wrote may be lost, whole,
    if the database crashes before long.

    connection: of an engine in autocommit. Each row: message, id (of the attempt), and what is noted on the attempt.
    """
    told = named("event", {"at": at, "kind": arrow.kind, "code": None, "detail": detail})
    columns = tuple(name for name in attempts[0] if name not in {"id", "message"}) if attempts else ()
    statement, fixed = _one_by_itself(arrow, columns)
    driver: Any = connection.connection.driver_connection
    sent = []
    with driver.pipeline() as pipeline:
        for row in attempts:
            values = {**fixed, **told, **named("noted", row), "event_attempt": row["id"], "id": row["message"]}
            sent.append(driver.execute(statement, values, prepare=True))
            pipeline.sync()  # its transaction ends here
    return [moved[0] for cursor in sent for moved in cursor]


@cache
def _one_by_itself(arrow: Arrow, noted: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    """The statement of `follow_each` in the driver's words, and the values that never differ."""
    moving = _moving(arrow, (), is_held=False, is_named=True, is_one=True)
    without_the_disk = func.set_config("synchronous_commit", "off", true())  # this one time
    statement = _moving_and_telling(moving, noted).returning(without_the_disk)
    compiled = statement.compile(dialect=psycopg())  # type: ignore[no-untyped-call]
    return str(compiled), {name: value for name, value in compiled.params.items() if value is not None}


@cache
def _moving(
    arrow: Arrow, columns: tuple[str, ...], is_held: bool, is_named: bool, is_one: bool = False
) -> ReturningUpdate[int]:
    """The update of `follow`, made once for each arrow: making it anew costs as much as carrying it out."""
    this = bindparam("event_attempt", type_=attempt.c.id.type)
    these = message.c.id == bindparam("id") if is_one else message.c.id.in_(bindparam("ids", expanding=True))
    where = [these, _in_a_source(arrow)]
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
    if is_held:
        where.append(message.c.latest_attempt == this)
    if is_named:
        values |= {name: case((message.c.latest_attempt == this, null()), else_=message.c[name]) for name in LEASE}
    return update(message).where(*where).values(state=arrow.target, **values).returning(message.c.id)


@cache
def _moving_and_telling(moving: ReturningUpdate[int], noted: tuple[str, ...]) -> ReturningInsert[tuple[Any, ...]]:
    """The update, its events and the notes as one statement: one way to the database and back."""
    telling = _telling(select(moving.cte("moved").c.id))
    if noted:
        telling = telling.add_cte(noting(noted).cte("noted"))
    return telling.returning(message_event.c.message)


def follow_with_columns(connection: Connection, arrow: Arrow, rows: Sequence[Row], at: datetime) -> None:
    """The same where each row brings its own columns; its caller has locked the rows and read their states."""
    if not rows:
        return
    columns = tuple(rows[0])
    told = {"at": at, "kind": arrow.kind}
    if connection.dialect.name == "postgresql":
        values = {"rows": as_json(rows), **named("event", {**dict.fromkeys(TOLD), **told})}
        connection.execute(_moving_each_and_telling(arrow, columns), values)
        return
    connection.execute(_moving_each(arrow, columns), [named("new", row) for row in rows])
    _tell(connection, [row["id"] for row in rows], told, **_attempt_of(message, columns))


@cache
def _moving_each_and_telling(arrow: Arrow, columns: tuple[str, ...]) -> Insert:
    new = rows_of(message, columns)
    values: dict[str, Any] = {name: new.c[name] for name in columns if name != "id"}
    each = message.c.id == new.c.id
    moving = update(message).where(each, _in_a_source(arrow, by_index=False)).values(state=arrow.target, **values)
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


def _in_a_source(arrow: Arrow, *, by_index: bool = True) -> ColumnElement[bool]:
    """by_index=False: so that PostgreSQL looks up each row by its id, and never every planned text by its state.

    That is what it does with a table that it has not analysed yet, however few the rows are.
    """
    state = message.c.state if by_index else message.c.state + literal("")
    return or_(*(state == source for source in sorted(arrow.sources)))  # IN cannot be repeated


def _tell(connection: Connection, ids: Sequence[int], told: Row, **taken: ColumnElement[Any]) -> None:
    """One event for each of these messages; `taken` from the message are the columns that are not `told`."""
    if ids:
        these = select(message.c.id).where(message.c.id.in_(bindparam("ids", expanding=True))).order_by(message.c.id)
        blank = dict.fromkeys(TOLD)
        connection.execute(_telling(these, **taken), {"ids": list(ids), **named("event", {**blank, **told})})


def _telling(these: Select[int], **taken: ColumnElement[Any]) -> Insert:
    columns = [taken.get(name, bindparam(f"event_{name}", type_=message_event.c[name].type)) for name in TOLD]
    return insert(message_event).from_select(["message", *TOLD], these.add_columns(*columns))
