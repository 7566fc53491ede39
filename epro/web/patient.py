"""The patient's form: all its questions in one document for a phone with scripts, one a page for one without.

Looking changes nothing, and no address here holds a token. Whoever has no open link is told to open hers again.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import groupby
from typing import Any
from uuid import uuid4

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_wtf.csrf import CSRFError
from werkzeug.wrappers import Response as Answer

from epro.acts import answers, links
from epro.acts.answers import Said
from epro.acts.links import TABLET, Opened
from epro.refusals import Refusal
from epro.store.locks import LockedData
from epro.web import sittings
from epro.web.house import house, now, reading, writing
from epro.web.inlined import pack
from epro.web.languages import asked_for, speak
from epro.web.questions import UNANSWERED, Standing, first_unanswered, questions_of, standings, those_asked
from epro.web.saving import ticket_of, who_modes
from epro.web.sittings import Sitting

pages = Blueprint("patient", __name__)

Page = str | Answer | tuple[str, int]
KEY = re.compile(r"[0-9a-f]{32}")  # made anew for every view of a question
REVIEW = "review"


@dataclass(frozen=True)
class Seen:
    """An open link, who sits before it, and every question as this sitting may see it."""

    sitting: Sitting
    opened: Opened
    standings: Sequence[Standing]

    @property
    def asked(self) -> list[Standing]:
        return those_asked(self.standings)

    def standing(self, n: int) -> Standing:
        """The n-th question that is asked. There is no such page beyond the last."""
        if not 1 <= n <= len(self.asked):
            abort(404)
        return self.asked[n - 1]


@pages.get("/form")
def form() -> Page | Response:
    """The whole form, open at the first question without an answer."""
    seen = _seen()
    return gone() if seen is None else pack(_whole(seen))


@pages.get("/form/copy")
def copy() -> Page | Response:
    """The form for a phone to keep: which questions are answered, never what was said."""
    seen = _seen()
    if seen is None:
        return gone()
    return pack(_whole(replace(seen, standings=[each.without_answer() for each in seen.standings])))


@pages.get("/form/<int:n>")
def question(n: int) -> Page:
    seen = _seen()
    return gone() if seen is None else question_page(seen, n)


@pages.post("/form/<int:n>")
def answer(n: int) -> Page:
    """Save one answer, or a chosen blank; ask once before an item that has neither is passed by."""
    seen = _seen()
    if seen is None:
        return gone()
    chosen, blank, key = request.form.get("value", "").strip(), "blank" in request.form, request.form.get("key", "")
    standing = seen.standing(n)
    if not chosen and not blank:
        return question_page(seen, n, asks=True) if standing.state == UNANSWERED else _next(seen, n)
    words = standing.question.words.longest is not None
    if not KEY.fullmatch(key) or (chosen and not words and not re.fullmatch(r"\d{1,3}", chosen)):
        abort(400)
    said = _said(standing, "" if blank else chosen, key)
    try:
        kept = _save(seen.sitting, said)
    except LockedData:
        raise
    except Refusal as refusal:
        return question_page(seen, n, wrong=" ".join(gettext(each.message, **each.values) for each in refusal.wrongs))
    now_seen = _seen() if kept else None  # a gate may have opened or closed
    return gone() if now_seen is None else _next(now_seen, n)


@pages.get("/form/review")
def review() -> Page:
    seen = _seen()
    return gone() if seen is None else look_over_page(seen)


@pages.post("/form/language")
def change_language() -> Page:
    """Another language for the page, and for the questions too as long as none is answered."""
    sitting, wanted = _sitting(), request.form.get("language", "")
    if sitting is None or wanted not in house().protocol.trial.languages:
        return gone()
    with writing() as connection:
        opened = links.opened_for_writing(connection, sitting.link, now())
        if opened is None:
            return closed()
        asked_in = answers.start(connection, house().protocol, opened, language=wanted, now=now())
    sittings.speak(sitting, wanted, asked_in)
    return redirect(url_for("patient.form"), 303)


@pages.post("/form/submit")
def submit() -> Page:
    """Send the form. Sent twice it is one form, and the second time says thanks as the first did."""
    sitting = _sitting()
    if sitting is None:
        return gone()
    with writing() as connection:
        opened = links.opened_for_writing(connection, sitting.link, now())
        if opened is not None:
            answers.submit(connection, house().protocol, opened, who=request.form.get("who"), now=now())
        elif not links.is_used_up(connection, sitting.link):
            return closed()
    sittings.finish(sitting)
    return redirect(url_for("patient.done"), 303)


@pages.get("/form/done")
def done() -> Page:
    last = sittings.finished()
    if last is None:
        return closed()
    speak(asked_for() or last["language"])
    return render_template("patient/done.html", nurse=nurse_of(last["site"]), on_tablet=last["mode"] == TABLET)


@pages.app_errorhandler(CSRFError)
def _stale(error: CSRFError) -> Page:
    """A form of a page that was left open until the browser forgot it: the link opens it again."""
    return gone() if request.blueprint in ("patient", "arriving") else _plain(error)


def _plain(error: CSRFError) -> tuple[str, int]:
    said = gettext("The page could not understand what was sent. Go back and try again.")
    return render_template("error.html", message=said), error.code or 400


@pages.errorhandler(LockedData)
def _locked(_: LockedData) -> Page:
    """Her data are locked for analysis: the link opens nothing any more."""
    return closed()


def gone() -> Page:
    """Nobody sits here, or her link is no longer alive."""
    return redirect(url_for("patient.done"), 303) if sittings.finished() else closed()


def closed() -> Page:
    """The one page of every link that opens nothing."""
    nurses = [(site.name, nurse_of(code)) for code, site in house().protocol.sites.items()]
    return render_template("patient/closed.html", nurses=nurses), 404


def nurse_of(site: str) -> dict[str, Any]:
    """Whom to call: the number as people read it, and as a phone dials it."""
    protocol = house().protocol
    return {"phone": protocol.sites[site].phone, "dial": protocol.site_phone(site)}


def _sitting() -> Sitting | None:
    sitting = sittings.current(now())
    if sitting:
        speak(sitting.speaks)
    return sitting


def _seen() -> Seen | None:
    """None when there is no sitting or no open link."""
    sitting = _sitting()
    if sitting is None:
        return None
    with reading() as connection:
        opened = links.opened(connection, sitting.link, now())
        if opened is None:
            return None
        given = answers.given(connection, opened.assessment)
    questions = questions_of(house().protocol, opened.visit, opened.version, sitting.language, given)
    return Seen(sitting, opened, standings(questions, given, sitting.id, may_read=sitting.may_read))


def _said(standing: Standing, chosen: str, key: str) -> Said:
    """The same tap twice is one save; another choice on the same view (Back, and changed her mind) is another."""
    asked = standing.question
    if asked.words.longest is not None:
        return Said(asked.instrument, asked.item, None, key=f"{key}.{sha256(chosen.encode()).hexdigest()}", text=chosen)
    return Said(asked.instrument, asked.item, int(chosen) if chosen else None, key=f"{key}.{chosen}")


def _save(sitting: Sitting, said: Said) -> bool:
    """Whether the link was still alive and the answer is kept: committed when this returns."""
    with writing() as connection:
        opened = links.opened_for_writing(connection, sitting.link, now())
        if opened is None:
            return False
        answers.save(connection, house().protocol, opened, [said], session=sitting.id, now=now())
    return True


def _whole(seen: Seen) -> Response:
    n = first_unanswered(seen.asked)
    page = render_template(
        "patient/question.html",
        current=seen.standing(n) if n else None,
        key=uuid4().hex,
        ticket=ticket_of(seen.sitting),
        form_id=_opaque(seen.opened.assessment),
        link_id=seen.sitting.link[:16],
        **_of_whole(seen),
    )
    return Response(page)


def _of_whole(seen: Seen) -> dict[str, Any]:
    """What the document and the look over all answers say."""
    questions = [each.question for each in seen.standings]
    return {
        "seen": seen.standings,
        "questionnaires": [list(group) for _, group in groupby(seen.standings, lambda each: each.question.instrument)],
        "count": len(seen.asked),
        "saved": any(each.state != UNANSWERED for each in seen.asked),
        "banners": list(dict.fromkeys(each.banner for each in questions if each.banner)),
        "who_modes": who_modes(seen.opened),
    }


def look_over_page(seen: Seen) -> str:
    return render_template("patient/review.html", **_of_whole(seen))


def question_page(seen: Seen, n: int, *, asks: bool = False, wrong: str | None = None) -> Page:
    """One question by itself."""
    current = seen.standing(n)
    page = render_template(
        "patient/question.html",
        current=current,
        count=len(seen.asked),
        saved=any(each.state != UNANSWERED for each in seen.asked),
        banners=[current.question.banner] if current.question.banner else [],
        key=uuid4().hex,
        asks=asks,
        wrong=wrong,
        then=REVIEW if _back_to_review() else None,
    )
    return (page, 422) if wrong else page


def _next(seen: Seen, n: int) -> Answer:
    if _back_to_review() or n >= len(seen.asked):
        return redirect(url_for("patient.review"), 303)
    return redirect(url_for("patient.question", n=n + 1), 303)


def _back_to_review() -> bool:
    return request.args.get("then") == REVIEW


def _opaque(assessment: int) -> str:
    """By which the phone knows this form from another patient's, and nobody else learns anything."""
    key = house().settings.secret_key.get_secret_value().encode()
    return hmac.new(key, f"form {assessment}".encode(), hashlib.sha256).hexdigest()[:16]
