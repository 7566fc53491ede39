"""What does a person read when something goes wrong, and what does the log keep of it?

No traceback reaches a person, and no value of a request or an answer reaches the log.
"""

from __future__ import annotations

from flask import Flask, Response, current_app, g, render_template
from flask_babel import gettext
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from werkzeug.exceptions import HTTPException, default_exceptions

from epro.logs import place_of
from epro.refusals import Refusal
from epro.store import database
from epro.web.refusing import in_words

RETRY_SECONDS = "10"


def init_app(app: Flask) -> None:
    app.register_error_handler(HTTPException, _http_error)
    for unavailable in (OperationalError, InterfaceError, PoolExhausted):
        app.register_error_handler(unavailable, _database_error)
    app.register_error_handler(Refusal, _refused)
    app.register_error_handler(Exception, _unforeseen)


def reply(app: Flask, code: int) -> Response:
    """The whole answer to what never became a request: the page of this error, with the headers of every page."""
    with app.test_request_context("/"):
        page = app.handle_user_exception(default_exceptions[code]())
        return app.process_response(app.make_response(page))


def _http_error(error: HTTPException) -> tuple[str, int, dict[str, str]]:
    """The page of ours, with what a program needs of the error's own headers."""
    kept = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    return *_page(_said(error.code), error.code or 500), kept


def _said(code: int | None) -> str:
    known = {
        400: gettext("The page could not understand what was sent. Go back and try again."),
        403: gettext("You may not do this."),
        404: gettext("There is no such page."),
        405: gettext("There is no such page."),
        408: gettext("That took too long. Try again."),
        413: gettext("What was sent is too large."),
        414: gettext("This address is too long."),
        415: gettext("The page could not understand what was sent. Go back and try again."),
        431: gettext("Your browser sent too much with its request. Close it, open it again and try anew."),
        429: gettext("That was too often. Wait a while and try again."),
    }
    return known.get(code or 500) or str(gettext("Something went wrong. Nothing was saved. Try again."))


def _database_error(error: Exception) -> tuple[str, int, dict[str, str]]:
    words = database.in_words(error) if isinstance(error, OperationalError) else type(error).__name__
    current_app.logger.error("database: %s", words, extra={"request": g.get("request_id")})
    said = gettext("Nothing was saved just now. Go back and try again in a moment.")
    return *_page(said, 503), {"Retry-After": RETRY_SECONDS}


def _refused(refusal: Refusal) -> tuple[str, int]:
    """What no page says beside its own field."""
    return _page(" ".join(in_words(wrong) for wrong in refusal.wrongs), 422)


def _unforeseen(error: Exception) -> tuple[str, int]:
    """The log keeps the error's kind and place, never its text: that may hold a value."""
    kind, place = type(error).__name__, place_of(error.__traceback__)
    current_app.logger.error("unforeseen %s at %s", kind, place, extra={"request": g.get("request_id")})
    return _page(_said(500), 500)


def _page(message: str, code: int) -> tuple[str, int]:
    return render_template("error.html", message=message), code
