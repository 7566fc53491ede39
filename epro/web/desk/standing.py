"""Texts rest, go again, or have stopped for good; she is known to be alive; what was recorded wrongly is taken back."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from epro.acts import amendments, patients, pauses, undoing
from epro.queries.stopped import proof
from epro.refusals import Refusal
from epro.store import facts
from epro.web.desk.gate import allowed, pages
from epro.web.desk.inputs import by_field, needed_day, typed
from epro.web.desk.patient import Answer, act_on
from epro.web.desk.words import local_day
from epro.web.house import house, now, reading, staff, writing


@pages.post("/patients/<subject>/pause")
@allowed("patients.record")
def pause(subject: str) -> Answer:
    return act_on(
        subject,
        "pause",
        gettext("Texts rest until that day; the patient stays in the trial."),
        lambda connection, act: pauses.pause(connection, until=needed_day("until"), reason=typed("reason"), **act),
    )


@pages.post("/patients/<subject>/pause/end")
@allowed("patients.record")
def end_pause(subject: str) -> Answer:
    return act_on(
        subject,
        "pause",
        gettext("Texts go again from today."),
        lambda connection, act: pauses.end_pause(connection, **act),
    )


@pages.post("/patients/<subject>/undo")
@allowed("patients.record")
def undo(subject: str) -> Answer:
    """An event that never happened."""
    return act_on(
        subject,
        "undo",
        gettext("Taken back. What is still to come has been planned anew; nothing that has left is sent again."),
        lambda connection, act: undoing.undo(connection, event=_number("event"), reason=typed("reason"), **act),
    )


@pages.post("/patients/<subject>/consent")
@allowed("patients.record")
def consent_anew(subject: str) -> Answer:
    return act_on(
        subject,
        "consent",
        gettext("Consent recorded; what opens from that day on follows the amended trial."),
        lambda connection, act: amendments.consent_anew(connection, on=needed_day("happened_on"), **act),
    )


@pages.post("/patients/<subject>/alive")
@allowed("patients.record")
def confirm_alive(subject: str) -> Response:
    """One click on the worklist: she is known to be alive today."""
    try:
        with writing() as connection:
            act = {"protocol": house().protocol, "subject": subject, "by": staff(), "now": now()}
            patients.record(connection, kind=facts.SEEN_ALIVE, on=local_day(now()), **act)  # type: ignore[arg-type]
    except Refusal as refusal:
        flash(" ".join(one for all in by_field(refusal.wrongs).values() for one in all))
    else:
        flash(gettext("%(subject)s: noted that she is alive today.", subject=subject))
    return redirect(url_for("desk.landing"), 303)


@pages.get("/patients/<subject>/stopped")
@allowed("patients.read")
def stopped(subject: str) -> str:
    """The proof: how many texts may still leave, and every one that has."""
    with reading() as connection:
        patient = patients.known_patient(connection, subject)
        found = proof(connection, subject)
    return render_template(
        "desk/stopped.html", patient=patient, proof=found, here=url_for("desk.patient", subject=subject)
    )


def _number(name: str) -> int:
    return int(typed(name)) if typed(name).isdecimal() else 0
