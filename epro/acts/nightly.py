"""What makes the record harder to bend, every night: hashes of what has no chain, and anchors outside the database."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine

from epro.store import anchors, seals
from epro.store.audit import TRIAL_CHAIN, Actor, entry
from epro.store.database import reading, writing

CLOCK = Actor("clock", "system", "clock")
SETTLED = timedelta(hours=1)  # no transaction that wrote a row is open that long


def anchor(engine: Engine, folder: Path, now: datetime) -> None:
    """1. The hash of new events and looks into the trail. 2. Every chain's length and head into the anchors' file.

    Raises OSError where the file cannot be written.
    """
    with writing(engine) as connection:
        hash_events(connection, now)
    with reading(engine) as connection:
        heads = anchors.heads(connection, now)
    anchors.write(folder, heads)


def hash_events(connection: Connection, now: datetime) -> None:
    """One entry with the hash of every row that came since the last one; none where none came."""
    found = []
    for table in seals.SEALED_NIGHTLY:
        first = seals.last_hashed(connection, table) + 1
        last = seals.last_before(connection, table, now - SETTLED) or 0
        if last >= first:
            found.append((table, first, last))
    if found:
        with entry(connection, chain=TRIAL_CHAIN, action=seals.ACTION, by=CLOCK, at=now) as opened:
            for table, first, last in found:
                value = seals.hash_of_rows(connection, table, first, last)
                opened.note(table.name, f"{first}-{last}", seals.COLUMN, value)
