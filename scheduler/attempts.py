"""What is kept of each hand-over to a carrier?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Update, bindparam, insert, or_, select, update
from sqlalchemy.sql.dml import ReturningInsert

from scheduler.batches import Row, as_json, named, rows_of
from scheduler.tables import attempt


def open_attempts(connection: Connection, opened: Sequence[Row]) -> dict[str, int]:
    """New attempts; token → id."""
    if connection.dialect.name == "postgresql":
        new = connection.execute(_opening(tuple(opened[0])), {"rows": as_json(opened)})
    else:
        new = connection.execute(
            insert(attempt).returning(attempt.c.token, attempt.c.id), [dict(row) for row in opened]
        )
    return {row.token: row.id for row in new}


@cache
def _opening(columns: tuple[str, ...]) -> ReturningInsert[str, int]:
    rows = select(rows_of(attempt, columns))
    return insert(attempt).from_select(columns, rows).returning(attempt.c.token, attempt.c.id)


def note(connection: Connection, id: int, **values: object) -> None:
    """Forward only: what a receipt has said by now stands."""
    connection.execute(noting(tuple(values)), named("noted", {"id": id, **values}))


@cache
def noting(columns: tuple[str, ...]) -> Update:
    """The update of `note`, made once."""
    undecided = or_(attempt.c.outcome.is_(None), attempt.c.outcome == "unknown")
    values: dict[str, Any] = {name: bindparam(f"noted_{name}") for name in columns}
    return update(attempt).where(attempt.c.id == bindparam("noted_id"), undecided).values(values)
