"""Signatures under one patient's record, and under a site's data up to a day, which they lock and open."""

from __future__ import annotations

from collections.abc import Callable

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from epro.acts import signing
from epro.acts.signing import MEANINGS, Signer
from epro.refusals import Refusal
from epro.store.locks import locked_on
from epro.store.signed import changed_since, still_fits
from epro.store.signed import signatures as signed
from epro.web.confirming import confirm, has_passkey, has_second_step
from epro.web.desk.gate import allowed, pages, sites_here
from epro.web.desk.inputs import by_field, needed_day, typed
from epro.web.house import house, now, reading, staff, writing

Answer = tuple[str, int] | Response


@pages.context_processor
def _components() -> dict[str, object]:
    """What a form to sign has to ask for."""
    return {"has_second_step": has_second_step, "has_passkey": has_passkey}


@pages.get("/patients/<subject>/signatures")
@allowed("answers.read")
def signatures(subject: str) -> str:
    return _of_patient(subject, {})


@pages.post("/patients/<subject>/signatures")
@allowed("record.sign")
def sign_record(subject: str) -> Answer:
    def sign(connection: Connection) -> None:
        signing.sign_record(
            connection, house().protocol, subject, meaning=typed("meaning"), signer=_signer(), now=now()
        )

    return _signed(sign, url_for("desk.signatures", subject=subject), lambda wrongs: _of_patient(subject, wrongs))


@pages.get("/signing")
@allowed("answers.read")
def cuts() -> str:
    return _of_sites({})


@pages.post("/signing/<site>")
@allowed("record.sign")
def sign_cut(site: str) -> Answer:
    """Sign the data up to a day, and lock them where that is asked for."""
    _refuse_other_sites(site)

    def sign(connection: Connection) -> None:
        cut_on, signer = needed_day("cut_on"), _signer()
        if typed("lock") == "yes":
            signing.lock(connection, house().protocol, site, cut_on=cut_on, signer=signer, now=now())
        else:
            signing.sign_cut(
                connection, house().protocol, site, cut_on=cut_on, meaning=typed("meaning"), signer=signer, now=now()
            )

    return _signed(sign, url_for("desk.cuts"), _of_sites)


@pages.post("/signing/<site>/unlock")
@allowed("record.sign")
def unlock(site: str) -> Answer:
    _refuse_other_sites(site)

    def sign(connection: Connection) -> None:
        signing.unlock(connection, house().protocol, site, reason=typed("reason"), signer=_signer(), now=now())

    return _signed(sign, url_for("desk.cuts"), _of_sites)


def _signed(sign: Callable[[Connection], None], then: str, page: Callable[[dict[str, list[str]]], str]) -> Answer:
    try:
        given = (request.form.get(name, "") for name in ("password", "code", "credential"))
        confirm(typed("email"), *given)
        with writing() as connection:
            sign(connection)
    except Refusal as refusal:
        return page(by_field(refusal.wrongs)), 400
    flash(gettext("Signed."))
    return redirect(then, 303)


def _signer() -> Signer:
    return Signer(current_user.name, staff())


def _refuse_other_sites(site: str) -> None:
    if site not in sites_here():
        abort(404)


def _of_patient(subject: str, errors: dict[str, list[str]]) -> str:
    with reading() as connection:
        rows = [
            (row, still_fits(connection, row), changed_since(connection, row))
            for row in signed(connection, subject=subject)
        ]
    return render_template(
        "desk/signatures.html", subject=subject, rows=rows, errors=errors, typed=request.form, MEANINGS=MEANINGS
    )


def _of_sites(errors: dict[str, list[str]]) -> str:
    with reading() as connection:
        sites = [
            (
                code,
                name,
                locked_on(connection, code),
                [
                    (row, still_fits(connection, row), changed_since(connection, row))
                    for row in signed(connection, site=code)
                ],
            )
            for code, name in sites_here().items()
        ]
    return render_template("desk/cuts.html", sites=sites, errors=errors, typed=request.form, MEANINGS=MEANINGS)
