"""What a nurse does about a form that is late: call, send the text once more, say why it is not answered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from epro.acts.enrolment import today
from epro.acts.patients import happened, known_patient
from epro.acts.replanning import replan
from epro.assessments import is_open
from epro.protocol import Protocol
from epro.refusals import N_, Refusal, Wrong
from epro.store import facts, people
from epro.store.audit import Actor, Entry, entry
from epro.store.facts import Facts
from epro.store.models import Assessment
from epro.store.planned import assessment_of
from scheduler import arrows, ledger
from scheduler.messages import AGAIN

WILL_ANSWER, CALL_LATER, NOT_REACHED, SOMEBODY_ELSE = "will_answer", "call_later", "not_reached", "somebody_else"
ANSWERED = facts.ANSWERED_ON_THE_PHONE  # never chosen: set where the form is filled in on the phone
OUTCOMES = {
    WILL_ANSWER: N_("Spoke to her: she will answer herself"),
    CALL_LATER: N_("Spoke to her: call again later"),
    NOT_REACHED: N_("Not reached"),
    SOMEBODY_ELSE: N_("Somebody else has this number"),
}
SPOKEN_TO = (WILL_ANSWER, CALL_LATER, ANSWERED)
REASONS = {
    "too_ill": N_("Too ill"),
    "refused": N_("Does not want to"),
    "not_reached": N_("Could not be reached"),
    "staff": N_("Not asked or reminded by staff"),
    "technical": N_("Technical fault"),
    "language": N_("Language or reading"),
    "unknown": N_("Not known"),
}
ONE_CLICK = timedelta(minutes=1)  # a second click within it is the same click


def log_call(
    connection: Connection, protocol: Protocol, subject: str, *, outcome: str, note: str, by: Actor, now: datetime
) -> None:
    """Keep that a patient was called, and what came of it. Who was spoken to is alive. Raises Refusal."""
    known = known_patient(connection, subject)
    if outcome not in OUTCOMES:
        raise Refusal([Wrong("outcome", N_("Choose what came of the call."))])
    with entry(connection, chain=known.site, action="called", by=by, at=now, reason=note or None) as opened:
        note_call(connection, protocol, opened, subject, outcome, note)
        if outcome in SPOKEN_TO and known.ended is None:
            replan(connection, protocol, subject, entry=opened, now=now)


def note_call(
    connection: Connection, protocol: Protocol, opened: Entry, subject: str, outcome: str, note: str = ""
) -> None:
    """The same within the entry of an act that does more; it plans anew itself."""
    on = today(protocol, opened.at)
    happened(opened, subject, facts.CALLED, on, value=outcome, reason=note or None)
    if outcome in SPOKEN_TO:
        happened(opened, subject, facts.SEEN_ALIVE, on)


def send_again(
    connection: Connection, protocol: Protocol, subject: str, visit: str, *, by: Actor, now: datetime
) -> bool:
    """Let the text of an open visit go once more, now or at the end of the quiet hours. It counts as a step.

    Returns whether it was new: a second click within a minute does nothing. Raises Refusal when none can go.
    """
    people.lock(connection, subject)
    known, row = known_patient(connection, subject), assessment_of(connection, subject, visit)
    before = [one.at for one in known.again if one.visit == visit]
    if before and now - before[-1] < ONE_CLICK:
        return False
    wrongs = list(_why_none_goes(connection, protocol, known, row, now))
    if wrongs:
        raise Refusal(wrongs)
    with entry(connection, chain=known.site, action="sent again", by=by, at=now) as opened:
        happened(opened, subject, facts.SENT_AGAIN, today(protocol, now), value=visit)
        replan(connection, protocol, subject, entry=opened, now=now)
        step = f"{AGAIN}-{len(before) + 1}"
        texts = [text for text in ledger.rows(connection, subject) if (text.visit, text.step) == (visit, step)]
        if not any(text.state == arrows.PLANNED for text in texts):
            raise Refusal([Wrong("visit", N_("No text can go before the window closes. Call instead."))])
    return True


def give_reason(
    connection: Connection, protocol: Protocol, subject: str, visit: str, *, reason: str, by: Actor, now: datetime
) -> None:
    """Say why a form is not answered; nothing more is sent for it. Its link keeps working: an answer still counts.

    reason: one of REASONS, or empty to take the one that stands back. Raises Refusal.
    """
    people.lock(connection, subject)
    known, row = known_patient(connection, subject), assessment_of(connection, subject, visit)
    if reason and reason not in REASONS:
        raise Refusal([Wrong("reason", N_("Choose one of the reasons."))])
    if row is None or row.opens_at > now or not row.expected:
        raise Refusal([Wrong("visit", N_("This form is not open yet, or nobody expects it."))])
    if row.completed_at is not None:
        raise Refusal([Wrong("visit", N_("This form is complete; it needs no reason."))])
    action = "missing reason recorded" if reason else "missing reason taken back"
    why = f"{visit}: {reason or row.reason}"
    with entry(connection, chain=known.site, action=action, by=by, at=now, reason=why) as opened:
        opened.update(Assessment, row.id, reason=reason or None)
        replan(connection, protocol, subject, entry=opened, now=now)


def _why_none_goes(
    connection: Connection, protocol: Protocol, known: Facts, row: Any, now: datetime
) -> Iterator[Wrong]:
    if row is None or not is_open(row, now) or known.ended is not None:
        yield Wrong("visit", N_("This form is not open now."))
    elif row.reason is not None:
        yield Wrong("visit", N_("A reason is recorded for this form. Take it back first."))
    elif not known.may_be_texted:
        yield Wrong("visit", N_("No text reaches this patient. Call instead."))
    elif known.paused_until(known.day_of(now)):
        yield Wrong("visit", N_("The texts of this patient rest. Let them go again first."))
    elif any(known.day_of(sent.at) == known.day_of(now) for sent in ledger.history(connection, known.subject)):
        yield Wrong("visit", N_("A text left to her today; she gets at most one a day. It can be sent again tomorrow."))
