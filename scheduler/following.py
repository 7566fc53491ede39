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
    null,
    or_,
    select,
    true,
    update,
)
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
    at_leisure: bool = False,
    **columns: Any,
) -> list[int]:
    """Move the messages that stand in the arrow's sources; returns which did.

    held_by: moves only those whose latest attempt this is. attempt: the one to name in the event, whichever it is; it
    no longer holds its message. noted: what is noted on that attempt, whether a message moves or not. at_leisure: this
    may be lost, whole, if the database crashes before long, and its commit does not wait for the disk (PostgreSQL).
    """
    if not ids:
        return []
    told = {"at": at, "kind": arrow.kind, "attempt": held_by or attempt, "code": code, "detail": detail}
    values = {"ids": list(ids), **named("new", columns), **named("event", told)}
    moving = _moving(arrow, tuple(columns), held_by is not None, attempt is not None)
    if connection.dialect.name == "postgresql":
        with_notes = {**values, **named("noted", {"id": attempt, **(noted or {})})}
        return list(
            connection.execute(_moving_and_telling(moving, tuple(noted or ()), at_leisure), with_notes).scalars()
        )
    if noted and attempt:
        note(connection, attempt, **noted)
    moved = list(connection.execute(moving, values).scalars())
    _tell(connection, moved, told)
    return moved


@cache
def _moving(arrow: Arrow, columns: tuple[str, ...], is_held: bool, is_named: bool) -> ReturningUpdate[int]:
    """The update of `follow`, made once for each arrow: making it anew costs as much as carrying it out."""
    this = bindparam("event_attempt", type_=attempt.c.id.type)
    where = [message.c.id.in_(bindparam("ids", expanding=True)), _in_a_source(arrow)]
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
    if is_held:
        where.append(message.c.latest_attempt == this)
    if is_named:
        values |= {name: case((message.c.latest_attempt == this, null()), else_=message.c[name]) for name in LEASE}
    return update(message).where(*where).values(state=arrow.target, **values).returning(message.c.id)


@cache
def _moving_and_telling(
    moving: ReturningUpdate[int], noted: tuple[str, ...], at_leisure: bool
) -> ReturningInsert[tuple[Any, ...]]:
    """The update, its events and the notes as one statement: one way to the database and back."""
    telling = _telling(select(moving.cte("moved").c.id))
    if noted:
        telling = telling.add_cte(noting(noted).cte("noted"))
    without_the_disk = [func.set_config("synchronous_commit", "off", true())] if at_leisure else []  # this one time
    return telling.returning(message_event.c.message, *without_the_disk)


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


def _tell(connection: Connection, ids: Sequence[int], told: Row, **taken: ColumnElement[Any]) -> None:
    """One event for each of these messages; `taken` from the message are the columns that are not `told`."""
    if ids:
        these = select(message.c.id).where(message.c.id.in_(bindparam("ids", expanding=True))).order_by(message.c.id)
        blank = dict.fromkeys(TOLD)
        connection.execute(_telling(these, **taken), {"ids": list(ids), **named("event", {**blank, **told})})


def _telling(these: Select[int], **taken: ColumnElement[Any]) -> Insert:
    columns = [taken.get(name, bindparam(f"event_{name}", type_=message_event.c[name].type)) for name in TOLD]
    return insert(message_event).from_select(["message", *TOLD], these.add_columns(*columns))
