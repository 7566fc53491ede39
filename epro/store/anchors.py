"""How long is each chain of the trail and what is its last hash, written down outside the database?

A line a chain and night, only ever added, in EPRO_ANCHORS/anchors.jsonl: who cuts off the tail of the trail or writes
its history anew must change this file too, and every copy of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from epro.store.audit import canonical
from epro.store.models import Audit

FILE = "anchors.jsonl"
Anchor = dict[str, Any]  # at, chain, count, head


class NotAnAnchor(ValueError):
    """A line of the file of anchors is none; the message says which, and what to do."""


def heads(connection: Connection, now: datetime) -> list[Anchor]:
    """The length and the last hash of every chain, by chain; also what a backup's manifest should hold."""
    last = select(Audit.chain, func.max(Audit.seq).label("seq")).group_by(Audit.chain).subquery()
    rows = connection.execute(
        select(Audit.chain, Audit.seq, Audit.hash)
        .join(last, (last.c.chain == Audit.chain) & (last.c.seq == Audit.seq))
        .order_by(Audit.chain)
    )
    at = json.loads(canonical(now))
    return [{"at": at, "chain": row.chain, "count": row.seq, "head": row.hash} for row in rows]


def write(folder: Path, anchors: Sequence[Anchor]) -> None:
    """Add these anchors to the file, on the disk when this returns. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / FILE, "a", encoding="utf-8") as file:
        file.writelines(canonical(anchor) + "\n" for anchor in anchors)
        file.flush()
        os.fsync(file.fileno())


def read(folder: Path) -> list[Anchor]:
    """Every anchor that was written; none where there is no file yet. Raises NotAnAnchor."""
    file = folder / FILE
    return read_file(file) if file.is_file() else []


def read_file(file: Path) -> list[Anchor]:
    """The anchors of a copy of the file. Raises NotAnAnchor."""
    return [_anchor(line, file, n) for n, line in enumerate(file.read_text("utf-8", "replace").splitlines(), start=1)]


def _anchor(line: str, file: Path, n: int) -> Anchor:
    try:
        read = json.loads(line)
        datetime.fromisoformat(read["at"])
        return {"at": read["at"], "chain": str(read["chain"]), "count": int(read["count"]), "head": str(read["head"])}
    except (ValueError, LookupError, TypeError):
        raise NotAnAnchor(
            f"{file.name}:{n}: this is no anchor: the file was changed. Put a copy of it in its place that was kept "
            "elsewhere."
        ) from None
