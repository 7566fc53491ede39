"""Is it still the one who signed in who sits here? Asked before she puts her name under something."""

from __future__ import annotations

from flask import g
from flask_login import current_user

from epro.acts import passkeys, second_step, signing_in, users
from epro.acts.guessing import Slowed
from epro.acts.sessions import Session
from epro.refusals import N_, Refusal, Wrong
from epro.web.accounts.loading import place_of
from epro.web.accounts.signing_in import passkey_place
from epro.web.house import house, now, reading, writing

MOST_TYPED = 320


def confirm(email: str, password: str, code: str = "", credential: str = "") -> None:
    """Hold every component of the login, given anew, against the account that is signed in. Raises Refusal.

    E-mail and password, and the second step where the account has one: a code, a recovery code or a passkey. However
    lately she has shown who she is, it is asked each time. A wrong one counts as a try to sign in, and stands in the
    trail.
    """
    session = current_user.session
    try:
        right = users.normal(email) == session.email and signing_in.prove_by_password(
            house().engine, session, password, place=place_of(session.email), request=g.get("request_id"), now=now()
        )
        if not right:
            raise Refusal([Wrong("password", N_("E-mail or password is not yours. Nothing was signed."))])
        if has_second_step() and not _second_step(session, code[:MOST_TYPED], credential):
            wrong = N_("The second step is missing, wrong or was used. Nothing was signed. Wait for the next code.")
            raise Refusal([Wrong("code", wrong)])
    except Slowed:
        raise Refusal([Wrong("password", N_("That was wrong too often. Wait a quarter of an hour."))]) from None


def has_second_step() -> bool:
    """Whether the person who signs shows more than a password."""
    with reading() as connection:
        return second_step.has_any(connection, current_user.id)


def has_passkey() -> bool:
    with reading() as connection:
        return bool(second_step.passkeys_of(connection, current_user.id))


def _second_step(session: Session, code: str, credential: str) -> bool:
    if credential:
        with writing() as connection:
            user = passkeys.proved(connection, passkey_place(), credential, request=g.get("request_id"), now=now())
        return user == session.user_id
    if not code.strip():
        return False
    return signing_in.prove_by_code(
        house().engine,
        house().cipher,
        session,
        code,
        place=place_of(session.email),
        request=g.get("request_id"),
        now=now(),
    )
