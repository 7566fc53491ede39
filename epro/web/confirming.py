"""Is it still the one who signed in who sits here? Asked before she puts her name under something."""

from __future__ import annotations

from flask import g
from flask_login import current_user

from epro.acts import signing_in, users
from epro.acts.tries import Slowed
from epro.refusals import N_, Refusal, Wrong
from epro.web.accounts.loading import place_of
from epro.web.house import house, now


def confirm(email: str, password: str) -> None:
    """Hold both components of the login, typed anew, against the account that is signed in. Raises Refusal.

    A wrong one counts as a try to sign in, and stands in the trail.
    """
    session = current_user.session
    try:
        right = users.normal(email) == session.email and signing_in.prove_by_password(
            house().engine, session, password, place=place_of(session.email), request=g.get("request_id"), now=now()
        )
    except Slowed:
        raise Refusal([Wrong("password", N_("That was wrong too often. Wait a quarter of an hour."))]) from None
    if not right:
        raise Refusal([Wrong("password", N_("E-mail or password is not yours. Nothing was signed."))])
