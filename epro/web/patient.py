"""The patient's phone: a neutral start, one question a screen, a look over all of them, and thanks.

Looking changes nothing: a sitting begins by a POST, and the addresses after it hold no token. A link that is unknown,
expired, used or revoked gives one and the same page.
"""

from __future__ import annotations

import re
from hashlib import sha256
from itertools import groupby
from typing import Any
from uuid import uuid4

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_wtf.csrf import CSRFError
from werkzeug.wrappers import Response as Answer

from epro.acts import answers, links
from epro.acts.answers import Said
from epro.acts.links import TABLET
from epro.refusals import Refusal
from epro.store.codewords import code_word_of
from epro.store.locks import LockedData
from epro.web import sittings
from epro.web.house import house, now, reading, writing
from epro.web.languages import asked_for, language, speak
from epro.web.questions import UNANSWERED, Standing, first_unanswered, questions_of, standings
from epro.web.sittings import Sitting

pages = Blueprint("patient", __name__)

Page = str | Answer | tuple[str, int]
KEY = re.compile(r"[0-9a-f]{32}")  # made anew for every view of a question
REVIEW = "review"


@pages.get("/p/<token>")
def start(token: str) -> Page:
    with reading() as connection:
        opened = links.opened(connection, links.hash_of(token), now())
        code_word = code_word_of(connection, house().cipher, opened.subject) if opened else None
    if opened is None:
        return closed()
    speak(asked_for() or opened.language)
    return render_template("patient/start.html", nurse=_nurse(opened.site), code_word=code_word)


@pages.post("/p/<token>")
def begin(token: str) -> Page:
    with writing() as connection:
        opened = links.opened_for_writing(connection, links.hash_of(token), now())
        if opened is None:
            return closed()
        speak(asked_for() or opened.language)
        begun_in = answers.start(connection, house().protocol, opened, language=language(), now=now())
    sittings.begin(opened, begun_in, now())
    return redirect(url_for("patient.resume"), 303)


@pages.get("/form")
def resume() -> Page:
    seen = _seen()
    if seen is None:
        return gone()
    n = first_unanswered(seen)
    return _to_question(n) if n else _to_review()


@pages.get("/form/<int:n>")
def question(n: int) -> Page:
    seen = _seen()
    return gone() if seen is None else _question(seen, n)


@pages.post("/form/<int:n>")
def answer(n: int) -> Page:
    """Save one answer, or a chosen blank; ask once before an item that has neither is passed by."""
    seen = _seen()
    if seen is None:
        return gone()
    chosen, blank, key = request.form.get("value", "").strip(), "blank" in request.form, request.form.get("key", "")
    standing = _standing(seen, n)
    if not chosen and not blank:
        return _question(seen, n, asks=True) if standing.state == UNANSWERED else _next(seen, n)
    words = standing.question.words.longest is not None
    if not KEY.fullmatch(key) or (chosen and not words and not re.fullmatch(r"\d{1,3}", chosen)):
        abort(400)
    said = _said(standing, "" if blank else chosen, key)
    try:
        kept = _save(said)
    except LockedData:
        raise
    except Refusal as refusal:
        return _question(seen, n, wrong=" ".join(gettext(each.message, **each.values) for each in refusal.wrongs))
    seen = _seen() if kept else None  # a gate may have opened or closed
    return gone() if seen is None else _next(seen, n)


@pages.get("/form/review")
def review() -> Page:
    seen = _seen()
    if seen is None:
        return gone()
    questionnaires = [list(group) for _, group in groupby(seen, key=lambda each: each.question.instrument)]
    return render_template(
        "patient/review.html",
        questionnaires=questionnaires,
        count=len(seen),
        banners=list(dict.fromkeys(each.question.banner for each in seen if each.question.banner)),
        unanswered=sum(each.state == UNANSWERED for each in seen),
        first_unanswered=first_unanswered(seen),
    )


@pages.post("/form/submit")
def submit() -> Page:
    """Send the form. Sent twice it is one form, and the second time says thanks as the first did."""
    sitting = _sitting()
    if sitting is None:
        return gone()
    with writing() as connection:
        opened = links.opened_for_writing(connection, sitting.link, now())
        if opened is not None:
            answers.submit(connection, house().protocol, opened, now=now())
        elif not links.is_used_up(connection, sitting.link):
            return closed()
    sittings.finish(sitting)
    return redirect(url_for("patient.done"), 303)


@pages.get("/form/done")
def done() -> Page:
    last = sittings.finished()
    if last is None:
        return closed()
    speak(last["language"])
    return render_template("patient/done.html", nurse=_nurse(last["site"]), on_tablet=last["mode"] == TABLET)


@pages.errorhandler(CSRFError)
def _stale(_: CSRFError) -> Page:
    """A form of a page that was left open until the browser forgot it: the link opens it again."""
    return gone()


@pages.errorhandler(LockedData)
def _locked(_: LockedData) -> Page:
    """Her data are locked for analysis: the link opens nothing any more."""
    return closed()


def gone() -> Page:
    """Nobody sits here, or her link is no longer alive."""
    return redirect(url_for("patient.done"), 303) if sittings.finished() else closed()


def closed() -> Page:
    """The one page of every link that opens nothing."""
    nurses = [(site.name, _nurse(code)) for code, site in house().protocol.sites.items()]
    return render_template("patient/closed.html", nurses=nurses), 404


def _sitting() -> Sitting | None:
    sitting = sittings.current(now())
    if sitting:
        speak(sitting.language)
    return sitting


def _seen() -> list[Standing] | None:
    """Every question of the open link as this sitting may see it; None when there is no sitting or no open link."""
    sitting = _sitting()
    if sitting is None:
        return None
    with reading() as connection:
        opened = links.opened(connection, sitting.link, now())
        if opened is None:
            return None
        given = answers.given(connection, opened.assessment)
    questions = questions_of(house().protocol, opened.visit, opened.version, sitting.language, given)
    return standings(questions, given, sitting.id)


def _standing(seen: list[Standing], n: int) -> Standing:
    if not 1 <= n <= len(seen):
        abort(404)
    return seen[n - 1]


def _said(standing: Standing, chosen: str, key: str) -> Said:
    """The same tap twice is one save; another choice on the same view (Back, and changed her mind) is another."""
    asked = standing.question
    if asked.words.longest is not None:
        return Said(asked.instrument, asked.item, None, key=f"{key}.{sha256(chosen.encode()).hexdigest()}", text=chosen)
    return Said(asked.instrument, asked.item, int(chosen) if chosen else None, key=f"{key}.{chosen}")


def _save(said: Said) -> bool:
    """Whether the link was still alive and the answer is kept: committed when this returns."""
    sitting = _sitting()
    if sitting is None:
        return False
    with writing() as connection:
        opened = links.opened_for_writing(connection, sitting.link, now())
        if opened is None:
            return False
        answers.save(connection, house().protocol, opened, [said], session=sitting.id, now=now())
    return True


def _question(seen: list[Standing], n: int, *, asks: bool = False, wrong: str | None = None) -> Page:
    standing = _standing(seen, n)
    page = render_template(
        "patient/question.html",
        standing=standing,
        question=standing.question,
        count=len(seen),
        saved=sum(each.state != UNANSWERED for each in seen),
        key=uuid4().hex,
        asks=asks,
        wrong=wrong,
        then=REVIEW if _back_to_review() else None,
    )
    return (page, 422) if wrong else page


def _next(seen: list[Standing], n: int) -> Answer:
    return _to_review() if _back_to_review() or n >= len(seen) else _to_question(n + 1)


def _back_to_review() -> bool:
    return request.args.get("then") == REVIEW


def _to_question(n: int) -> Answer:
    return redirect(url_for("patient.question", n=n), 303)


def _to_review() -> Answer:
    return redirect(url_for("patient.review"), 303)


def _nurse(site: str) -> dict[str, Any]:
    """Whom to call: the number as people read it, and as a phone dials it."""
    protocol = house().protocol
    return {"phone": protocol.sites[site].phone, "dial": protocol.site_phone(site)}
