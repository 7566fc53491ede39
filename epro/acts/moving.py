"""A patient moves to another time zone: her texts follow her clock."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import available_timezones

from sqlalchemy import Connection

from epro.acts.patients import known_patient
from epro.acts.replanning import replan
from epro.protocol import Protocol
from epro.refusals import N_, Refusal, Wrong
from epro.store.audit import Actor, entry
from epro.store.models import Patient
from scheduler.changes import Changes


def change_zone(
    connection: Connection, protocol: Protocol, subject: str, *, zone: str, reason: str, by: Actor, now: datetime
) -> Changes:
    """Plan what is still to come by another clock; what has left is not touched. Raises Refusal."""
    known = known_patient(connection, subject)
    wrongs = []
    if zone not in available_timezones():
        wrongs.append(Wrong("zone", N_("Write the time zone like Europe/Stockholm.")))
    elif zone == known.zone:
        wrongs.append(Wrong("zone", N_("This is her time zone already.")))
    if not reason.strip():
        wrongs.append(Wrong("reason", N_("Say why, in a few words without names.")))
    if wrongs:
        raise Refusal(wrongs)
    with entry(connection, chain=known.site, action="zone changed", by=by, at=now, reason=reason) as opened:
        opened.update(Patient, subject, zone=zone)
        return replan(connection, protocol, subject, entry=opened, now=now)
