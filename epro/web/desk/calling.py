"""What a nurse does from the worklist: show a number, log a call, send again, say why a form is missing."""

from __future__ import annotations

from collections.abc import Callable

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from epro.acts import alerts, calls
from epro.acts.patients import known_patient
from epro.queries.addresses import number_of
from epro.queries.timeline import timeline
from epro.refusals import Refusal
from epro.store.contacts import spoken
from epro.web.desk.entering import known_visit, questions_to_enter
from epro.web.desk.gate import allowed, pages
from epro.web.desk.inputs import by_field, typed
from epro.web.desk.patient import Answer, act_on
from epro.web.desk.words import visit_title
from epro.web.house import house, now, reading, staff, writing

FROM_PATIENT = "patient"  # the page that a form came from, and leads back to; any other is the worklist


@pages.post("/patients/<subject>/call")
@allowed("patients.call")
def call(subject: str) -> str:
    """Her number, and beside it what came of the call and the form to fill in while she speaks. The look is kept."""
    with reading() as connection:
        patient = known_patient(connection, subject)
        number = number_of(connection, house().cipher, subject)
        shown = timeline(connection, house().protocol, subject, now())
        open_now = [visit for visit in shown.visits if visit.open and visit.completed_at is None]
        visit = next((visit for visit in open_now if visit.code == typed("visit")), open_now[0] if open_now else None)
        questions = questions_to_enter(connection, patient, visit.code) if visit else []
    return render_template(
        "desk/call.html",
        patient=patient,
        number=number,
        spoken=spoken(number) if number else None,
        visit=visit,
        questions=questions,
        calls_before=[one for one in shown.recorded if one.kind == "called"][:5],
        errors={},
        typed=request.form,
        here=url_for("desk.patient", subject=subject),
    )


@pages.post("/patients/<subject>/called")
@allowed("patients.call")
def log_call(subject: str) -> Response:
    """What came of a call, in one click."""
    return _do(
        subject,
        gettext("%(subject)s: the call is noted.", subject=subject),
        lambda connection: calls.log_call(
            connection,
            house().protocol,
            subject,
            outcome=typed("outcome"),
            note=typed("note"),
            by=staff(),
            now=now(),
        ),
    )


@pages.post("/patients/<subject>/visits/<visit>/again")
@allowed("patients.call")
def send_again(subject: str, visit: str) -> Response:
    """The text once more. A second click within a minute changes nothing."""
    known_visit(visit)
    return _do(
        subject,
        gettext("%(subject)s: the text for %(visit)s goes once more.", subject=subject, visit=visit_title(visit)),
        lambda connection: calls.send_again(connection, house().protocol, subject, visit, by=staff(), now=now()),
    )


@pages.post("/patients/<subject>/visits/<visit>/reason")
@allowed("patients.call")
def give_reason(subject: str, visit: str) -> Response:
    """Why the form is missing, by a code from the list; empty takes it back."""
    known_visit(visit)
    said = gettext("%(subject)s: noted why %(visit)s is missing.", subject=subject, visit=visit_title(visit))
    taken_back = gettext("%(subject)s: the reason is taken back.", subject=subject)
    return _do(
        subject,
        said if typed("reason") else taken_back,
        lambda connection: calls.give_reason(
            connection, house().protocol, subject, visit, reason=typed("reason"), by=staff(), now=now()
        ),
    )


@pages.post("/patients/<subject>/alerts/<int(max=2147483647):alert>")
@allowed("patients.call")
def acknowledge(subject: str, alert: int) -> Answer:
    """Seen, and what was done about it."""
    return act_on(
        subject,
        "alerts",
        gettext("The alert is acknowledged."),
        lambda connection, act: alerts.acknowledge(connection, alert=alert, note=typed("note"), **act),
    )


def _do(subject: str, said: str, act: Callable[[Connection], object]) -> Response:
    """Do it, say so, and lead back to the page that it was asked on, with its filters."""
    try:
        with writing() as connection:
            act(connection)
    except Refusal as refusal:
        told = [one for all in by_field(refusal.wrongs).values() for one in all]
        flash(" ".join([f"{subject}:", *told]), "wrong")
    else:
        flash(said)
    if typed("back") == FROM_PATIENT:
        return redirect(url_for("desk.patient", subject=subject), 303)
    site, _, visit = request.args.get("at", "").partition(":")
    return redirect(url_for("desk.landing", site=site or None, visit=visit or None), 303)
