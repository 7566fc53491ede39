"""Which answers raised an alert that nobody has acknowledged yet?"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, exists, select
from sqlalchemy.orm import aliased

from epro.store.facts import ALERT_ACKNOWLEDGED, ALERT_ESCALATED, ALERT_RAISED
from epro.store.models import Patient, PatientEvent


@dataclass(frozen=True)
class Alert:
    """rule: its code in the trial file. escalated: it was told to those who come next. It says no answer."""

    id: int
    subject: str
    site: str
    rule: str
    visit: str
    raised_at: datetime
    escalated: bool


def open_alerts(
    connection: Connection, *, sites: Collection[str] | None = None, subject: str | None = None
) -> list[Alert]:
    """Those of these sites (None = all), the oldest first, in one statement."""
    here: list[ColumnElement[bool]] = []
    here += [] if sites is None else [Patient.site.in_(sites)]
    here += [] if subject is None else [Patient.subject == subject]
    rows = connection.execute(
        select(PatientEvent.__table__, Patient.site, _followed_by(ALERT_ESCALATED).label("escalated"))
        .join(Patient, Patient.subject == PatientEvent.subject)
        .where(PatientEvent.kind == ALERT_RAISED, ~_followed_by(ALERT_ACKNOWLEDGED), *here)
        .order_by(PatientEvent.id)
    )
    found = []
    for row in rows:
        rule, _, visit = row.value.partition(":")
        found.append(Alert(row.id, row.subject, row.site, rule, visit, row.reported_at, row.escalated))
    return found


def _followed_by(kind: str) -> ColumnElement[bool]:
    later = aliased(PatientEvent)
    same = (later.subject == PatientEvent.subject, later.value == PatientEvent.value, later.id > PatientEvent.id)
    return exists().where(later.kind == kind, *same)
