"""Which files has the trial office brought in, when, by whom, and what stood in them?"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from epro.store.models import Audit, ImportedFile

MOST_SHOWN = 100


def imported_files(connection: Connection) -> list[Row[Any]]:
    """id, kind, rows, imported_at, sha256, by; the latest first."""
    columns = (ImportedFile.id, ImportedFile.kind, ImportedFile.rows, ImportedFile.imported_at, ImportedFile.sha256)
    found = select(*columns, Audit.actor.label("by")).join(Audit, Audit.id == ImportedFile.entry)
    return list(connection.execute(found.order_by(ImportedFile.id.desc()).limit(MOST_SHOWN)))


def copy_of(connection: Connection, file: int) -> Any:
    """kind, imported_at and cells of a file; None where there is none, or its cells were emptied."""
    columns = (ImportedFile.kind, ImportedFile.imported_at, ImportedFile.cells)
    kept = select(*columns).where(ImportedFile.id == file, ImportedFile.cells.is_not(None))
    return next(iter(connection.execute(kept)), None)
