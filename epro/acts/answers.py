"""A tap becomes data: start, save, submit.

Answers are appended, never overwritten: the current answer is the latest. Each save carries a key of the phone's own,
so that the same save sent twice is one answer. Nothing here says "saved"; the page does, after the commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, func, select

from epro.acts.links import SELF, TABLET, Opened
from epro.acts.receiving import note_whether_received
from epro.acts.replanning import replan
from epro.protocol import Protocol
from epro.refusals import N_, Refusal, Wrong
from epro.store.audit import PATIENT, Actor, Entry, entry
from epro.store.models import Answer, Assessment, Form
from questionnaires.branching import overtaken

ANSWERED, SKIPPED, NOT_APPLICABLE = "answered", "skipped", "not_applicable"
BY_RULE = "rule"  # of an answer that a gate, closed afterwards, made not applicable
HELPED, PROXY, NOT_SAID = "self_helped", "proxy", "not_said"
MODES_ASKED = (
    (SELF, N_("I do, by myself")),
    (HELPED, N_("I do, and somebody helps me")),
    (PROXY, N_("Somebody else answers for me")),
)
WHO = frozenset(code for code, _ in MODES_ASKED)  # what the trial may ask her to say


@dataclass(frozen=True)
class Said:
    """One answer as it comes from the phone: a value, or words. Neither = she left the item blank.

    Its repr shows neither.
    """

    instrument: str
    item: str
    value: int | None
    key: str
    said_at: datetime | None = None  # the phone's clock, as claimed
    text: str | None = None

    @property
    def is_blank(self) -> bool:
        return self.value is None and not self.text

    def __repr__(self) -> str:
        return f"Said({self.instrument}, {self.item})"


def start(
    connection: Connection,
    protocol: Protocol,
    opened: Opened,
    *,
    language: str,
    now: datetime,
    who: str | None = None,
) -> str:
    """Begin an assessment: its forms are made, with the words they are asked in. Returns the language of those words.

    Beginning again changes nothing, but for the language as long as nothing is answered, and for who answers when that
    is said anew.
    """
    begun_in = connection.execute(select(Form.language).where(Form.assessment == opened.assessment)).scalar()
    if begun_in is None:
        visit = protocol.visit(opened.visit, opened.version)
        with entry(connection, chain=opened.site, action="assessment started", by=_by(opened), at=now) as made:
            made.update(Assessment, opened.assessment, started_at=now)
            mode = _mode(protocol, opened, who)
            made.insert_all(Form, [form_of(protocol, opened, code, language, mode) for code in visit.instruments])
        return language
    if who in WHO:
        with entry(connection, chain=opened.site, action="said who answers", by=_by(opened), at=now) as made:
            _say_who(connection, opened, who, made)
    if begun_in == language or given(connection, opened.assessment):
        return begun_in
    with entry(connection, chain=opened.site, action="language chosen", by=_by(opened), at=now) as made:
        for code, form in forms_of(connection, opened.assessment).items():
            made.update(Form, form, **_words(protocol, code, language))
    return language


def save(
    connection: Connection, protocol: Protocol, opened: Opened, said: Sequence[Said], *, session: str, now: datetime
) -> int:
    """Append these answers. Returns how many were new: a key that is known already is the same save again.

    Where an answer closes a gate, what was said behind it is followed by a "not applicable"; it stays in the history.
    Raises Refusal when an item or a value does not exist in the instrument; then nothing is kept.
    """
    wrongs = [wrong for one in said for wrong in wrongs_in(protocol, opened, one)]
    if wrongs:
        raise Refusal(wrongs)
    forms, known, received = _forms_and_known(connection, opened.assessment, [one.key for one in said])
    new = list({one.key: one for one in said if one.key not in known}.values())
    if new:
        with entry(connection, chain=opened.site, action="answers saved", by=_by(opened), at=now) as made:
            made.insert_all(Answer, [row_of(one, forms, opened, session, now) for one in new])
            gated = close_gates(connection, protocol, opened, forms, made)
            if gated or not received or any(one.is_blank for one in new):
                note_whether_received(made, opened.assessment)
    return len(new)


def submit(
    connection: Connection, protocol: Protocol, opened: Opened, *, now: datetime, who: str | None = None
) -> None:
    """Close the assessment. The later texts of this visit fall away, because the plan is made anew; so does a reason
    why it was missing.

    who: one of WHO, when she says who has answered; anything else says nothing.
    """
    with entry(connection, chain=opened.site, action="assessment submitted", by=_by(opened), at=now) as made:
        if who in WHO:
            _say_who(connection, opened, who, made)
        made.update(Assessment, opened.assessment, completed_at=now, reason=None)
        replan(connection, protocol, opened.subject, entry=made, now=now)


@dataclass(frozen=True)
class Given:
    """The current answer to one item."""

    value: int | None
    text: str | None
    state: str
    session: str


def given(connection: Connection, assessment: int) -> dict[tuple[str, str], Given]:
    """The current answer to every item that has one, by (instrument, item)."""
    latest = (
        select(func.max(Answer.id))
        .join(Form, Form.id == Answer.form)
        .where(Form.assessment == assessment)
        .group_by(Answer.form, Answer.item)
    )
    rows = connection.execute(
        select(Form.instrument, Answer.item, Answer.value, Answer.text, Answer.state, Answer.session)
        .join(Form, Form.id == Answer.form)
        .where(Answer.id.in_(latest))
    )
    return {(row.instrument, row.item): Given(row.value, row.text, row.state, row.session) for row in rows}


def standing(given: Mapping[tuple[str, str], Given], instrument: str) -> dict[str, int | str | None]:
    """The answers to one instrument that stand, as its gates see them: item to value or words, None = left blank."""
    return {
        item: one.value if one.value is not None else one.text
        for (asked, item), one in given.items()
        if asked == instrument and one.state != NOT_APPLICABLE
    }


def close_gates(
    connection: Connection, protocol: Protocol, opened: Opened, forms: Mapping[str, int], made: Entry
) -> bool:
    """Follow what was said behind a gate that is closed by now with a "not applicable". Returns whether any was."""
    gated = [code for code in forms if any(item.asked_when for item in protocol.instruments[code].items)]
    if not gated:
        return False
    known = given(connection, opened.assessment)
    rows = [
        {
            **row_of(Said(code, item, None, key=f"{made.id}.{item}"), forms, opened, "", made.at),
            "state": NOT_APPLICABLE,
            "by": BY_RULE,
        }
        for code in gated
        for item in overtaken(protocol.instruments[code], standing(known, code))
    ]
    if rows:
        made.insert_all(Answer, rows)
    return bool(rows)


def _by(opened: Opened) -> Actor:
    return Actor(opened.subject, PATIENT, "tablet" if opened.mode == "tablet" else "phone")


def forms_of(connection: Connection, assessment: int) -> Mapping[str, int]:
    """The forms that were begun, by instrument."""
    rows = connection.execute(select(Form.instrument, Form.id).where(Form.assessment == assessment))
    return {row.instrument: row.id for row in rows}


def _forms_and_known(
    connection: Connection, assessment: int, keys: Sequence[str]
) -> tuple[dict[str, int], set[str], bool]:
    """The forms, which of these keys are kept already, and whether any answer stands."""
    there = and_(Answer.form == Form.id, Answer.key.in_(keys))
    rows = connection.execute(
        select(Form.instrument, Form.id, Answer.key, Assessment.received_at)
        .join(Assessment, Assessment.id == Form.assessment)
        .outerjoin(Answer, there)
        .where(Form.assessment == assessment)
    ).all()
    forms = {row.instrument: row.id for row in rows}
    return forms, {row.key for row in rows if row.key is not None}, any(row.received_at for row in rows)


def _say_who(connection: Connection, opened: Opened, who: str, made: Entry) -> None:
    if opened.mode != TABLET:
        for form in forms_of(connection, opened.assessment).values():
            made.update(Form, form, mode=who)


def _mode(protocol: Protocol, opened: Opened, who: str | None) -> str:
    """Who answers, and how. Where the trial asks, it is never inferred."""
    if opened.mode == TABLET or protocol.trial.who_answers == "no":
        return opened.mode
    return who if who in WHO else NOT_SAID


def form_of(protocol: Protocol, opened: Opened, instrument: str, language: str, mode: str) -> dict[str, object]:
    """The row of a form that is begun now."""
    return {
        "assessment": opened.assessment,
        "instrument": instrument,
        "version": protocol.instruments[instrument].version,
        **_words(protocol, instrument, language),
        "mode": mode,
    }


def _words(protocol: Protocol, instrument: str, language: str) -> dict[str, object]:
    """In which words a form is asked, to the byte."""
    wording = protocol.wordings[instrument, language]
    return {
        "wording_pack": wording.pack,
        "wording_edition": wording.edition,
        "wording_sha256": wording.sha256,
        "language": language,
    }


def wrongs_in(protocol: Protocol, opened: Opened, said: Said) -> Iterable[Wrong]:
    """Why this can be no answer at this visit."""
    visit = protocol.visit(opened.visit, opened.version)
    if said.instrument not in visit.instruments:
        yield Wrong(said.item, N_("This visit does not ask that questionnaire."))
        return
    words = protocol.wordings[said.instrument, protocol.language].items.get(said.item)
    if words is None:
        yield Wrong(said.item, N_("The questionnaire has no such question."))
        return
    longest = words.longest
    if said.value is not None and said.value not in [value for value, _ in words.options]:
        yield Wrong(said.item, N_("Choose one of the answers shown."))
    if said.text and longest is None:
        yield Wrong(said.item, N_("Choose one of the answers shown."))
    if said.text and longest is not None and len(said.text) > longest:
        yield Wrong(said.item, N_("Write at most %(longest)s characters."), {"longest": longest})


def row_of(said: Said, forms: Mapping[str, int], opened: Opened, session: str, now: datetime) -> dict[str, object]:
    """The row of one answer, in her own words by the way that was opened."""
    return {
        "form": forms[said.instrument],
        "item": said.item,
        "value": said.value,
        "text": said.text or None,
        "state": SKIPPED if said.is_blank else ANSWERED,
        "key": said.key,
        "session": session,
        "said_at": said.said_at,
        "received_at": now,
        "by": PATIENT,
        "mode": opened.mode,
        "reason": None,
    }
