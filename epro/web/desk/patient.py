"""One patient's page: her plan and what has become of it, and the small forms by which staff record what happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from epro.acts import cards, erasure, first_texts, links, moving, patients, reaching
from epro.acts.undoing import UNDOABLE
from epro.opening import OUTBOX
from epro.queries.addresses import reached_at
from epro.queries.alerts import open_alerts
from epro.queries.course import course
from epro.queries.timeline import arm_of, timeline
from epro.refusals import N_, Refusal, Wrong
from epro.store import facts
from epro.web.accounts import sign_out
from epro.web.desk.drawing import line_of
from epro.web.desk.gate import allowed, may, may_see_arm, pages
from epro.web.desk.inputs import by_field, needed_day, needed_phone, typed
from epro.web.house import house, now, reading, staff, writing
from scheduler.changes import Changes

Answer = Response | tuple[str, int]
PROOF = "desk.stopped"  # the page that proves that nothing more is sent


@pages.get("/patients/<subject>")
@allowed("patients.read")
def patient(subject: str) -> str:
    return _page(subject)


@pages.post("/patients/<subject>/randomisation")
@allowed("patients.randomise")
def randomise(subject: str) -> Answer:
    return act_on(
        subject,
        "randomisation",
        gettext("Randomisation recorded; the plan stands below."),
        lambda connection, act: patients.randomise(
            connection, on=needed_day("randomised_on"), arm=typed("arm") or None, **act
        ),
    )


@pages.post("/patients/<subject>/randomisation/correction")
@allowed("patients.randomise")
def correct_randomisation(subject: str) -> Answer:
    """First what the correction would do, then, confirmed, the correction."""
    if typed("confirmed") != "yes":
        return _preview_correction(subject)
    return act_on(
        subject,
        "correction",
        gettext("Date corrected; what was still to come has been planned anew."),
        lambda connection, act: patients.correct_randomisation(
            connection, on=needed_day("randomised_on"), reason=typed("reason"), **act
        ),
    )


@pages.post("/patients/<subject>/surgery")
@allowed("patients.record")
def record_surgery(subject: str) -> Answer:
    return _happened(subject, facts.SURGERY, gettext("Surgery recorded."))


@pages.post("/patients/<subject>/progression")
@allowed("patients.record")
def record_progression(subject: str) -> Answer:
    return _happened(subject, facts.PROGRESSION, gettext("Progression recorded."))


@pages.post("/patients/<subject>/seen")
@allowed("patients.record")
def record_seen(subject: str) -> Answer:
    return _happened(subject, facts.SEEN_ALIVE, gettext("The day is noted."))


@pages.post("/patients/<subject>/death")
@allowed("patients.record")
def record_death(subject: str) -> Answer:
    return act_on(
        subject,
        "death",
        gettext("Death recorded. Nothing more is sent."),
        lambda connection, act: patients.record_death(
            connection, on=needed_day("happened_on"), reason=typed("reason") or None, **act
        ),
        then=PROOF,
    )


@pages.post("/patients/<subject>/withdrawal")
@allowed("patients.record")
def withdraw(subject: str) -> Answer:
    return act_on(
        subject,
        "withdrawal",
        gettext("Withdrawal recorded. Nothing more is sent; the answers are kept."),
        _withdraw,
        then=PROOF,
    )


def _withdraw(connection: Connection, act: dict[str, Any]) -> None:
    """With her number and her replies erased in the same transaction, where she asks for that."""
    reason = _reason()
    scope = typed("scope") or patients.FROM_QUESTIONNAIRES
    patients.withdraw(connection, on=needed_day("happened_on"), reason=reason, scope=scope, **act)
    if typed("erase") == "yes":
        hers = erasure.addresses_of(connection, house().cipher, act["subject"])
        erasure.erase_contact(connection, reason=reason, **act)
        erasure.erase_files(house().settings.home / OUTBOX, hers)


@pages.post("/patients/<subject>/number")
@allowed("patients.reach")
def change_number(subject: str) -> Answer:
    return act_on(
        subject,
        "number",
        gettext("New number kept. Links that went to the old one are closed."),
        lambda connection, act: reaching.change_number(connection, cipher=house().cipher, phone=needed_phone(), **act),
    )


@pages.post("/patients/<subject>/second-step")
@allowed("patients.reach")
def change_second_step(subject: str) -> Answer:
    return act_on(
        subject,
        "second-step",
        gettext("Noted. From now on she shows this besides the link."),
        lambda connection, act: reaching.agree_on_second_step(
            connection, cipher=house().cipher, shown=typed("second_step"), **act
        ),
    )


@pages.post("/patients/<subject>/email")
@allowed("patients.reach")
def change_email(subject: str) -> Answer:
    return act_on(
        subject,
        "email",
        gettext("E-mail address kept. Links that were sent before are closed.")
        if typed("email")
        else gettext("E-mail address taken away."),
        lambda connection, act: reaching.change_email(connection, cipher=house().cipher, email=typed("email"), **act),
    )


@pages.post("/patients/<subject>/permission")
@allowed("patients.reach")
def change_permission(subject: str) -> Answer:
    given = typed("texts_allowed") == "yes"
    return act_on(
        subject,
        "permission",
        gettext("Permission for texts recorded.") if given else gettext("Recorded: no more texts are sent."),
        lambda connection, act: reaching.allow_texts(connection, allowed=given, **act),
        then="desk.patient" if given else PROOF,
    )


@pages.post("/patients/<subject>/zone")
@allowed("patients.record")
def change_zone(subject: str) -> Answer:
    return act_on(
        subject,
        "zone",
        gettext("Her texts follow her clock from now on."),
        lambda connection, act: moving.change_zone(connection, zone=typed("zone"), reason=typed("reason"), **act),
    )


@pages.post("/patients/<subject>/tablet/<visit>")
@allowed("forms.hand_over")
def hand_over(subject: str, visit: str) -> Answer:
    """Open a form on this device. Whoever handed it over is signed out first: the patient holds it now."""
    try:
        with writing() as connection:
            token = links.hand_over(connection, subject, visit, by=staff(), now=now())
    except Refusal as refusal:
        return _page(subject, form="tablet", errors=by_field(refusal.wrongs)), 409
    sign_out()
    return redirect(f"/p/{token}", 303)


@pages.post("/patients/<subject>/discharge")
@allowed("patients.record")
def record_discharge(subject: str) -> Answer:
    return _happened(subject, facts.DISCHARGE, gettext("Discharge recorded."))


def _happened(subject: str, kind: str, said: str) -> Answer:
    return act_on(
        subject,
        kind,
        said,
        lambda connection, act: patients.record(
            connection, kind=kind, on=needed_day("happened_on"), reason=typed("reason") or None, **act
        ),
    )


def act_on(
    subject: str,
    form: str,
    said: str,
    act: Callable[[Connection, dict[str, Any]], object],
    then: str = "desk.patient",
) -> Answer:
    """Do it in one transaction, then show a page of the patient. A refusal is told beside the form it came from."""
    try:
        with writing() as connection:
            act(connection, {"protocol": house().protocol, "subject": subject, "by": staff(), "now": now()})
    except Refusal as refusal:
        return _page(subject, form=form, errors=by_field(refusal.wrongs)), 422
    flash(said)
    return redirect(url_for(then, subject=subject), 303)


def refused(subject: str, form: str, refusal: Refusal) -> tuple[str, int]:
    """The patient's page with what is wrong beside the form it came from."""
    return _page(subject, form=form, errors=by_field(refusal.wrongs)), 422


def _preview_correction(subject: str) -> Answer:
    try:
        on, reason = needed_day("randomised_on"), typed("reason")
        with reading() as connection:
            changes = patients.preview_correction(
                connection, house().protocol, subject, on=on, reason=reason, now=now()
            )
    except Refusal as refusal:
        return _page(subject, form="correction", errors=by_field(refusal.wrongs)), 422
    return _page(subject, form="correction", preview=changes), 200


def _page(
    subject: str, *, form: str = "", errors: dict[str, list[str]] | None = None, preview: Changes | None = None
) -> str:
    protocol = house().protocol
    with reading() as connection:
        shown = timeline(connection, protocol, subject, now())
        sees_arm = may_see_arm(protocol, shown.patient.site)
        arm = arm_of(connection, subject) if sees_arm else None
        reached = reached_at(connection, house().cipher, subject) if may("patients.reach") else None
        first_text = first_texts.latest(connection, subject)
        has_card = may("patients.reach") and cards.code_of(connection, house().cipher, subject) is not None
        moments = course(connection, protocol, shown, now())
        alerts = open_alerts(connection, subject=subject)
    return render_template(
        "desk/patient.html",
        shown=shown,
        patient=shown.patient,
        sees_arm=sees_arm,
        arm=arm,
        reached=reached,
        first_text=first_text,
        has_card=has_card,
        moments=moments,
        line=line_of(shown, protocol, now()),
        alerts=alerts,
        form=form,
        errors=errors or {},
        preview=preview,
        undoable=[event for event in reversed(shown.patient.standing) if event.kind in UNDOABLE],
        typed=request.form,
        here=url_for("desk.patient", subject=subject),
    )


def _reason() -> str:
    reason = typed("reason")
    if not reason:
        raise Refusal([Wrong("reason", N_("Say why, in a few words without names."))])
    return reason
