"""The administrator's pages: who has an account, in which role and for which sites; invite, change, close, reset."""

from __future__ import annotations

from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import Connection

from epro.acts import guessing, second_step, users
from epro.acts.signing_in import account_key
from epro.acts.users import NoSuchAccount
from epro.refusals import Refusal
from epro.web.desk.gate import allowed, pages
from epro.web.desk.inputs import by_field, typed
from epro.web.desk.words import ROLES, SECOND_STEPS
from epro.web.house import house, now, reading, staff, writing

GREATEST_ID = 2**31 - 1


@pages.get("/accounts")
@allowed("accounts.administer")
def accounts() -> str:
    return _list()


@pages.post("/accounts")
@allowed("accounts.administer")
def invite() -> Any:
    """A new account, and the link by which the person sets it up: shown here once."""
    try:
        with writing() as connection:
            user = users.add(
                connection,
                house().protocol,
                email=typed("email"),
                name=typed("name"),
                role=typed("role"),
                sites=request.form.getlist("sites"),
                by=staff(),
                now=now(),
            )
            token = users.setup_link(connection, user, by=staff(), now=now())
    except Refusal as refusal:
        return _list(errors=by_field(refusal.wrongs)), 422
    return _account(user, link=_address(token))


@pages.get("/accounts/<int:user>")
@allowed("accounts.administer")
def account(user: int) -> str:
    return _account(user)


@pages.post("/accounts/<int:user>/access")
@allowed("accounts.administer")
def change_access(user: int) -> Any:
    role, sites = typed("role"), request.form.getlist("sites")
    return _act(
        user,
        gettext("Role and sites kept. Open sessions of the account have ended."),
        lambda connection: users.change_access(
            connection, house().protocol, user, role=role, sites=sites, by=staff(), now=now()
        ),
    )


@pages.post("/accounts/<int:user>/disable")
@allowed("accounts.administer")
def disable(user: int) -> Any:
    if user == current_user.id:
        abort(409)
    said = gettext("Account closed. Its open sessions have ended.")
    return _act(user, said, lambda connection: users.disable(connection, user, by=staff(), now=now()))


@pages.post("/accounts/<int:user>/enable")
@allowed("accounts.administer")
def enable(user: int) -> Any:
    said = gettext("Account opened again.")
    return _act(user, said, lambda connection: users.enable(connection, user, by=staff(), now=now()))


@pages.post("/accounts/<int:user>/second-step")
@allowed("accounts.administer")
def reset_second_step(user: int) -> Any:
    said = gettext("Second step taken away. The person sets up a new one at the next sign-in.")
    return _act(user, said, lambda connection: second_step.reset(connection, user, by=staff(), now=now()))


@pages.post("/accounts/<int:user>/link")
@allowed("accounts.administer")
def new_link(user: int) -> Any:
    _refuse_unknown(user)
    with writing() as connection:
        token = users.setup_link(connection, user, by=staff(), now=now())
    return _account(user, link=_address(token))


def _act(user: int, said: str, act: Any) -> Any:
    _refuse_unknown(user)
    try:
        with writing() as connection:
            act(connection)
    except Refusal as refusal:
        return _account(user, errors=by_field(refusal.wrongs)), 422
    flash(said)
    return redirect(url_for("desk.account", user=user), 303)


def _refuse_unknown(user: int) -> None:
    try:
        with reading() as connection:
            users.account(connection, user)
    except NoSuchAccount:
        abort(404)


def _list(errors: dict[str, list[str]] | None = None) -> str:
    with reading() as connection:
        all_of_them = users.accounts(connection)
        slowed = {one.id for one in all_of_them if _is_slowed(connection, one.email)}
        reviewed_at = users.last_review(connection)
    return render_template(
        "desk/accounts.html",
        accounts=all_of_them,
        slowed=slowed,
        reviewed_at=reviewed_at,
        errors=errors or {},
        typed=request.form,
        chosen=request.form.getlist("sites"),
        ROLES=ROLES,
        SECOND_STEPS=SECOND_STEPS,
        sites=house().protocol.sites,
    )


def _account(user: int, link: str | None = None, errors: dict[str, list[str]] | None = None) -> str:
    if user > GREATEST_ID:
        abort(404)
    try:
        with reading() as connection:
            shown = users.account(connection, user)
            slowed = _is_slowed(connection, shown.email)
    except NoSuchAccount:
        abort(404)
    return render_template(
        "desk/account.html",
        account=shown,
        slowed=slowed,
        link=link,
        errors=errors or {},
        ROLES=ROLES,
        SECOND_STEPS=SECOND_STEPS,
        sites=house().protocol.sites,
        here=url_for("desk.accounts"),
        itself=shown.id == current_user.id,
    )


def _is_slowed(connection: Connection, email: str) -> bool:
    """Whether somebody was wrong so often within the last quarter of an hour that tries are slowed down."""
    misses = guessing.misses_since(connection, account_key(house().cipher, email), now() - guessing.WINDOW)
    return misses >= guessing.FREE_MISSES


def _address(token: str) -> str:
    return house().settings.address + url_for("accounts.setup", token=token)
