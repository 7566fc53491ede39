"""Somebody has read a patient's trail and says so: an entry of its own, up to the last one that she saw."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, select

from epro.refusals import N_, NoSuchPatient, Refusal, Wrong
from epro.store.audit import Actor, entry
from epro.store.models import Audit, Patient

LONGEST = 400


def review(connection: Connection, subject: str, *, found: str, by: Actor, now: datetime) -> None:
    """Keep that the trail was reviewed, and what was found. Raises Refusal when nothing is said, NoSuchPatient."""
    site = connection.execute(select(Patient.site).where(Patient.subject == subject)).scalar()
    if site is None:
        raise NoSuchPatient(subject)
    if not found.strip():
        raise Refusal([Wrong("found", N_("Say what you found, or that you found nothing to remark."))])
    if len(found) > LONGEST:
        raise Refusal([Wrong("found", N_("Write at most %(longest)s characters."), {"longest": LONGEST})])
    last = connection.execute(select(func.max(Audit.seq)).where(Audit.chain == site, Audit.subject == subject)).scalar()
    said = f"up to entry {last}: {found.strip()}"
    with entry(connection, chain=site, action="trail reviewed", by=by, at=now, reason=said, subject=subject):
        pass
