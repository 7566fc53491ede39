"""Does the record hold: every chain of the trail, every value it speaks of, and every row it tells of?"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any

from sqlalchemy import Connection, Table, func, select, tuple_

from epro.record.epro_verify import REDACTED, Chains, Values, with_reason
from epro.store.anchors import Anchor
from epro.store.audit import UNAUDITED, canonical
from epro.store.models import Audit, AuditValue
from epro.store.sealing import told
from epro.store.seals import SEALED_NIGHTLY, hash_of_rows, hashed
from epro.store.signed import misfits

AT_ONCE = 2000  # rows held in memory
COMPARED_AT_ONCE = 400
MOST_FAULTS = 50
FIELDS = "actor, role, channel, request, subject, action, why"
INSTANT = {  # as the trail writes it
    "postgresql": """to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || '+00:00'""",
    "sqlite": "substr(at, 1, 26) || '+00:00'",
}
CHANGES = {"postgresql": "changes::text", "sqlite": "changes"}
DIGESTS = re.compile(r'"([0-9a-f]{64})"(?=\]|,(?:null|"[0-9a-f]{64}")\])')  # a change ends in its old and its new one


@dataclass(frozen=True)
class Verified:
    """What was found wrong, in words, and how much was looked at."""

    faults: list[str]
    entries: int
    values: int
    redacted: int
    rows: int
    anchors: int


def verify(connection: Connection, anchors: Sequence[Anchor], *, rows: bool = True) -> Verified:
    """Hold the trail against itself and its anchors, and (rows) the tables against the trail.

    Reads every entry once, in a stream; memory does not grow with the trail but for columns that were changed.
    """
    chains = Chains(anchors)
    for chain, seq, action, why, changes, previous, hash_, text in entries(connection):
        digests = DIGESTS.findall(changes)
        chains.take(chain, seq, previous, hash_, text, [*digests, why] if why else digests)
        if action == REDACTED:
            chains.redact(json.loads(changes))
    values = Values(chains)
    statement = "SELECT digest, salt, value FROM audit_value"
    for digest, salt, value in _stream(connection, statement):
        values.take(digest, salt, value)
    faults = [*chains.finish(), *values.faults]
    if not values.agree():
        faults.append("values: " + _what_disagrees(connection))
    compared = 0
    if rows:
        different, compared = _differences(connection)
        faults += [*different, *_wrong_reasons(connection), *misfits(connection), *_wrong_stretches(connection)]
    return Verified(faults[:MOST_FAULTS], chains.counted, values.counted, values.emptied, compared, len(anchors))


def _wrong_reasons(connection: Connection) -> Iterator[str]:
    """Reasons that are not what the chain holds the digest of."""
    told = select(Audit.chain, Audit.seq, Audit.reason, AuditValue.value)
    rows = told.join(AuditValue, AuditValue.digest == Audit.why, isouter=True)
    either = Audit.why.is_not(None) | Audit.reason.is_not(None)
    for row in connection.execute(rows.where(either), execution_options={"yield_per": AT_ONCE}):
        if row.value != (None if row.reason is None else canonical(row.reason)):
            yield f"trail: {row.chain}, entry {row.seq}: its reason is not the one that was hashed"


def _wrong_stretches(connection: Connection) -> Iterator[str]:
    """Rows of what has no chain, held against the hashes that the trail holds of them."""
    tables = {table.name: table for table in SEALED_NIGHTLY}
    for name, first, last, value in hashed(connection):
        if hash_of_rows(connection, tables[name], first, last) != value:
            yield f"data: {name}, rows {first} to {last}: the trail holds another hash of them"


def entries(connection: Connection) -> Iterator[tuple[str, int, str, str | None, str, str, str, str]]:
    """chain, seq, action, why, changes, previous, hash, and the text that is hashed, chain by chain in order.

    changes: the JSON as it was written. The text is put together string by string, as a million are wanted at once.
    """
    at = INSTANT[connection.dialect.name]
    changes = CHANGES[connection.dialect.name]
    statement = f"SELECT chain, seq, id, {at}, {FIELDS}, {changes}, previous, hash FROM audit ORDER BY chain, seq"  # noqa: S608
    said = encode_basestring
    for row in _stream(connection, statement):
        chain, seq, id_, at, actor, role, channel, request, subject, action, why, changes, previous, hash_ = row
        who = f"{said(actor)},{said(role)},{said(channel)},{said(request) if request is not None else 'null'}"
        of = said(subject) if subject is not None else "null"
        told = f"{said(action)},{said(why) if why is not None else 'null'},{changes}"
        text = f"[{said(chain)},{seq},{said(id_)},{said(at)},{who},{of},{told}]"
        yield chain, seq, action, why, changes, previous, hash_, text


def _told_changes(connection: Connection) -> Iterator[tuple[str, int, list[Any]]]:
    """chain, seq and every change, the reason of an entry among them, in the order of time.

    A row may be changed in turn by acts of two chains: by its site's, and by an amendment of the whole trial.
    """
    changes = CHANGES[connection.dialect.name]
    statement = f"SELECT chain, seq, id, why, {changes} FROM audit ORDER BY at, chain, seq"  # noqa: S608
    for chain, seq, id_, why, changes in _stream(connection, statement):
        yield chain, seq, with_reason(id_, why, json.loads(changes))


def _stream(connection: Connection, statement: str) -> Iterator[Any]:
    options = {"stream_results": True, "yield_per": AT_ONCE}
    result = connection.exec_driver_sql(statement, execution_options=options)
    for part in result.partitions(AT_ONCE):
        yield from part


def _what_disagrees(connection: Connection) -> str:
    """The first digest that is missing, or that nothing speaks of; holds all of them in memory."""
    there = {row[0] for row in _stream(connection, "SELECT digest FROM audit_value")}
    for chain, seq, changes in _told_changes(connection):
        for _, _, _, old, new in changes:
            for digest in (old, new):
                if digest and digest not in there:
                    return f"{digest[:12]}… is missing, of which {chain}, entry {seq} speaks"
                there.discard(digest)
    return f"{next(iter(there), '')[:12]}… is there, and no entry speaks of it"


Change = tuple[str, str, str | None]  # row, column, new digest


def _differences(connection: Connection) -> tuple[list[str], int]:
    """Where a row is not as the trail tells it; and how many rows were compared."""
    tables = {table.name: table for table in told()}
    later: dict[str, dict[tuple[str, str], str | None]] = defaultdict(dict)
    for name, row, column, new in _changes(connection, tables):
        if column != "*":
            later[name][row, column] = new
    faults: list[str] = []
    added: dict[str, list[Change]] = defaultdict(list)
    counted: dict[str, int] = defaultdict(int)
    for name, row, column, new in _changes(connection, tables):
        if column == "*":
            counted[name] += 1
            added[name].append((row, column, new))
            if len(added[name]) >= COMPARED_AT_ONCE:
                faults += _compare(connection, tables[name], added.pop(name), later[name])
    for name, rest in added.items():
        faults += _compare(connection, tables[name], rest, later[name])
    for name, changed in later.items():
        every = [(row, column, digest) for (row, column), digest in changed.items()]
        for some in _batches(every):
            faults += _compare(connection, tables[name], some, {})
    faults += _uncounted(connection, tables.values(), counted)
    return faults, sum(counted.values())


def _changes(connection: Connection, tables: dict[str, Table]) -> Iterator[tuple[str, str, str, str | None]]:
    for _, _, changes in _told_changes(connection):
        for name, row, column, _, new in changes:
            if name in tables:
                yield name, row, column, new


def _compare(
    connection: Connection, table: Table, some: Sequence[Change], later: dict[tuple[str, str], str | None]
) -> Iterator[str]:
    values = _values(connection, [new for _, _, new in some if new])
    rows = _rows(connection, table, [row for row, _, _ in some])
    for row, column, digest in some:
        there = rows.get(row)
        if there is None:
            yield f"data: {table.name}, row {row} is missing, of which the trail speaks"
            continue
        value = values.get(digest) if digest else "null"
        if value is None:
            continue  # redacted
        if column != "*":
            if column not in UNAUDITED.get(table.name, ()) and canonical(there[column]) != value:
                yield f"data: {table.name}, row {row}, {column}: the trail tells another value"
            continue
        known = json.loads(value)
        if not isinstance(known, dict):
            continue  # an edited value, which was told already
        if canonical({name: there.get(name) for name in known}) == value and not any(
            there[name] is not None for name in there.keys() - known.keys() if not _is_outside(table, name)
        ):
            continue
        for name, cell in there.items():
            told_otherwise = canonical(cell) != canonical(known.get(name))
            if told_otherwise and (row, name) not in later and not _is_outside(table, name):
                yield f"data: {table.name}, row {row}, {name}: the trail tells another value"


def _is_outside(table: Table, column: str) -> bool:
    """Columns of which the trail does not hold the value: secrets, numbers given by the database, the entry itself."""
    return (
        column == "entry"
        or column in UNAUDITED.get(table.name, ())
        or (table.columns[column].primary_key and column == "id")
    )


def _values(connection: Connection, digests: Sequence[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for some in _batches(digests):
        rows = connection.execute(select(AuditValue.digest, AuditValue.value).where(AuditValue.digest.in_(some)))
        found.update({row.digest: row.value for row in rows})
    return found


def _rows(connection: Connection, table: Table, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
    columns = list(table.primary_key.columns)
    found = {}
    for some in _batches(sorted(set(keys))):
        wanted = [
            tuple(column.type.python_type(part) for column, part in zip(columns, key.split("/"), strict=True))
            for key in some
        ]
        for row in connection.execute(select(table).where(tuple_(*columns).in_(wanted))).mappings():
            found["/".join(str(row[column.name]) for column in columns)] = dict(row)
    return found


def _uncounted(connection: Connection, tables: Iterable[Table], counted: dict[str, int]) -> Iterator[str]:
    for table in tables:
        if table.columns["entry"].nullable:
            continue  # rows that the ledger's events tell of
        there = connection.execute(select(func.count()).select_from(table)).scalar_one()
        if there > counted.get(table.name, 0):
            yield f"data: {table.name} holds {there} rows, and the trail speaks of {counted.get(table.name, 0)}"


def _batches(every: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for first in range(0, len(every), COMPARED_AT_ONCE):
        yield every[first : first + COMPARED_AT_ONCE]
