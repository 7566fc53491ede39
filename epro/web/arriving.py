"""A patient arrives at her form: by the link in a text, or by the code on her card."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, redirect, render_template, url_for

from epro.acts import answers, links
from epro.web import sittings
from epro.web.house import house, now, reading, writing
from epro.web.inlined import pack
from epro.web.languages import asked_for, language, speak
from epro.web.patient import Page, closed, nurse_of

pages = Blueprint("arriving", __name__)


@pages.get("/p/<token>")
def start(token: str) -> Page:
    with reading() as connection:
        opened = links.opened(connection, links.hash_of(token), now())
    if opened is None:
        return closed()
    speak(asked_for() or opened.language)
    return render_template("patient/start.html", nurse=nurse_of(opened.site))


@pages.post("/p/<token>")
def begin(token: str) -> Page:
    with writing() as connection:
        opened = links.opened_for_writing(connection, links.hash_of(token), now())
        if opened is None:
            return closed()
        speak(asked_for() or opened.language)
        begun_in = answers.start(connection, house().protocol, opened, language=language(), now=now())
    sittings.begin(opened, begun_in, now(), speaks=asked_for() or begun_in)
    return redirect(url_for("patient.form"), 303)


@pages.get("/worker.js")
def worker() -> Response:
    """The service worker stands at the root, or it could not answer for the pages there."""
    response = current_app.send_static_file("worker.js")
    response.direct_passthrough = False
    response.headers["Cache-Control"] = "no-cache"
    return pack(response)


@pages.get("/accessibility")
def accessibility() -> str:
    return render_template("patient/accessibility.html", sites=house().protocol.sites, nurse_of=nurse_of)
