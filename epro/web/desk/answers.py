"""What was answered at a visit, in every version; and the form by which staff correct one answer."""

from __future__ import annotations

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from epro.acts import corrections
from epro.acts.corrections import ORIGINATORS, REASONS, Correction
from epro.queries.history import Item, Version, items_of_visit
from epro.refusals import N_, Refusal, Wrong
from epro.web.desk.gate import allowed, pages
from epro.web.desk.inputs import by_field, typed
from epro.web.house import house, now, reading, staff, writing
from epro.web.languages import language
from questionnaires.wording import ItemText

BY_WHOM = {
    "self": N_("by link"),
    "tablet": N_("on the clinic's tablet"),
    **ORIGINATORS,
}
STATES = {"skipped": N_("left blank"), "not_applicable": N_("not asked, because of another answer")}
LONGEST_NUMBER = 4


@pages.get("/patients/<subject>/visits/<visit>")
@allowed("answers.read")
def answers_of_visit(subject: str, visit: str) -> str:
    items = _items(subject, visit)
    return render_template(
        "desk/answers.html", subject=subject, visit=visit, items=[(item, _words(item)) for item in items], **_said()
    )


@pages.get("/patients/<subject>/visits/<visit>/<instrument>/<item>")
@allowed("answers.correct")
def answer(subject: str, visit: str, instrument: str, item: str) -> str:
    return _page(subject, visit, _item(subject, visit, instrument, item), {})


@pages.post("/patients/<subject>/visits/<visit>/<instrument>/<item>")
@allowed("answers.correct")
def correct_answer(subject: str, visit: str, instrument: str, item: str) -> tuple[str, int] | Response:
    """Another version beside those that are there, with its reason; without one nothing is kept."""
    shown = _item(subject, visit, instrument, item)
    try:
        asked = _asked(shown)
        with writing() as connection:
            corrections.correct(connection, house().protocol, subject, visit, asked, by=staff(), now=now())
    except Refusal as refusal:
        return _page(subject, visit, shown, by_field(refusal.wrongs)), 400
    flash(gettext("The answer is corrected; the earlier ones are kept."))
    return redirect(url_for("desk.answers_of_visit", subject=subject, visit=visit), 303)


def _asked(item: Item) -> Correction:
    """What the form says. Raises Refusal when the answer can be none."""
    chosen, words = typed("value"), _words(item)
    blank = "blank" in request.form or not chosen
    if blank and "blank" not in request.form:
        raise Refusal([Wrong("value", N_("Choose the right answer, or that it is left blank."))])
    if not blank and words.longest is None and not (chosen.isdecimal() and len(chosen) <= LONGEST_NUMBER):
        raise Refusal([Wrong("value", N_("Choose one of the answers shown."))])
    return Correction(
        instrument=item.instrument,
        item=item.code,
        value=int(chosen) if not blank and words.longest is None else None,
        text=chosen if not blank and words.longest is not None else None,
        reason=typed("reason"),
        words=typed("words"),
        originator=typed("originator"),
    )


def _items(subject: str, visit: str) -> list[Item]:
    if visit not in house().protocol.schedule.visits:
        abort(404)
    with reading() as connection:
        return items_of_visit(connection, house().protocol, subject, visit)


def _item(subject: str, visit: str, instrument: str, code: str) -> Item:
    found = [item for item in _items(subject, visit) if (item.instrument, item.code) == (instrument, code)]
    return found[0] if found else abort(404)


def _words(item: Item) -> ItemText:
    wordings = house().protocol.wordings
    here = wordings.get((item.instrument, language())) or wordings[item.instrument, house().protocol.language]
    return here.items[item.code]


def _label(version: Version, words: ItemText) -> str:
    if version.value is None:
        return version.text or str(gettext(STATES.get(version.state, version.state)))
    label = next((label for value, label in words.options if value == version.value), "")
    return f"{version.value} {label}".strip()


def _page(subject: str, visit: str, item: Item, errors: dict[str, list[str]]) -> str:
    words = _words(item)
    return render_template(
        "desk/answer.html",
        subject=subject,
        visit=visit,
        item=item,
        words=words,
        errors=errors,
        typed=request.form,
        **_said(),
    )


def _said() -> dict[str, object]:
    return {"label": _label, "REASONS": REASONS, "ORIGINATORS": ORIGINATORS, "BY_WHOM": BY_WHOM}
