"""What does the carrier tell us? Receipts of texts that left, and texts that patients send back.

Every call is signed; the signature covers the address that the carrier was given, never the one a proxy made of it.
Whatever is told twice is one thing.
"""

from __future__ import annotations

from flask import Blueprint, Response, abort, current_app, request
from twilio.twiml.messaging_response import MessagingResponse  # type: ignore[import-untyped]

from epro.acts import receipts, replies
from epro.acts.replies import Incoming
from epro.web.house import house, now, writing
from scheduler.carriers.twilio import TOKEN_FIELD, receipt_of, verified

pages = Blueprint("webhooks", __name__, url_prefix="/webhooks/twilio")

HANDLED = ("", 204)


@pages.before_request
def _signed() -> None:
    settings = house().settings
    if settings.carrier != "twilio":
        abort(404)
    query = request.query_string.decode()
    if not verified(
        settings.twilio_auth_token.get_secret_value(),
        settings.address + request.path + (f"?{query}" if query else ""),
        request.form,
        request.headers.get("X-Twilio-Signature", ""),
        request.headers.get("X-Twilio-Webhooks-Signature-Settings"),
    ):
        current_app.logger.warning("a webhook call without a valid signature was refused")
        abort(403)


@pages.post("/receipt")
def receipt() -> tuple[str, int]:
    told = receipt_of(request.form, request.args.get(TOKEN_FIELD))
    if told is not None:
        with writing() as connection:
            receipts.take(connection, house().protocol, told, now())
    return HANDLED


@pages.post("/reply")
def reply() -> tuple[str, int] | Response:
    """The answer goes back in the reply to the carrier's call: a call that comes twice is answered once."""
    sender, carrier_ref = request.form.get("From", ""), request.form.get("MessageSid", "")
    if not sender or not carrier_ref:
        abort(400)
    text = Incoming(carrier_ref, sender, request.form.get("Body", ""))
    with writing() as connection:
        said = replies.keep(connection, house().protocol, house().cipher, text, now())
    if said is None:
        return HANDLED
    answer = MessagingResponse()
    answer.message(said)
    return Response(str(answer), mimetype="text/xml")
