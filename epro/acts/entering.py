"""A nurse enters a whole form for a patient: what she says on the phone, or what stands on paper.

Each answer and the form say by which way it came and who entered it. The form is complete with that: on paper on the
day that stands on it, however late it is entered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import Connection

from epro.acts import calls
from epro.acts.answers import ANSWERED, Said, close_gates, form_of, forms_of, given, row_of, wrongs_in
from epro.acts.enrolment import wrong_date
from epro.acts.links import Opened
from epro.acts.patients import known_patient
from epro.acts.receiving import note_whether_received
from epro.acts.replanning import replan
from epro.assessments import is_open
from epro.protocol import CONSENT, Protocol
from epro.refusals import N_, Refusal, Wrong
from epro.store.audit import Actor, Entry, entry
from epro.store.facts import Facts
from epro.store.models import Answer, Assessment, Form
from epro.store.people import lock
from epro.store.planned import assessment_of

PHONE, PAPER = "phone", "paper"
ENTERED = {PHONE: "answers entered by phone", PAPER: "answers entered from paper"}  # mode: the trail's word


@dataclass(frozen=True)
class Entered:
    """A whole form as a nurse has it. mode: PHONE or PAPER. on: the day that stands on the paper. Shows no answer."""

    mode: str
    said: Sequence[Said] = field(repr=False)
    on: date | None = None


def enter(
    connection: Connection,
    protocol: Protocol,
    subject: str,
    visit: str,
    asked: Entered,
    *,
    by: Actor,
    now: datetime,
) -> None:
    """Keep the answers and complete the form. Raises Refusal with every fault; then nothing is kept.

    By phone only while the form is open; from paper from the first day on that it could be answered, for ever after.
    """
    lock(connection, subject)
    known, row = known_patient(connection, subject), assessment_of(connection, subject, visit)
    wrongs = list(_wrongs(protocol, known, row, asked, now))
    if row is None or wrongs:
        raise Refusal(wrongs)
    opened = _opened(known, row, asked.mode)
    wrongs = [wrong for one in asked.said for wrong in wrongs_in(protocol, opened, one)]
    if wrongs:
        raise Refusal(wrongs)
    done_at = _done_at(protocol, asked, now)
    with entry(connection, chain=known.site, action=ENTERED[asked.mode], by=by, at=now, reason=visit) as made:
        _begin(protocol, opened, row, done_at, made)
        _keep(protocol, opened, asked, done_at, by, made)
        made.update(Assessment, row.id, completed_at=done_at, reason=None)
        if asked.mode == PHONE:
            calls.note_call(connection, protocol, made, subject, calls.ANSWERED)
        replan(connection, protocol, subject, entry=made, now=now)


def _wrongs(protocol: Protocol, known: Facts, row: Any, asked: Entered, now: datetime) -> Iterator[Wrong]:
    if row is None:
        yield Wrong("visit", N_("The plan of this patient has no such form."))
        return
    if row.completed_at is not None:
        yield Wrong("visit", N_("This form is complete already; single answers can be corrected."))
    elif row.opens_at > now:
        yield Wrong("visit", N_("This form is not open yet."))
    if asked.mode == PHONE and (known.ended is not None or not is_open(row, now)):
        yield Wrong("visit", N_("The days for this form are over. Only a paper form filled in then can be entered."))
    if asked.mode == PAPER and asked.on is None:
        yield Wrong("on", N_("Give the day that stands on the paper, as 2027-03-01."))
    if asked.mode == PAPER and asked.on is not None:
        yield from wrong_date(protocol, "on", asked.on, now, known.events[CONSENT].on)
        if known.ended is not None and asked.on > known.ended.on:
            yield Wrong("on", N_("The patient had died or withdrawn by then."))
    if not any(not one.is_blank for one in asked.said):
        yield Wrong("said", N_("Nothing is answered. Record why the form is missing instead."))


def _done_at(protocol: Protocol, asked: Entered, now: datetime) -> datetime:
    """When the form was filled in: now, or at noon of the day on the paper."""
    if asked.on is None:
        return now
    return min(now, datetime.combine(asked.on, time(12), protocol.zone).astimezone(now.tzinfo))


def _opened(known: Facts, row: Any, mode: str) -> Opened:
    """The form as a link would open it."""
    return Opened(
        token_hash="",
        assessment=row.id,
        subject=known.subject,
        site=known.site,
        visit=row.visit,
        version=row.schedule_version,
        language=known.language,
        mode=mode,
        closes_at=row.closes_at,
    )


def _begin(protocol: Protocol, opened: Opened, row: Any, done_at: datetime, made: Entry) -> None:
    """Make the forms where she had begun none; of those that she had, keep how they were completed."""
    begun = forms_of(made.connection, opened.assessment)
    for form in begun.values():
        made.update(Form, form, mode=opened.mode)
    new = [code for code in protocol.visit(opened.visit, opened.version).instruments if code not in begun]
    if new:
        made.insert_all(Form, [form_of(protocol, opened, code, opened.language, opened.mode) for code in new])
    if row.started_at is None:
        made.update(Assessment, opened.assessment, started_at=done_at)


def _keep(protocol: Protocol, opened: Opened, asked: Entered, done_at: datetime, by: Actor, made: Entry) -> None:
    """Append what was said. What the nurse leaves blank and the patient has answered before stays as it is."""
    forms, before = forms_of(made.connection, opened.assessment), given(made.connection, opened.assessment)
    answered = {key for key, one in before.items() if one.state == ANSWERED}
    said = [one for one in asked.said if not (one.is_blank and (one.instrument, one.item) in answered)]
    rows = [replace(one, key=f"{made.id}.{one.item}", said_at=done_at) for one in said]
    made.insert_all(Answer, [{**row_of(one, forms, opened, "", made.at), "by": by.name} for one in rows])
    close_gates(made.connection, protocol, opened, forms, made)
    note_whether_received(made, opened.assessment)
