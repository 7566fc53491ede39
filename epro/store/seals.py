"""Which hash do the rows of an append-only table have that has no chain of its own?

Two tables tell of themselves and not through entries of the trail: what happened to texts, and who looked at patients.
Each night the hash of their new rows goes into the trail.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, Table, func, select

from epro.store.audit import TRIAL_CHAIN, canonical
from epro.store.models import Access, Audit, AuditValue, table_of
from scheduler.tables import message_event

SEALED_NIGHTLY: tuple[Table, ...] = (message_event, table_of(Access))
ACTION, COLUMN = "events hashed", "sha256"
AT_ONCE = 2000


def hash_of_rows(connection: Connection, table: Table, first: int, last: int) -> str:
    """SHA-256 over the rows with these ids, both included, in order, each as a line of canonical JSON."""
    digest = hashlib.sha256()
    rows = select(table).where(table.c.id >= first, table.c.id <= last).order_by(table.c.id)
    for row in connection.execute(rows.execution_options(yield_per=AT_ONCE)):
        digest.update((canonical(list(row)) + "\n").encode())
    return digest.hexdigest()


def last_hashed(connection: Connection, table: Table) -> int:
    """The highest id that an entry holds the hash of; 0 = none yet."""
    done = [last for name, _, last, _ in hashed(connection) if name == table.name]
    return max(done, default=0)


def last_before(connection: Connection, table: Table, before: datetime) -> int | None:
    """The highest id of a row that is older than this instant."""
    return connection.execute(select(func.max(table.c.id)).where(table.c.at < before)).scalar()


def hashed(connection: Connection) -> Iterator[tuple[str, int, int, str]]:
    """table, first, last and hash of every stretch of rows that an entry speaks of."""
    nightly = select(Audit.changes).where(Audit.chain == TRIAL_CHAIN, Audit.action == ACTION).order_by(Audit.seq)
    for changes in connection.execute(nightly).scalars().all():
        for name, stretch, column, _, digest in changes:
            if column == COLUMN:
                first, _, last = stretch.partition("-")
                value = connection.execute(select(AuditValue.value).where(AuditValue.digest == digest)).scalar()
                yield name, int(first), int(last), json.loads(value) if value else ""
