"""The web application: which parts does it have, and what holds for every request?"""

from __future__ import annotations

import uuid
from pathlib import Path

from flask import Flask, Response, current_app, g, render_template, request
from flask_babel import Babel, gettext
from flask_wtf import CSRFProtect
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException

from epro.store import database
from epro.web import accounts, desk, health, patient, webhooks
from epro.web.house import House, house

csrf = CSRFProtect()

HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; "
        "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}
MAX_BODY_BYTES = 64 * 1024
MAX_FORM_FIELDS = 200


def create_app(house: House) -> Flask:
    app = Flask("epro.web", template_folder="templates", static_folder="static", root_path=str(Path(__file__).parent))
    secure = house.settings.address.startswith("https://")
    app.config.update(
        SECRET_KEY=house.settings.secret_key.get_secret_value(),
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        MAX_FORM_PARTS=MAX_FORM_FIELDS,
        SESSION_COOKIE_NAME="__Host-epro" if secure else "epro",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_TIME_LIMIT=None,  # a form may lie open for a day; the session bounds it
        BABEL_DEFAULT_LOCALE=house.protocol.language,
        BABEL_DEFAULT_TIMEZONE=house.protocol.trial.zone,
    )
    app.extensions["epro"] = house
    Babel(app, locale_selector=_language)
    csrf.init_app(app)
    accounts.init_app(app, house)
    for part in (patient, desk, webhooks, health):
        app.register_blueprint(part.pages)
    for machine in (webhooks, health):
        csrf.exempt(machine.pages)
    app.before_request(_name_request)
    app.after_request(_set_headers)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(OperationalError, _database_error)
    app.register_error_handler(Exception, _unforeseen)
    return app


def _language() -> str:
    """The language chosen on the page, the patient's own, or what the browser asks for among the trial's."""
    languages = house().protocol.trial.languages
    chosen = request.cookies.get("language") or getattr(g, "language", None)
    return chosen if chosen in languages else request.accept_languages.best_match(languages) or languages[0]


def _name_request() -> None:
    g.request_id = uuid.uuid4().hex[:16]


def _set_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _http_error(error: HTTPException) -> tuple[str, int]:
    return render_template("error.html", code=error.code, message=_said(error)), error.code or 500


def _said(error: HTTPException) -> str:
    known = {
        400: gettext("The page could not understand what was sent. Go back and try again."),
        403: gettext("You may not do this."),
        404: gettext("There is no such page."),
        405: gettext("There is no such page."),
        413: gettext("What was sent is too large."),
    }
    return known.get(error.code or 500, gettext("Something went wrong. Nothing was saved. Try again."))


def _database_error(error: OperationalError) -> tuple[str, int]:
    current_app.logger.error("database: %s", database.in_words(error))
    return render_template(
        "error.html", code=503, message=gettext("Nothing was saved just now. Try again in a moment.")
    ), 503


def _unforeseen(error: Exception) -> tuple[str, int]:
    """No traceback reaches a user, and none of the error's values reach the log: only its kind and its place."""
    trace, place = error.__traceback__, ""
    while trace:
        code = trace.tb_frame.f_code
        place, trace = f"{code.co_name}:{trace.tb_lineno}", trace.tb_next
    current_app.logger.error("unforeseen %s at %s, request %s", type(error).__name__, place, g.get("request_id"))
    return render_template(
        "error.html", code=500, message=gettext("Something went wrong. Nothing was saved. Try again.")
    ), 500
