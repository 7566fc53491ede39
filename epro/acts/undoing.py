"""Something was recorded that never happened: another event says so, and the plan follows. Nothing is erased."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from epro.acts.patients import happened, known_patient
from epro.acts.replanning import replan
from epro.protocol import Protocol
from epro.refusals import N_, Refusal, Wrong
from epro.store import facts
from epro.store.audit import Actor, entry
from scheduler.changes import Changes

UNDOABLE = (  # what staff record; what the patient said herself, and what her place in the trial rests on, is not
    facts.DEATH,
    facts.WITHDRAWAL,
    facts.SURGERY,
    facts.DISCHARGE,
    facts.PROGRESSION,
    facts.SEEN_ALIVE,
    facts.PAUSED,
    facts.CONSENTED_ANEW,
)


def undo(
    connection: Connection, protocol: Protocol, subject: str, event: int, *, reason: str, by: Actor, now: datetime
) -> Changes:
    """Take back an event that was recorded wrongly. Raises Refusal.

    What it had stopped is planned again from now on; what has left is never sent again, and links that it closed stay
    closed: the next text carries a new one.
    """
    known = known_patient(connection, subject)
    wrong = next((one for one in known.standing if one.id == event and one.kind in UNDOABLE), None)
    wrongs = []
    if wrong is None:
        wrongs.append(Wrong("event", N_("Choose what was recorded wrongly.")))
    if not reason.strip():
        wrongs.append(Wrong("reason", N_("Say why, in a few words without names.")))
    if wrong is None or wrongs:
        raise Refusal(wrongs)
    with entry(connection, chain=known.site, action=f"{wrong.kind} undone", by=by, at=now, reason=reason) as opened:
        happened(opened, subject, facts.UNDONE, wrong.on, reason=reason, corrects=wrong.id)
        return replan(connection, protocol, subject, entry=opened, now=now)
