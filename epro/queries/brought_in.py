"""What has the call list brought in?"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, case, func, or_, select

from epro.store.facts import ANSWERED_ON_THE_PHONE, CALLED
from epro.store.models import Assessment, Patient, PatientEvent

LATELY = timedelta(days=90)


@dataclass(frozen=True)
class BroughtIn:
    """Forms that were open and not complete when somebody called; of them those that came, and how."""

    called: int
    on_the_phone: int
    by_herself: int


def brought_in(connection: Connection, now: datetime, *, sites: Collection[str] | None = None) -> BroughtIn:
    """Of the calls of these sites (None = all) in the last 90 days, in one statement."""
    here = [] if sites is None else [Patient.site.in_(sites)]
    was_open = and_(
        Assessment.subject == PatientEvent.subject,
        Assessment.opens_at <= PatientEvent.reported_at,
        Assessment.closes_at > PatientEvent.reported_at,
        or_(Assessment.completed_at.is_(None), Assessment.completed_at >= PatientEvent.reported_at),
    )
    forms = (
        select(
            Assessment.completed_at,
            func.max(case((PatientEvent.value == ANSWERED_ON_THE_PHONE, 1), else_=0)).label("on_the_phone"),
        )
        .select_from(PatientEvent)
        .join(Patient, Patient.subject == PatientEvent.subject)
        .join(Assessment, was_open)
        .where(PatientEvent.kind == CALLED, PatientEvent.reported_at > now - LATELY, *here)
        .group_by(Assessment.id, Assessment.completed_at)
        .subquery()
    )
    came = forms.c.completed_at.is_not(None)
    row = connection.execute(
        select(
            func.count().label("called"),
            func.count().filter(came, forms.c.on_the_phone == 1).label("on_the_phone"),
            func.count().filter(came, forms.c.on_the_phone == 0).label("by_herself"),
        ).select_from(forms)
    ).one()
    return BroughtIn(**row._mapping)
