"""The pages by which a member of staff signs in, gives her second step, shows anew who she is, and signs out."""

from __future__ import annotations

from typing import Any, cast

from flask import Response as Answer
from flask import flash, g, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext
from werkzeug.wrappers import Response

from epro.acts import passkeys, sessions, signing_in, tokens, users
from epro.acts.guessing import Slowed
from epro.acts.second_step import passkeys_of, recovery_codes_left
from epro.acts.sessions import FULL, SECOND_STEP
from epro.acts.signing_in import Begun
from epro.refusals import Refusal
from epro.web.accounts import kept
from epro.web.accounts.blueprint import FIRST_PAGE, asked_for, at_stage, here, pages, went_on
from epro.web.accounts.loading import leave, place_of, present
from epro.web.house import house, now, reading, writing
from epro.web.refusing import by_field

MOST_TYPED = 320


@pages.get("/login")
def login() -> str | Response:
    found = present()
    if found is not None and found.stage == FULL:
        return redirect(asked_for() or FIRST_PAGE, 303)
    return _login()


@pages.post("/login")
def give_password() -> Any:
    """E-mail and password. A wrong one, an unknown account and a closed one look the same."""
    email, password = request.form.get("email", "")[:MOST_TYPED], request.form.get("password", "")
    required = house().protocol.second_step_required
    try:
        begun = signing_in.by_password(
            house().engine, email, password, place=place_of(email), required=required, request=request_id(), now=now()
        )
    except Slowed as slowed:
        return _slowed(_login, slowed)
    if begun is None:
        return _login(wrong=gettext("E-mail or password is wrong, or the account is closed."))
    return _welcome(begun, users.normal(email))


@pages.get("/login/code")
@at_stage(SECOND_STEP)
def second_step() -> str:
    return _second_step()


@pages.post("/login/code")
@at_stage(SECOND_STEP)
def give_code() -> Any:
    """A code of the authenticator, or a recovery code."""
    session, code = here(), request.form.get("code", "")[:MOST_TYPED]
    try:
        begun = signing_in.by_code(
            house().engine,
            house().cipher,
            session,
            code,
            place=place_of(session.email),
            request=request_id(),
            now=now(),
        )
    except Slowed as slowed:
        return _slowed(_second_step, slowed)
    if begun is None:
        return _second_step(wrong=gettext("This code is wrong or was used. Wait for the next one and type that.")), 200
    return _welcome(begun, session.email)


@pages.post("/login/passkey/options")
def passkey_options() -> Answer:
    """A challenge for whichever passkey the person holds."""
    with writing() as connection:
        return json_answer(passkeys.options_to_sign_in(connection, passkey_place(), now()))


@pages.post("/login/passkey")
def give_passkey() -> Any:
    """Both steps at once."""
    credential = request.form.get("credential", "")
    begun = passkeys.sign_in(house().engine, passkey_place(), credential, request=request_id(), now=now())
    if begun is None:
        return _login(wrong=gettext("This passkey does not fit. Try again, or sign in with your password.")), 200
    with reading() as connection:
        email = users.account(connection, begun.user_id).email
    return _welcome(begun, email)


@pages.get("/again")
@at_stage(FULL)
def again() -> str:
    return _again()


@pages.post("/again")
@at_stage(FULL)
def show_again() -> Any:
    """Who is sitting there? By password or by passkey."""
    session, password, credential = here(), request.form.get("password", ""), request.form.get("credential", "")
    if credential:
        right = _proved_by_passkey(credential)
    else:
        try:
            right = signing_in.prove_by_password(
                house().engine, session, password, place=place_of(session.email), request=request_id(), now=now()
            )
        except Slowed as slowed:
            return _slowed(_again, slowed)
    if not right:
        return _again(wrong=gettext("That was not it. Try again."))
    return redirect(kept.waiting_page(session.user_id) or asked_for() or FIRST_PAGE, 303)


@pages.get("/setup/<token>")
def setup(token: str) -> Any:
    """The page of a link that an administrator has handed over. Opening it changes nothing."""
    with reading() as connection:
        works = tokens.holder(connection, users.SETUP, token, now()) is not None
    return render_template("desk/setup.html", works=works, token=token, errors={}), 200 if works else 404


@pages.post("/setup/<token>")
def choose_first_password(token: str) -> Any:
    required = house().protocol.second_step_required
    try:
        with writing() as connection:
            begun = signing_in.by_setup_link(
                connection, token, typed_twice(), required=required, request=request_id(), now=now()
            )
    except Refusal as refusal:
        errors = by_field(refusal.wrongs)
        return render_template("desk/setup.html", works=True, token=token, errors=errors), 422
    if begun is None:
        return render_template("desk/setup.html", works=False, token=token, errors={}), 404
    with reading() as connection:
        email = users.account(connection, begun.user_id).email
    return _welcome(begun, email)


@pages.post("/logout")
def logout() -> Response:
    leave()
    return redirect(url_for("accounts.login"), 303)


def passkey_place() -> passkeys.Place:
    return passkeys.Place(house().settings.address)


def _proved_by_passkey(credential: str) -> bool:
    with writing() as connection:
        user = passkeys.proved(connection, passkey_place(), credential, request=request_id(), now=now())
        if user != here().user_id:
            return False
        sessions.prove(connection, here(), now())
    return True


def _welcome(begun: Begun, email: str) -> Response:
    response = went_on(begun, email)
    if begun.misses:
        flash(
            ngettext(
                "Since you last signed in somebody gave a wrong password or code %(num)s time. "
                "If that was not you, tell your administrator.",
                "Since you last signed in somebody gave a wrong password or code %(num)s times. "
                "If that was not you, tell your administrator.",
                begun.misses,
            )
        )
    return response


def typed_twice() -> str:
    from epro.refusals import N_, Wrong

    password = request.form.get("password", "")
    if request.form.get("password_again", "") != password:
        raise Refusal([Wrong("password_again", N_("The two passwords differ."))])
    return password


def _slowed(page: Any, slowed: Slowed) -> tuple[str, int, dict[str, str]]:
    seconds = int((slowed.until - now()).total_seconds()) + 1
    minutes = -(-seconds // 60)
    said = ngettext(
        "That was wrong too often. The next try is judged in %(num)s minute. A passkey opens the desk at once.",
        "That was wrong too often. The next try is judged in %(num)s minutes. A passkey opens the desk at once.",
        minutes,
    )
    return page(wrong=said), 429, {"Retry-After": str(seconds)}


def _login(wrong: str | None = None) -> str:
    standing = house().settings
    return render_template(
        "desk/login.html",
        wrong=wrong,
        email=request.form.get("email", "")[:MOST_TYPED],
        next=asked_for(),
        single_sign_on=standing.oidc_name if standing.oidc_issuer else None,
    )


def _second_step(wrong: str | None = None) -> str:
    session = here()
    with reading() as connection:
        keys = bool(passkeys_of(connection, session.user_id))
        left = recovery_codes_left(connection, session.user_id)
    return render_template("desk/second_step.html", wrong=wrong, has_passkey=keys, has_code=session.has_totp, left=left)


def _again(wrong: str | None = None) -> str:
    with reading() as connection:
        keys = bool(passkeys_of(connection, here().user_id))
    return render_template("desk/again.html", wrong=wrong, has_passkey=keys, next=asked_for())


def json_answer(text: str) -> Answer:
    return Answer(text, mimetype="application/json")


def request_id() -> str | None:
    return cast(str | None, g.get("request_id"))
