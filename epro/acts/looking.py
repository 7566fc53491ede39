"""Who has looked at patients' data? Every page and export that shows a patient leaves one row, before it is shown."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from epro.store.audit import Actor
from epro.store.models import Access


def looked(
    connection: Connection,
    what: str,
    subjects: Collection[str],
    *,
    by: Actor,
    now: datetime,
    detail: dict[str, Any] | None = None,
) -> None:
    """Keep that this person saw data of these patients. what: the page or command. detail: of an export."""
    row = {
        "at": now,
        "actor": by.name,
        "role": by.role,
        "channel": by.channel,
        "request": by.request,
        "what": what,
        "subjects": sorted(subjects),
        "detail": detail or {},
    }
    connection.execute(insert(Access), [row])
