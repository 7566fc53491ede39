"""A patient arrives at her form: by the link in a text, or by the code on her card. Or it is somebody else who does.

A GET changes nothing that is hers; a start is a POST with the page's own token. A link that is unknown, expired, used
or revoked gives one and the same page, and whoever guesses is soon told to wait.
"""

from __future__ import annotations

from flask import Blueprint, Response, abort, current_app, redirect, render_template, request, url_for
from flask_babel import gettext

from epro.acts import answers, cards, first_texts, guessing, identity_step, links, reaching
from epro.acts.answers import MODES_ASKED
from epro.acts.guessing import CARD, LINK, SECOND_STEP, Limit
from epro.acts.links import Opened
from epro.store.audit import Actor
from epro.store.codewords import code_word_of
from epro.store.locks import LockedData
from epro.web import patient, sittings
from epro.web.house import house, now, reading, writing
from epro.web.inlined import pack
from epro.web.languages import asked_for, language, speak
from epro.web.patient import Page, closed, nurse_of

pages = Blueprint("arriving", __name__)

WRONG_NUMBER = "wrong_number"
WHOLE = "whole"


@pages.get("/p/<token>")
def start(token: str) -> Page:
    opened = _opened(token)
    return _missed(LINK) if opened is None else _start(opened)


@pages.post("/p/<token>")
def begin(token: str) -> Page:
    """1. Is the link alive? 2. Is she who she says? 3. The forms are made, and this browser sits down with the link.

    A page with scripts gets the form at once (`whole`), and takes the token out of its address; another is sent there.
    """
    opened = _opened(token)
    if opened is None:
        return _missed(LINK)
    wrong = _wrong_second_step(opened)
    if wrong:
        return _start(opened, wrong=wrong), 422
    with writing() as connection:
        held = links.opened_for_writing(connection, opened.token_hash, now())
        if held is None:
            return closed()
        asked_in = answers.start(
            connection, house().protocol, held, language=language(), who=request.form.get("who"), now=now()
        )
    sittings.begin(held, asked_in, now(), speaks=asked_for() or asked_in, may_read=_asks_more(held))
    return patient.form() if WHOLE in request.form else redirect(url_for("patient.form"), 303)


@pages.get("/p/<token>/not-me")
def not_me(token: str) -> Page:
    opened = _opened(token)
    if opened is None:
        return _missed(LINK)
    return render_template("patient/not_me.html", token=token, nurse=nurse_of(opened.site))


@pages.post("/p/<token>/not-me")
def deny(token: str) -> Page:
    """The link came to somebody else: it is closed, and the clinic is told."""
    if _opened(token) is None:
        return _missed(LINK)
    with writing() as connection:
        opened = links.opened_for_writing(connection, links.hash_of(token), now())
        if opened is None:
            return closed()
        number, by = request.form.get("why") == WRONG_NUMBER, Actor("whoever holds the phone", "stranger", "phone")
        reaching.deny(connection, house().protocol, opened.subject, number=number, by=by, now=now())
    sittings.leave()
    return render_template("patient/denied.html", number=number, nurse=nurse_of(opened.site))


@pages.get("/t/<token>")
def first_text(token: str) -> Page:
    """What the link in a test text leads to: no form, but what every text will look like."""
    return _first_text(token, said=False)


@pages.post("/t/<token>")
def opened_first_text(token: str) -> Page:
    with writing() as connection:
        first_texts.note_opened(connection, token, now())
    return _first_text(token, said=True)


@pages.get("/")
def front() -> str:
    """The short address on the card, for whoever has no text at hand."""
    return render_template("patient/card.html")


@pages.post("/")
def enter() -> Page:
    _slow_down(CARD)
    with writing() as connection:
        token = cards.open_by_code(connection, house().cipher, request.form.get("code", ""), now=now())
    return (
        _missed(CARD) if token is None else redirect(url_for("arriving.start", token=token, language=asked_for()), 303)
    )


@pages.get("/accessibility")
def accessibility() -> str:
    return render_template("patient/accessibility.html", sites=house().protocol.sites, nurse_of=nurse_of)


@pages.get("/worker.js")
def worker() -> Response:
    """The service worker stands at the root, or it could not answer for the pages there.

    Its address never changes, so that no browser may keep an old one; it is installed apart from what is kept.
    """
    response = current_app.send_static_file("worker.js")
    response.headers["Cache-Control"] = "no-store"
    response.direct_passthrough = False
    return pack(response)


@pages.errorhandler(LockedData)
def _locked(_: LockedData) -> Page:
    """Her data are locked for analysis: the link opens nothing any more."""
    return closed()


def _opened(token: str) -> Opened | None:
    """What a link opens now, in the language that the page is to speak. A guesser waits."""
    _slow_down(LINK)
    with reading() as connection:
        opened = links.opened(connection, links.hash_of(token), now())
    if opened is not None:
        speak(asked_for() or opened.language)
    return opened


def _first_text(token: str, *, said: bool) -> Page:
    _slow_down(LINK)
    with reading() as connection:
        opened = first_texts.opened(connection, token, now())
        code_word = code_word_of(connection, house().cipher, opened.subject) if opened else None
    if opened is None:
        return _missed(LINK)
    speak(asked_for() or opened.language)
    return render_template("patient/first_text.html", code_word=code_word, nurse=nurse_of(opened.site), said=said)


def _start(opened: Opened, *, wrong: str | None = None) -> str:
    trial = house().protocol.trial
    with reading() as connection:
        code_word = code_word_of(connection, house().cipher, opened.subject)
    return render_template(
        "patient/start.html",
        code_word=code_word,
        nurse=nurse_of(opened.site),
        asks=trial.identity_step if _asks_more(opened) else None,
        wrong=wrong,
        who_modes=MODES_ASKED if trial.who_answers == "start" and opened.mode == links.SELF else (),
        on_tablet=opened.mode == links.TABLET,
        at_once=True,
        watched=house().protocol.sections.alerts,
    )


def _asks_more(opened: Opened) -> bool:
    """Whether she shows more than the link. On the clinic's tablet the nurse who hands it over knows who she is."""
    return house().protocol.trial.identity_step != identity_step.NONE and opened.mode != links.TABLET


def _wrong_second_step(opened: Opened) -> str | None:
    """Why her second step does not pass; None when it does, or none is asked for."""
    step = identity_step.step_of(house().protocol.trial.identity_step, house().cipher)
    if step is None or not _asks_more(opened):
        return None
    whom = house().cipher.digest(f"second step/{opened.subject}")
    with writing() as connection:
        if guessing.is_slowed(connection, SECOND_STEP, whom, now()):
            return str(gettext("That was wrong too often. Wait a quarter of an hour, or call the nurse."))
        if step.passes(connection, opened.subject, request.form.get("second_step", "")):
            return None
        guessing.note(connection, SECOND_STEP, whom, now())
    return str(gettext("That is not what we have noted. Try again, or call the nurse."))


def _slow_down(limit: Limit) -> None:
    with reading() as connection:
        if guessing.is_slowed(connection, limit, _sender(), now()):
            abort(429)


def _missed(limit: Limit) -> Page:
    with writing() as connection:
        guessing.note(connection, limit, _sender(), now())
        guessed = guessing.guessed_links(connection, now())
    if limit is LINK and guessed == guessing.ALARM.most:
        current_app.logger.error("links are being guessed: %s in the last hour", guessed)
    return closed()


def _sender() -> str:
    return house().cipher.digest(f"sender/{request.remote_addr}")
