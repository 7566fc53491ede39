"""The web application: which parts does it have, and what holds for every request?"""

from __future__ import annotations

import hashlib
import uuid
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, g, request, url_for
from flask_wtf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from epro.house import House
from epro.opening import in_force
from epro.sheets import MOST_BYTES
from epro.store.database import glance
from epro.versions import newest
from epro.web import (
    accounts,
    arriving,
    audiences,
    calendar,
    desk,
    errors,
    health,
    languages,
    limits,
    logged,
    patient,
    saving,
    webhooks,
)
from epro.web.inlined import content_security_policy, inlined

csrf = CSRFProtect()

HERE = Path(__file__).parent
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": content_security_policy(),
}
ONLY_HTTPS = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}
MAX_BODY_BYTES = 64 * 1024
MAX_FORM_FIELDS = 200
MAX_FILE_BYTES = {"desk.try_file": 2 * MOST_BYTES, "desk.import_file": 2 * MOST_BYTES}  # as sent, with its form
YEAR_SECONDS = 365 * 24 * 3600


def create_app(house: House) -> Flask:
    """The application that stands on this house."""
    app = Flask("epro.web", template_folder="templates", static_folder="static", root_path=str(HERE))
    secure = house.settings.address.startswith("https://")
    app.config.update(_settings(house, secure))
    app.extensions["epro"] = house
    app.jinja_env.globals.update(asset=asset, inlined=inlined)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    headers = {**HEADERS, **ONLY_HTTPS} if secure else HEADERS
    app.before_request(_name_request)
    logged.init_app(app)
    languages.init_app(app)
    csrf.init_app(app)
    accounts.init_app(app)
    limits.init_app(app)
    for part in (patient, arriving, saving, desk, calendar, webhooks, health):
        app.register_blueprint(part.pages)
    for part in (webhooks, saving):  # each of their requests carries its own proof
        csrf.exempt(part.pages)
    app.before_request(_keep_up)
    app.after_request(lambda response: _add(headers, response))
    errors.init_app(app)
    audiences.check(app)
    if house.settings.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=house.settings.proxies, x_proto=0)  # type: ignore[method-assign]
    return app


def _settings(house: House, secure: bool) -> dict[str, Any]:
    return {
        "DEBUG": False,  # whatever FLASK_DEBUG says: its error pages and messages quote what was sent
        "SECRET_KEY": house.settings.secret_key.get_secret_value(),
        "SECRET_KEY_FALLBACKS": [key.get_secret_value() for key in house.settings.old_secret_keys],
        "MAX_CONTENT_LENGTH": MAX_BODY_BYTES,
        "MAX_FORM_PARTS": MAX_FORM_FIELDS,
        "SEND_FILE_MAX_AGE_DEFAULT": YEAR_SECONDS,  # a file that changes gets another address, see `asset`
        "SESSION_COOKIE_NAME": "__Host-epro" if secure else "epro",
        "SESSION_COOKIE_SECURE": secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "WTF_CSRF_TIME_LIMIT": None,  # a form may lie open for a day; the session bounds it
        "WTF_CSRF_SSL_STRICT": False,  # our pages send no referrer; the token and SameSite do the work
        "BABEL_DEFAULT_LOCALE": house.protocol.language,
        "BABEL_DEFAULT_TIMEZONE": house.protocol.trial.zone,
    }


def asset(name: str) -> str:
    """The address of a file of ours, which changes with its content so that it may be kept for a year."""
    return url_for("static", filename=name, v=_fingerprint(name))


@cache
def _fingerprint(name: str) -> str:
    return hashlib.sha256((HERE / "static" / name).read_bytes()).hexdigest()[:12]


def _name_request() -> None:
    g.request_id = uuid.uuid4().hex[:16]
    if request.endpoint in MAX_FILE_BYTES:
        request.max_content_length = request.max_form_memory_size = MAX_FILE_BYTES[request.endpoint]


def _keep_up() -> None:
    """A trial that was amended since this process started is read anew before the page is made."""
    house: House = current_app.extensions["epro"]
    known = house.protocol.versions
    if known and request.endpoint != "static":
        with glance(house.engine) as connection:
            is_known = newest(connection) == known[-1].n
        if not is_known:
            current_app.extensions["epro"] = in_force(house)


def _add(headers: dict[str, str], response: Response) -> Response:
    if "max-age" not in response.headers.get("Cache-Control", ""):  # what says how long it keeps has thought of it
        response.headers["Cache-Control"] = headers["Cache-Control"]
    for name, value in headers.items():
        response.headers.setdefault(name, value)
    return response
