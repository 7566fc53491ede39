"""Who changed what, when and why: the trail, written in the transaction of the change itself.

An act opens one entry and makes every change through it, so that a change without its entry cannot be written:

    with audit.entry(connection, chain=site, action="death recorded", by=nurse, at=now) as entry:
        entry.insert(PatientEvent, subject=subject, kind="death", ...)

The entry is the last row of its transaction. Values are named by SHA-256(salt || value); salt and value stand apart, so
that a value can be redacted and the chain still verifies. Each site has its own chain:
hash = SHA-256(previous hash || the entry as a canonical JSON array).
"""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, insert, select, text, update

from epro.store.models import Audit, AuditValue, Base, table_of

TRIAL_CHAIN = "trial"  # the chain of what belongs to no site
GENESIS = "0" * 64
UNAUDITED = {
    "contact": {"address", "address_hash"},
    "reply": {"body", "address_hash"},
    "second_step": {"hash"},
    "card": {"code", "code_hash"},
    "staff_user": {"password", "fs_uniquifier"},
}


@dataclass(frozen=True)
class Actor:
    """Who acts, in which role, by which channel, in which request."""

    name: str
    role: str
    channel: str
    request: str | None = None


CARRIER = Actor("carrier", "system", "carrier")


@dataclass
class Entry:
    """The changes of one act, gathered as they are made."""

    connection: Connection
    by: Actor
    at: datetime
    reason: str | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    changes: list[list[str | None]] = field(default_factory=list)
    values: list[dict[str, str]] = field(default_factory=list)

    def insert(self, model: type[Base], **values: Any) -> Any:
        """Add one row and tell of it. Returns its primary key (a tuple when it has several columns)."""
        return self.insert_all(model, [values])[0]

    def insert_all(self, model: type[Base], rows: Sequence[dict[str, Any]]) -> list[Any]:
        """Add several rows in one statement and tell of each. Returns their primary keys in the same order."""
        table = table_of(model)
        statement = insert(table).returning(*table.primary_key.columns, sort_by_parameter_order=True)
        keys = [tuple(key) for key in self.connection.execute(statement, [{**row, "entry": self.id} for row in rows])]
        hidden = UNAUDITED.get(model.__tablename__, set())
        for key, row in zip(keys, rows, strict=True):
            told = {column: value for column, value in row.items() if column not in hidden}
            self._tell(model, key, "*", None, told)
        return [key[0] if len(key) == 1 else key for key in keys]

    def update(self, model: type[Base], key: Any, **values: Any) -> bool:
        """Change the columns of one row that differ, and tell of each. Returns whether anything differed."""
        table = table_of(model)
        columns = table.primary_key.columns
        keys = key if isinstance(key, tuple) else (key,)
        here = [column == part for column, part in zip(columns, keys, strict=True)]
        named = [table.c[name] for name in values]
        before = self.connection.execute(select(*named).where(*here)).one()._mapping
        changed = {name: value for name, value in values.items() if before[name] != value}
        if changed:
            self.connection.execute(update(table).where(*here).values(**changed, entry=self.id))
            hidden = UNAUDITED.get(model.__tablename__, set())
            for name, value in changed.items():
                if name not in hidden:
                    self._tell(model, keys, name, before[name], value)
        return bool(changed)

    def _tell(self, model: type[Base], key: tuple[Any, ...], column: str, old: Any, new: Any) -> None:
        row = "/".join(str(part) for part in key)
        self.changes.append([model.__tablename__, row, column, self._digest(old), self._digest(new)])

    def _digest(self, value: Any) -> str | None:
        if value is None:
            return None
        salt, plain = secrets.token_hex(16), canonical(value)
        digest = hashlib.sha256((salt + plain).encode()).hexdigest()
        self.values.append({"digest": digest, "salt": salt, "value": plain})
        return digest


@contextmanager
def entry(
    connection: Connection, *, chain: str, action: str, by: Actor, at: datetime, reason: str | None = None
) -> Iterator[Entry]:
    """Open an entry for one act. It is written when the block ends without an error, and tells what it changed."""
    opened = Entry(connection, by, at, reason)
    yield opened
    _close(opened, chain, action)


def _close(entry: Entry, chain: str, action: str) -> None:
    connection = entry.connection
    if connection.dialect.name == "postgresql":  # SQLite's transaction already holds the only write lock
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:chain))"), {"chain": f"epro audit {chain}"})
    last = connection.execute(
        select(Audit.seq, Audit.hash).where(Audit.chain == chain).order_by(Audit.seq.desc()).limit(1)
    ).one_or_none()
    row = {
        "chain": chain,
        "seq": last.seq + 1 if last else 1,
        "id": entry.id,
        "at": entry.at,
        "actor": entry.by.name,
        "role": entry.by.role,
        "channel": entry.by.channel,
        "request": entry.by.request,
        "action": action,
        "reason": entry.reason,
        "changes": entry.changes,
        "previous": last.hash if last else GENESIS,
    }
    if entry.values:
        connection.execute(insert(AuditValue), entry.values)
    connection.execute(insert(Audit), {**row, "hash": hash_of(row)})


HASHED = ("chain", "seq", "id", "at", "actor", "role", "channel", "request", "action", "reason", "changes")


def hash_of(row: Any) -> str:
    """The hash of an entry, from the hash before it and its fields in a fixed order."""
    return hashlib.sha256((row["previous"] + canonical([row[name] for name in HASHED])).encode()).hexdigest()


def canonical(value: Any) -> str:
    """The one way a value is written down: JSON without spaces, dates and instants as ISO 8601."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, default=_written)


def _written(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"the audit trail cannot hold a {type(value).__name__}")
