"""The page on which a nurse enters a whole form: from the phone, or from paper, once or twice over."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from epro.acts import entering
from epro.acts.answers import ANSWERED, Said, given
from epro.acts.entering import PAPER, PHONE, Entered
from epro.acts.patients import known_patient
from epro.refusals import N_, Refusal, Wrong
from epro.store.facts import Facts
from epro.store.planned import assessment_of
from epro.web.desk.gate import allowed, pages
from epro.web.desk.inputs import by_field, day, typed
from epro.web.desk.words import visit_title
from epro.web.house import house, now, reading, staff, writing
from epro.web.questions import Question, questions_of

FIRST = "first"  # the field that carries what was entered the first time
TWICE, SETTLED = "twice", "settled"
LONGEST_NUMBER = 4


def known_visit(visit: str) -> None:
    """A visit that the trial does not have is no page."""
    if visit not in house().protocol.visits:
        abort(404)


def questions_to_enter(connection: Connection, patient: Facts, visit: str) -> list[tuple[Question, bool]]:
    """Every item of a visit in the patient's language, and whether she has answered it herself before."""
    row = assessment_of(connection, patient.subject, visit)
    if row is None:
        return []
    before = given(connection, row.id)
    answered = {key for key, one in before.items() if one.state == ANSWERED}
    questions = questions_of(house().protocol, visit, row.schedule_version, patient.language, {})
    return [(one, (one.instrument, one.item) in answered) for one in questions]


@pages.get("/patients/<subject>/visits/<visit>/paper")
@allowed("answers.enter")
def paper(subject: str, visit: str) -> str:
    return _page(subject, visit, PAPER, {})


@pages.post("/patients/<subject>/visits/<visit>/paper")
@allowed("answers.enter")
def enter_paper(subject: str, visit: str) -> Response | tuple[str, int]:
    """Kept at once, or compared with a second entry first, as the nurse asks."""
    return _enter(subject, visit, PAPER)


@pages.post("/patients/<subject>/visits/<visit>/phone")
@allowed("answers.enter")
def enter_phone(subject: str, visit: str) -> Response | tuple[str, int]:
    return _enter(subject, visit, PHONE)


def _enter(subject: str, visit: str, mode: str) -> Response | tuple[str, int]:
    known_visit(visit)
    with reading() as connection:
        asked = questions_to_enter(connection, known_patient(connection, subject), visit)
    questions = [question for question, _ in asked]
    if TWICE in request.form:
        return _page(subject, visit, mode, {}, first=_as_typed(questions), again=True), 200
    differ = [] if SETTLED in request.form else _differences(questions)
    if differ:
        return _page(subject, visit, mode, {}, first=_as_typed(questions), differ=differ), 200
    try:
        wrongs: list[Wrong] = []
        on = day("on", wrongs) if mode == PAPER else None
        said = list(_said(questions, wrongs))
        wrongs += _blanks(asked, said)
        if wrongs:
            raise Refusal(wrongs)
        with writing() as connection:
            entered = Entered(mode, said, on)
            entering.enter(connection, house().protocol, subject, visit, entered, by=staff(), now=now())
    except Refusal as refusal:
        return _page(subject, visit, mode, by_field(refusal.wrongs)), 422
    flash(gettext("%(subject)s, %(visit)s: the answers are kept.", subject=subject, visit=visit_title(visit)))
    return redirect(url_for("desk.landing" if mode == PHONE else "desk.patient", subject=subject), 303)


def _said(questions: Sequence[Question], wrongs: list[Wrong]) -> Iterator[Said]:
    for one in questions:
        chosen = typed(one.name)
        if chosen and one.words.longest is None and not (chosen.isdecimal() and len(chosen) <= LONGEST_NUMBER):
            wrongs.append(Wrong(one.name, N_("Choose one of the answers shown.")))
        elif one.words.longest is None:
            yield Said(one.instrument, one.item, int(chosen) if chosen else None, key="")
        else:
            yield Said(one.instrument, one.item, None, key="", text=chosen or None)


def _blanks(asked: Sequence[tuple[Question, bool]], said: Sequence[Said]) -> list[Wrong]:
    """That something is left blank must be said, lest an item was passed over."""
    before = {(question.instrument, question.item) for question, answered in asked if answered}
    blank = [one for one in said if one.is_blank and (one.instrument, one.item) not in before]
    if not blank or len(blank) == len(said) or "blank" in request.form:
        return []
    return [
        Wrong("blank", N_("Left blank: %(n)s. Check them, or tick that they are blank on purpose."), {"n": len(blank)})
    ]


def _as_typed(questions: Sequence[Question]) -> dict[str, str]:
    return {one.name: typed(one.name) for one in questions}


def _differences(questions: Sequence[Question]) -> list[str]:
    """The items of which the second entry says something else than the first, where there was one."""
    try:
        first = json.loads(typed(FIRST) or "null")
    except ValueError:
        return []
    if not isinstance(first, dict):
        return []
    return [one.name for one in questions if str(first.get(one.name, "")) != typed(one.name)]


def _page(
    subject: str,
    visit: str,
    mode: str,
    errors: dict[str, list[str]],
    *,
    first: dict[str, str] | None = None,
    again: bool = False,
    differ: Sequence[str] = (),
) -> str:
    """again: the same form anew, empty. differ: what the two entries disagree on, to be settled by the paper."""
    known_visit(visit)
    with reading() as connection:
        patient = known_patient(connection, subject)
        row = assessment_of(connection, subject, visit)
        questions = questions_to_enter(connection, patient, visit)
    if row is None:
        abort(404)
    carried = json.dumps(first) if again and first else typed(FIRST)
    before = json.loads(typed(FIRST)) if differ else {}
    return render_template(
        "desk/entering.html",
        patient=patient,
        visit=visit,
        mode=mode,
        row=row,
        questions=questions,
        errors=errors,
        typed={"on": typed("on")} if again else request.form,
        carried=carried,
        again=again,
        differ=differ,
        before=before,
        here=url_for("desk.patient", subject=subject),
    )
