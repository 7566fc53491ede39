"""A day that was recorded turns out to have been another: the later word counts, the earlier stays in the record."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Connection

from epro.acts.enrolment import wrong_date
from epro.acts.patients import happened, known_patient
from epro.acts.replanning import replan
from epro.protocol import CONSENT, Protocol
from epro.refusals import N_, Refusal, Wrong
from epro.store import facts
from epro.store.audit import Actor, entry
from scheduler.changes import Changes

REDATABLE = (facts.SURGERY, facts.DISCHARGE, facts.PROGRESSION, facts.DEATH, facts.WITHDRAWAL)


def redate(
    connection: Connection,
    protocol: Protocol,
    subject: str,
    kind: str,
    *,
    on: date,
    reason: str,
    by: Actor,
    now: datetime,
) -> Changes:
    """Give what happened, one of REDATABLE, another day; the plan follows. Raises Refusal, NoSuchPatient."""
    known = known_patient(connection, subject)
    event = known.events.get(kind) if kind in REDATABLE else None
    wrongs = list(wrong_date(protocol, "happened_on", on, now, known.events[CONSENT].on))
    if event is None:
        wrongs.append(Wrong("happened_on", N_("This is not recorded; there is no date to correct.")))
    if not reason.strip():
        wrongs.append(Wrong("reason", N_("Say why the date is corrected.")))
    if event is None or wrongs:
        raise Refusal(wrongs)
    with entry(connection, chain=known.site, action=f"{kind} date corrected", by=by, at=now, reason=reason) as opened:
        happened(opened, subject, kind, on, reason=reason, corrects=event.id)
        return replan(connection, protocol, subject, entry=opened, now=now)
