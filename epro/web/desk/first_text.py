"""The button that sends a test text while the patient sits beside the nurse; what came of it stands on her page."""

from __future__ import annotations

from flask import redirect, url_for
from werkzeug.wrappers import Response

from epro.acts import first_texts
from epro.acts.restoring import SendingIsOff
from epro.opening import carrier_of
from epro.refusals import N_, Refusal, Wrong
from epro.web.desk.gate import allowed, pages
from epro.web.desk.patient import refused
from epro.web.house import house, now, staff, writing

STATES = {
    first_texts.CLAIMED: N_("leaving now"),
    first_texts.ACCEPTED: N_("sent"),
    first_texts.REFUSED: N_("refused by the carrier"),
    first_texts.UNKNOWN: N_("perhaps sent, being checked"),
    first_texts.DELIVERED: N_("delivered"),
    first_texts.UNDELIVERED: N_("did not arrive"),
}
NOT_YET = N_("Nothing is sent after a restore before it is known what had left.")


@pages.post("/patients/<subject>/first-text")
@allowed("patients.reach")
def send_first_text(subject: str) -> Response | tuple[str, int]:
    """The carrier is called with no transaction open."""
    standing = house()
    try:
        with writing() as connection:
            begun = first_texts.begin(
                connection,
                standing.protocol,
                standing.cipher,
                subject,
                address=standing.settings.address,
                by=staff(),
                now=now(),
            )
    except SendingIsOff:
        return refused(subject, "first-text", Refusal([Wrong("first_text", NOT_YET)]))
    except Refusal as refusal:
        return refused(subject, "first-text", refusal)
    if begun is not None:
        token, letter = begun
        outcome = carrier_of(standing).send(letter, token)
        with writing() as connection:
            first_texts.settle(connection, token, outcome, by=staff(), now=now())
    return redirect(url_for("desk.patient", subject=subject, _anchor="first-text"), 303)


@pages.context_processor
def _words() -> dict[str, object]:
    return {"FIRST_TEXT_STATES": STATES}
