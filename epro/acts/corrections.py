"""A member of staff corrects an answer after the patient can no longer do so: with a reason, and nothing is lost.

Every version stays; the current answer is the latest. What a gate hides after the correction is noted as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from epro.acts.answers import ANSWERED, BY_RULE, NOT_APPLICABLE, SKIPPED, given, standing
from epro.acts.receiving import note_whether_received
from epro.assessments import is_open
from epro.protocol import Protocol
from epro.refusals import N_, Refusal, Wrong
from epro.store.audit import Actor, Entry, entry
from epro.store.models import Answer, Assessment, Form, Patient
from epro.store.people import lock
from questionnaires.branching import overtaken

REASONS = {
    "mistyped": N_("Mistyped or tapped by mistake"),
    "misunderstood": N_("The question was misunderstood"),
    "source": N_("Differs from the paper form or another source"),
    "wrong_patient": N_("Answered for another patient"),
    "technical": N_("Technical fault"),
    "other": N_("Another reason"),
}
ORIGINATORS = {  # whose word the new value is; kept as the answer's mode
    "patient": N_("The patient, told to staff"),
    "proxy": N_("A relative on the patient's behalf"),
    "paper": N_("A form on paper"),
    "staff": N_("Staff alone"),
}
LONGEST_REASON = 200


@dataclass(frozen=True)
class Correction:
    """What staff ask for. value and text both empty = the answer is left blank. Its repr shows neither."""

    instrument: str
    item: str
    value: int | None
    text: str | None
    reason: str  # one of REASONS
    words: str  # why, without names
    originator: str  # one of ORIGINATORS

    def __repr__(self) -> str:
        return f"Correction({self.instrument}, {self.item})"


def correct(
    connection: Connection,
    protocol: Protocol,
    subject: str,
    visit: str,
    asked: Correction,
    *,
    by: Actor,
    now: datetime,
) -> None:
    """Add another version of one answer. Raises Refusal with every fault; then nothing is kept."""
    lock(connection, subject)
    form = _form(connection, subject, visit, asked.instrument)
    wrongs = _wrongs(protocol, form, asked, now)
    if form is None or wrongs:
        raise Refusal(wrongs)
    current = given(connection, form.assessment).get((asked.instrument, asked.item))
    if current and current.state != NOT_APPLICABLE and (current.value, current.text) == (asked.value, asked.text):
        raise Refusal([Wrong("value", N_("This is the answer already."))])
    why = f"{asked.reason}: {asked.words.strip()}"
    with entry(connection, chain=form.site, action="answer corrected", by=by, at=now, reason=why) as made:
        state = SKIPPED if asked.value is None and not asked.text else ANSWERED
        _add(made, form.id, asked, state, by.name, why)
        _close_gates(protocol, form.id, form.assessment, asked, made)
        note_whether_received(made, form.assessment)


def _form(connection: Connection, subject: str, visit: str, instrument: str) -> Any:
    return connection.execute(
        select(
            Form.id,
            Form.assessment,
            Patient.site,
            Assessment.opens_at,
            Assessment.closes_at,
            Assessment.expected,
            Assessment.started_at,
            Assessment.completed_at,
        )
        .join(Assessment, Assessment.id == Form.assessment)
        .join(Patient, Patient.subject == Assessment.subject)
        .where(Assessment.subject == subject, Assessment.visit == visit, Form.instrument == instrument)
    ).one_or_none()


def _wrongs(protocol: Protocol, form: Any, asked: Correction, now: datetime) -> list[Wrong]:
    if form is None:
        return [Wrong("item", N_("This form was never begun; there is no answer to correct."))]
    wrongs = []
    if is_open(form, now):
        wrongs.append(Wrong("item", N_("The form is still open: the patient herself can change the answer.")))
    if asked.reason not in REASONS:
        wrongs.append(Wrong("reason", N_("Choose why the answer is corrected.")))
    if not asked.words.strip():
        wrongs.append(Wrong("words", N_("Say why, in a few words without names.")))
    if len(asked.words) > LONGEST_REASON:
        wrongs.append(Wrong("words", N_("Write at most %(longest)s characters."), {"longest": LONGEST_REASON}))
    if asked.originator not in ORIGINATORS:
        wrongs.append(Wrong("originator", N_("Choose whose word the new answer is.")))
    return wrongs + _wrong_value(protocol, asked)


def _wrong_value(protocol: Protocol, asked: Correction) -> list[Wrong]:
    words = protocol.wordings[asked.instrument, protocol.language].items.get(asked.item)
    if words is None:
        return [Wrong("item", N_("The questionnaire has no such question."))]
    if asked.value is not None and asked.value not in [value for value, _ in words.options]:
        return [Wrong("value", N_("Choose one of the answers shown."))]
    if asked.text and words.longest is None:
        return [Wrong("value", N_("Choose one of the answers shown."))]
    if asked.text and words.longest is not None and len(asked.text) > words.longest:
        return [Wrong("value", N_("Write at most %(longest)s characters."), {"longest": words.longest})]
    return []


def _close_gates(protocol: Protocol, form: int, assessment: int, asked: Correction, made: Entry) -> None:
    known = given(made.connection, assessment)
    for item in overtaken(protocol.instruments[asked.instrument], standing(known, asked.instrument)):
        blank = Correction(asked.instrument, item, None, None, asked.reason, asked.words, asked.originator)
        _add(made, form, blank, NOT_APPLICABLE, BY_RULE, None)


def _add(made: Entry, form: int, asked: Correction, state: str, by: str, reason: str | None) -> None:
    made.insert(
        Answer,
        form=form,
        item=asked.item,
        value=asked.value,
        text=asked.text or None,
        state=state,
        key=f"{made.id}.{asked.item}",
        session="",
        said_at=None,
        received_at=made.at,
        by=by,
        mode=asked.originator,
        reason=reason,
    )
