"""How do many rows reach the database in one statement?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any

from sqlalchemy import JSON, FromClause, String, Table, bindparam, cast, column, func

from scheduler.hours import MOMENTS
from scheduler.instants import utc

Row = Mapping[str, Any]  # column → value


def rows_of(table: Table, columns: Sequence[str]) -> FromClause:
    """Rows that come as one value, `rows`, however many they are: far faster than a value for each cell."""
    typed = [column(name, table.c[name].type) for name in columns]
    given = cast(bindparam("rows", type_=String), JSON)
    return func.json_to_recordset(given).table_valued(*typed).render_derived(name="new", with_types=True)


def as_json(rows: Sequence[Row]) -> str:
    return json.dumps([dict(row) for row in rows], default=_in_words)


@lru_cache(MOMENTS)
def _in_words(value: date | time) -> str:
    return utc(value).isoformat() if isinstance(value, datetime) else value.isoformat()


def named(prefix: str, values: Row) -> dict[str, Any]:
    return {f"{prefix}_{name}": value for name, value in values.items()}
