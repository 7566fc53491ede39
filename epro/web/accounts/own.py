"""One's own account: the authenticator, passkeys, recovery codes and the password.

Who must have a second step and has none yet sees this page and no other.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import segno
from cryptography.fernet import InvalidToken
from flask import Response as Answer
from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext

from epro.acts import passkeys, second_step, signing_in, users
from epro.acts.sessions import FULL, SETUP
from epro.refusals import Refusal
from epro.web.accounts.blueprint import at_stage, here, pages, proved, went_on
from epro.web.accounts.loading import actor_of, keep
from epro.web.accounts.signing_in import json_answer, passkey_place, request_id, typed_twice
from epro.web.house import house, now, reading, writing
from epro.web.refusing import by_field

SECRET_LASTS = timedelta(minutes=30)  # to scan it and type its first code
QR_SCALE = 4


@pages.get("/account")
@at_stage(FULL, SETUP)
@proved
def own() -> str:
    return _own()


@pages.get("/account/authenticator")
@at_stage(FULL, SETUP)
@proved
def authenticator() -> str:
    return _authenticator(second_step.new_secret(now()))


@pages.post("/account/authenticator")
@at_stage(FULL, SETUP)
@proved
def keep_authenticator() -> Any:
    """The secret comes back sealed, for this account and this half hour; its first code shows that it was scanned."""
    session, secret = here(), _opened(request.form.get("sealed", ""))
    with writing() as connection:
        code, by = request.form.get("code", "")[:20], actor_of(session)
        right = second_step.keep_authenticator(
            connection, house().cipher, session.user_id, secret, code, by=by, now=now()
        )
        if right:
            begun = signing_in.go_on(connection, session, "authenticator set up", request_id(), now())
            codes = second_step.new_recovery_codes(connection, session.user_id, by=by, now=now())
    if not right:
        return _authenticator(secret, wrong=gettext("This code does not fit. Type the one the app shows now.")), 422
    response = went_on(begun, session.email)
    return _codes_shown(codes, response)


@pages.post("/account/recovery")
@at_stage(FULL)
@proved
def new_recovery_codes() -> Any:
    with writing() as connection:
        codes = second_step.new_recovery_codes(connection, here().user_id, by=actor_of(here()), now=now())
    return _codes_shown(codes, None)


@pages.post("/account/passkey/options")
@at_stage(FULL, SETUP)
def new_passkey_options() -> Answer:
    if not (here().stage == SETUP or here().is_proved(now())):
        abort(403)
    with writing() as connection:
        return json_answer(passkeys.options_to_register(connection, passkey_place(), here(), now()))


@pages.post("/account/passkey")
@at_stage(FULL, SETUP)
@proved
def keep_passkey() -> Any:
    session, by = here(), actor_of(here())
    credential, name = request.form.get("credential", ""), request.form.get("name", "")
    with writing() as connection:
        kept = passkeys.register(connection, passkey_place(), session, credential, name, by=by, now=now())
        if kept:
            begun = signing_in.go_on(connection, session, "passkey added", request_id(), now())
            codes = (
                second_step.new_recovery_codes(connection, session.user_id, by=by, now=now())
                if not second_step.recovery_codes_left(connection, session.user_id)
                else None
            )
    if not kept:
        return _own(wrong=gettext("The passkey was not kept. Try again.")), 422
    response = went_on(begun, session.email)
    if codes:
        return _codes_shown(codes, response)
    flash(gettext("Passkey kept. It signs you in without a password."))
    response.location = url_for("accounts.own")
    return response


@pages.post("/account/passkey/<int:passkey>/remove")
@at_stage(FULL)
@proved
def remove_passkey(passkey: int) -> Any:
    if passkey > 2**31:
        abort(404)
    with writing() as connection:
        removed = passkeys.remove(connection, here().user_id, passkey, by=actor_of(here()), now=now())
    if not removed:
        abort(404)
    flash(gettext("Passkey removed."))
    return redirect(url_for("accounts.own"), 303)


@pages.post("/account/password")
@at_stage(FULL)
@proved
def change_password() -> Any:
    """Another password; every other session of the account ends."""
    session, by = here(), actor_of(here())
    try:
        with writing() as connection:
            password = typed_twice()
            users.set_password(connection, session.user_id, password, by=by, now=now(), action="password changed")
            begun = signing_in.go_on(connection, session, "password changed", request_id(), now())
    except Refusal as refusal:
        return _own(errors=by_field(refusal.wrongs)), 422
    keep(begun.token)
    flash(gettext("Password changed. Other browsers are signed out."))
    return redirect(url_for("accounts.own"), 303)


def _own(wrong: str | None = None, errors: dict[str, list[str]] | None = None) -> str:
    session = here()
    with reading() as connection:
        keys = second_step.passkeys_of(connection, session.user_id)
        left = second_step.recovery_codes_left(connection, session.user_id)
    return render_template(
        "desk/own.html",
        session=session,
        keys=keys,
        left=left,
        wrong=wrong,
        errors=errors or {},
        must=session.stage == SETUP,
    )


def _authenticator(secret: str, wrong: str | None = None) -> str:
    address, typed = second_step.address_of(secret, here().email, now())
    picture = segno.make(address, error="m").svg_data_uri(scale=QR_SCALE, border=2)
    sealed = house().cipher.encrypt(json.dumps([here().user_id, now().isoformat(), secret]))
    return render_template(
        "desk/authenticator.html", picture=picture, typed=typed, sealed=sealed, wrong=wrong, must=here().stage == SETUP
    )


def _opened(sealed: str) -> str:
    """The secret of the page that was shown to this person."""
    try:
        user, at, secret = json.loads(house().cipher.decrypt(sealed))
    except (InvalidToken, ValueError):
        abort(400)
    if user != here().user_id or now() - datetime.fromisoformat(at) > SECRET_LASTS:
        abort(400)
    return str(secret)


def _codes_shown(codes: list[str], response: Any) -> Any:
    """The ten codes, once, on the page that answers; `response` carries the cookies of a session that went on."""
    shown = Answer(render_template("desk/recovery_codes.html", codes=codes))
    if response is not None:
        for value in response.headers.getlist("Set-Cookie"):
            shown.headers.add("Set-Cookie", value)
    return shown
