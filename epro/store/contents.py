"""What does a database hold? Rows and a hash of every table, and the head of every chain of the trail.

The hash of a table is the sum of its rows' hashes, so that it does not depend on their order. Two databases of one kind
that hold the same give the same; nothing is read but what stands there, whatever version of epro wrote it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import Connection, inspect

AT_ONCE = 2000  # rows held in memory
BOUND = 1 << 256


def tables_of(connection: Connection) -> dict[str, dict[str, Any]]:
    """Every table: {"rows": n, "sha256": sum of the rows' hashes}."""
    return {name: _held(connection, name) for name in sorted(inspect(connection).get_table_names())}


def heads_of(connection: Connection) -> dict[str, dict[str, Any]]:
    """Every chain of the trail: {"count": n, "head": hash of its last entry}."""
    statement = (
        "SELECT chain, seq, hash FROM audit AS a WHERE seq = (SELECT max(seq) FROM audit AS b WHERE b.chain = a.chain)"
    )
    rows = connection.exec_driver_sql(f"{statement} ORDER BY chain")
    return {chain: {"count": count, "head": head} for chain, count, head in rows}


def differences(here: Mapping[str, Any], there: Mapping[str, Any], what: str) -> list[str]:
    """In words: what the second has otherwise than the first."""
    return [
        f"{what} {name}: {here.get(name, 'nothing')} was expected, {there.get(name, 'nothing')} was found"
        for name in sorted(here.keys() | there.keys())
        if here.get(name) != there.get(name)
    ]


def _held(connection: Connection, name: str) -> dict[str, Any]:
    quoted = connection.dialect.identifier_preparer.quote(name)
    options = {"stream_results": True, "yield_per": AT_ONCE}
    result = connection.exec_driver_sql(f"SELECT * FROM {quoted}", execution_options=options)  # noqa: S608
    columns = sorted(result.keys())
    rows, total = 0, 0
    for row in result.mappings():
        text = json.dumps([row[column] for column in columns], ensure_ascii=False, sort_keys=True, default=_written)
        total += int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
        rows += 1
    return {"rows": rows, "sha256": f"{total % BOUND:064x}"}


def _written(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat() if value.tzinfo else value.isoformat()
    if isinstance(value, (date, time)):
        return value.isoformat()
    return value.hex() if isinstance(value, (bytes, memoryview)) else str(value)
