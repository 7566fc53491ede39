"""The trial office gives the arm of a patient whose day of randomisation the site has given."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from epro.acts.enrolment import wrong_arm
from epro.acts.patients import known_patient
from epro.protocol import RANDOMISATION, Protocol
from epro.refusals import N_, Refusal, Wrong
from epro.store.audit import Actor, entry
from epro.store.models import Allocation


def allocate(connection: Connection, protocol: Protocol, subject: str, *, arm: str, by: Actor, now: datetime) -> None:
    """Record the arm of a randomised patient; one that is recorded never changes. Raises Refusal, NoSuchPatient."""
    known = known_patient(connection, subject)
    wrongs = list(wrong_arm(protocol, arm))
    if RANDOMISATION not in known.events:
        wrongs.append(Wrong("randomised_on", N_("With the arm give the day of randomisation.")))
    if connection.execute(select(Allocation.arm).where(Allocation.subject == subject)).first():
        wrongs.append(Wrong("arm", N_("The arm is recorded already.")))
    if wrongs:
        raise Refusal(wrongs)
    with entry(connection, chain=known.site, action="arm recorded", by=by, at=now) as opened:
        opened.insert(Allocation, subject=subject, arm=arm)
