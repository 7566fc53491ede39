"""Is what changed in the database exactly what the new entries of the trail tell?"""

import json

from epro.store.audit import UNAUDITED, canonical
from epro.store.models import Base

Contents = dict  # of tests.web.conftest.contents_of
AUDITED = [table for table in Base.metadata.sorted_tables if "entry" in table.columns]


def untold(before: Contents, after: Contents) -> list[str]:
    """Each difference that the new entries do not tell, and each that they tell and is none."""
    found: list[str] = []
    rows, there = _audited(before), _audited(after)
    values = {digest: row["value"] for (digest,), row in after["audit_value"].items()}
    new = [row for key, row in sorted(after["audit"].items()) if key not in before["audit"]]
    for entry in new:
        for table, key, column, old, told in entry["changes"]:
            where = f"{entry['action']}: {table} {key} {column}"
            if table not in rows:
                found.append(f"{where}: no table that is told of")
            elif column == "*":
                found += [f"{where}: was there before"] * (key in rows[table])
                rows[table][key] = _added(table, json.loads(values[told]), there[table].get(key, {}), entry["id"])
            else:
                found += [f"{where}: {wrong}" for wrong in _change(table, key, column, old, told, rows, there, values)]
                rows[table].setdefault(key, {})["entry"] = canonical(entry["id"])
    for name in rows:
        for key in sorted(rows[name].keys() | there[name].keys()):
            told, now = rows[name].get(key, {}), there[name].get(key, {})
            differs = sorted(column for column in told.keys() | now.keys() if told.get(column) != now.get(column))
            found += [f"{name} {key} {column}: changed otherwise than told" for column in differs]
    return found


def _added(table: str, told: dict, there: dict, entry: str) -> dict:  # type: ignore[type-arg]
    """The row as it was told; of the columns that the trail may not hold, and of a number given here, as it is."""
    outside = {"id"} | UNAUDITED.get(table, set())
    row = {name: value if name in outside else canonical(told.get(name)) for name, value in there.items()}
    return row | {"entry": canonical(entry)}


def _change(table, key, column, old, told, rows, there, values):  # type: ignore[no-untyped-def]
    known, now = rows[table].get(key, {}), there[table].get(key, {})
    if column in UNAUDITED.get(table, set()):
        if (old, told) != (None, None):
            yield "a value that the trail may not hold"
        if known.get(column) == now.get(column):
            yield "did not change"
        known[column] = now.get(column)
        return
    was, becomes = (values[digest] if digest else "null" for digest in (old, told))
    if known.get(column) != was:
        yield "was another value before"
    if was == becomes:
        yield "did not change"
    known[column] = becomes


def _audited(contents: Contents) -> dict:  # type: ignore[type-arg]
    """table → key as the trail writes it → column → value as the trail writes it"""
    return {
        table.name: {
            "/".join(map(str, key)): {name: canonical(value) for name, value in row.items()}
            for key, row in contents[table.name].items()
        }
        for table in AUDITED
    }
