"""The pages of signing in and of one's own account; which step of the sign-in each of them takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from flask import Blueprint, g, redirect, request, session, url_for
from werkzeug.wrappers import Response

from epro.acts.sessions import FULL, SECOND_STEP, SETUP, Session
from epro.acts.signing_in import Begun
from epro.web.accounts import kept
from epro.web.accounts.loading import keep, lapsed, present, remember_device
from epro.web.house import house, now

SIGN_IN = "accounts.login"
NEXT = "next"
FIRST_PAGE = "/desk"
PAGE_OF_STAGE = {SECOND_STEP: "accounts.second_step", SETUP: "accounts.own"}

pages = Blueprint("accounts", __name__, url_prefix="/desk")
View = TypeVar("View", bound=Callable[..., Any])


@pages.context_processor
def _words() -> dict[str, object]:
    return {"protocol": house().protocol, "moment": now()}


def at_stage(*stages: str) -> Callable[[View], View]:
    """Says at which steps of signing in a page opens; at another it leads where the person has to go."""

    def mark(view: View) -> View:
        @wraps(view)
        def guarded(*arguments: Any, **named: Any) -> Any:
            found = present()
            if found is None:
                return to_sign_in()
            if found.stage not in stages:
                return redirect(url_for(PAGE_OF_STAGE.get(found.stage, "desk.landing")), 303)
            g.session = found
            return view(*arguments, **named)

        return cast(View, guarded)

    return mark


def proved(view: View) -> View:
    """A page that wants to know anew who is sitting there, when she last showed it a while ago."""

    @wraps(view)
    def guarded(*arguments: Any, **named: Any) -> Any:
        return prove_first(here()) or view(*arguments, **named)

    return cast(View, guarded)


def here() -> Session:
    """The session of this request, behind `at_stage`."""
    return cast(Session, g.session)


def to_sign_in() -> Response:
    """To the page to sign in, and back here afterwards. A form that was sent too late is kept."""
    found, late = present(), lapsed()
    if found is not None and found.stage in PAGE_OF_STAGE:
        return redirect(url_for(PAGE_OF_STAGE[found.stage]), 303)
    if request.method == "POST" and late is not None:
        kept.keep_form(late.user_id)
        return redirect(url_for(SIGN_IN), 303)
    back = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for(SIGN_IN, next=back), 303)


def prove_first(found: Session) -> Response | None:
    """To the page that asks again who is sitting there; None when she has shown it a moment ago."""
    if found.stage == SETUP or found.is_proved(now()):
        return None
    if request.method == "POST":
        kept.keep_form(found.user_id)
        return redirect(url_for("accounts.again"), 303)
    return redirect(url_for("accounts.again", next=request.full_path.rstrip("?")), 303)


def went_on(begun: Begun, email: str) -> Response:
    """The session has begun: to the second step, to set one up, or to the page that was asked for."""
    wanted = asked_for()
    if begun.stage != FULL:
        keep(begun.token)
        session[NEXT] = wanted
        return redirect(url_for(PAGE_OF_STAGE[begun.stage]), 303)
    wanted = session.get(NEXT) or wanted
    keep(begun.token)
    response = redirect(kept.waiting_page(begun.user_id) or wanted or FIRST_PAGE, 303)
    remember_device(response, email)
    return response


def asked_for() -> str | None:
    """The page of the desk that was asked for before signing in; never one of another host."""
    wanted = request.values.get(NEXT, "")
    inside = wanted == FIRST_PAGE or wanted.startswith((FIRST_PAGE + "/", FIRST_PAGE + "?"))
    plain = "\\" not in wanted and wanted.isprintable() and "//" not in wanted.partition("?")[0]
    return wanted if inside and plain else None
