"""After a restore: which forms may have been answered after the backup, so that the answers are lost?

Nothing in a restored database knows of them. Whoever had a form open between the backup and the restore is listed, for
somebody to ask her; she can answer again by a new link.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, and_, select

from epro.store import people
from epro.store.models import Assessment, Patient, Restored

ASKED_FOR = timedelta(days=30)  # how long after a restore somebody is reminded of it


@dataclass(frozen=True)
class Lost:
    """A form that was open between backup and restore and that the backup does not hold as complete."""

    subject: str
    site: str
    visit: str
    due_on: date
    closes_at: datetime
    backup_at: datetime
    restored_at: datetime


def possibly_lost(connection: Connection, now: datetime, *, sites: Collection[str] | None = None) -> list[Lost]:
    """Those of these sites (None = all), the window that closes first before the others, in one statement."""
    was_open = and_(Assessment.opens_at < Restored.restored_at, Assessment.closes_at > Restored.backup_at)
    standing = (Assessment.completed_at.is_(None), Assessment.expected.is_(True), ~people.has_ended())
    here = [] if sites is None else [Patient.site.in_(sites)]
    columns = (Assessment.subject, Patient.site, Assessment.visit, Assessment.due_on, Assessment.closes_at)
    rows = connection.execute(
        select(*columns, Restored.backup_at, Restored.restored_at)
        .join(Patient, Patient.subject == Assessment.subject)
        .join(Restored, was_open)
        .where(*standing, *here, Restored.restored_at > now - ASKED_FOR)
        .order_by(Assessment.closes_at, Assessment.subject)
    )
    return [Lost(**row._mapping) for row in rows]
