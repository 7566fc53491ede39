"""A patient is in hospital, or too ill for now: texts rest until a day, and she stays in the trial."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from epro.acts.enrolment import today
from epro.acts.patients import happened, known_patient
from epro.acts.replanning import replan
from epro.protocol import Protocol
from epro.refusals import N_, Refusal, Wrong
from epro.store import facts
from epro.store.audit import Actor, entry
from scheduler.changes import Changes

LONGEST = timedelta(days=366)


def pause(
    connection: Connection, protocol: Protocol, subject: str, *, until: date, reason: str, by: Actor, now: datetime
) -> Changes:
    """Send no text from today on until a day, on which they go again. A longer or shorter pause replaces this one.

    What falls into the pause goes on that day, where its window is still open: one text, never several. Her form stays
    open, and links that she has keep working. Raises Refusal.
    """
    known, on = known_patient(connection, subject), today(protocol, now)
    wrongs = list(_wrongs(known, on, until, reason))
    if wrongs:
        raise Refusal(wrongs)
    with entry(connection, chain=known.site, action="texts paused", by=by, at=now, reason=reason) as opened:
        if known.paused_until(on):
            happened(opened, subject, facts.PAUSE_ENDED, on, reason=reason)
        happened(opened, subject, facts.PAUSED, on, value=until.isoformat(), reason=reason)
        return replan(connection, protocol, subject, entry=opened, now=now)


def end_pause(connection: Connection, protocol: Protocol, subject: str, *, by: Actor, now: datetime) -> Changes:
    """Let texts go again from today on. Raises Refusal when they are not paused."""
    known, on = known_patient(connection, subject), today(protocol, now)
    if not known.paused_until(on):
        raise Refusal([Wrong("until", N_("The texts of this patient are not paused."))])
    with entry(connection, chain=known.site, action="pause ended", by=by, at=now) as opened:
        happened(opened, subject, facts.PAUSE_ENDED, on)
        return replan(connection, protocol, subject, entry=opened, now=now)


def _wrongs(known: facts.Facts, on: date, until: date, reason: str) -> Iterator[Wrong]:
    if known.ended:
        yield Wrong("until", N_("Nothing more is sent to this patient; there is nothing to pause."))
    elif until <= on:
        yield Wrong("until", N_("Texts go again on this day; choose one after today."))
    elif until > on + LONGEST:
        yield Wrong("until", N_("A pause is at most a year. Check the year."))
    if not reason.strip():
        yield Wrong("reason", N_("Say why, in a few words without names."))
