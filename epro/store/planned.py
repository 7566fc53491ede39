"""Which row is the assessment of one patient at one visit?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, select

from epro.store.models import Assessment, never_planned

INSTANT = timedelta(microseconds=1)  # before the end of a window: still on its last day


def assessment_of(connection: Connection, subject: str, visit: str) -> Row[Any] | None:
    """None where the plan of this patient has no such visit."""
    mine = (Assessment.subject == subject, Assessment.visit == visit, ~never_planned())
    return connection.execute(select(Assessment.__table__).where(*mine)).one_or_none()
