"""The card that a patient takes home, by which she knows that a text is true and comes in without one."""

from __future__ import annotations

import io

import segno
from flask import redirect, render_template, url_for
from flask_babel import force_locale
from markupsafe import Markup
from werkzeug.wrappers import Response

from epro.acts import cards
from epro.acts.patients import known_patient
from epro.store.codewords import code_word_of
from epro.web.desk.gate import allowed, pages
from epro.web.house import house, now, reading, staff, writing


@pages.post("/patients/<subject>/card")
@allowed("patients.reach")
def issue_card(subject: str) -> Response:
    """A new code; a card that she had before opens nothing any more."""
    with writing() as connection:
        cards.issue(connection, house().cipher, subject, by=staff(), now=now())
    return redirect(url_for("desk.card", subject=subject), 303)


@pages.get("/patients/<subject>/card")
@allowed("patients.reach")
def card(subject: str) -> str | Response:
    """To be printed, in the patient's language."""
    standing = house()
    with reading() as connection:
        code = cards.code_of(connection, standing.cipher, subject)
        patient = known_patient(connection, subject)
        code_word = code_word_of(connection, standing.cipher, subject)
    if code is None:
        return redirect(url_for("desk.patient", subject=subject), 303)
    with force_locale(patient.language):
        return render_template(
            "desk/card.html",
            subject=subject,
            code=code,
            code_word=code_word,
            address=standing.settings.address.partition("://")[2],
            sender=standing.settings.twilio_sender,
            nurse=standing.protocol.sites[patient.site].phone,
            picture=_picture(standing.settings.address),
        )


def _picture(address: str) -> Markup:
    """The web address as a QR code, drawn in the page itself."""
    drawn = io.BytesIO()
    code = segno.make(f"{address}/", error="m")
    code.save(drawn, kind="svg", scale=4, border=2, xmldecl=False, omitsize=True)
    return Markup(drawn.getvalue().decode())
