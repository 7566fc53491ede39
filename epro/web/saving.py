"""An answer arrives by itself, maybe late and maybe twice: is it kept?

The phone sends each answer with a ticket that the form's document carried: signed, good for adding to that one form
while its link lives, good for reading nothing. So an answer that waited in a tunnel arrives though the browser forgot
its session, or though somebody else has sat down at the same phone since. A reply names the answer's own key; anything
else that a network puts in its place is not taken for a receipt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import Blueprint, jsonify, request
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.wrappers import Response

from epro.acts import answers, links
from epro.acts.answers import Said
from epro.acts.links import Opened
from epro.refusals import Refusal
from epro.store.locks import LockedData
from epro.web import sittings
from epro.web.house import house, now, writing
from epro.web.sittings import Sitting

pages = Blueprint("saving", __name__)

KEY = re.compile(r"[0-9a-f]{32}")
NUMBER = re.compile(r"\d{1,3}")
SALT = "ticket"
LONGEST_SAID = 10_000  # characters; the questionnaire says how many a text may have

Reply = tuple[Response, int]


@dataclass(frozen=True)
class Ticket:
    link: str  # the token's hash
    sitting: str


@pages.errorhandler(LockedData)
def _locked(_: LockedData) -> Reply:
    """Her data are locked for analysis."""
    return _reply(request.form.get("key", ""), 410, kept=False, gone=True)


@pages.post("/form/answer")
def save() -> Reply:
    """Keep one answer, or send the form. 200 and `kept` only after the commit; `gone` when the link is closed."""
    ticket, key = _ticket(), request.form.get("key", "")
    if ticket is None or not KEY.fullmatch(key):
        return _reply(key, 400, kept=False)
    return _send(ticket, key) if "send" in request.form else _keep(ticket, key)


def _keep(ticket: Ticket, key: str) -> Reply:
    said = _said(key)
    if said is None:
        return _reply(key, 400, kept=False)
    try:
        with writing() as connection:
            opened = links.opened_for_writing(connection, ticket.link, now())
            if opened is not None:
                answers.save(connection, house().protocol, opened, [said], session=ticket.sitting, now=now())
    except LockedData:
        raise
    except Refusal:
        return _reply(key, 422, kept=False)
    return _reply(key, 200, kept=True) if opened else _reply(key, 410, kept=False, gone=True)


def _send(ticket: Ticket, key: str) -> Reply:
    with writing() as connection:
        opened = links.opened_for_writing(connection, ticket.link, now())
        if opened is not None:
            answers.submit(connection, house().protocol, opened, who=request.form.get("who"), now=now())
        elif not links.is_used_up(connection, ticket.link):
            return _reply(key, 410, kept=False, gone=True)
    sitting = sittings.current(now())
    if sitting is not None and sitting.link == ticket.link:
        sittings.finish(sitting)
    return _reply(key, 200, kept=True)


def ticket_of(sitting: Sitting) -> str:
    return str(_signer().dumps([sitting.link, sitting.id]))


def _ticket() -> Ticket | None:
    try:
        return Ticket(*_signer().loads(request.form.get("ticket", "")))
    except (BadSignature, TypeError):
        return None


def _signer() -> URLSafeSerializer:
    settings = house().settings
    keys = [key.get_secret_value() for key in (*settings.old_secret_keys, settings.secret_key)]  # the last one signs
    return URLSafeSerializer(keys, salt=SALT)


def _said(key: str) -> Said | None:
    """The answer as the phone says it; None when it is not one."""
    instrument, _, item = request.form.get("name", "").rpartition(".")
    value = request.form.get("value", "").strip()
    known = house().protocol.instruments.get(instrument)
    if known is None or item not in [each.code for each in known.items] or len(value) > LONGEST_SAID:
        return None
    said_at = _instant(request.form.get("said_at", ""))
    if house().protocol.wordings[instrument, house().protocol.language].items[item].longest is not None:
        return Said(instrument, item, None, key, said_at, text=value)
    if value and not NUMBER.fullmatch(value):
        return None
    return Said(instrument, item, int(value) if value else None, key, said_at)


def _instant(claimed: str) -> datetime | None:
    """The phone's clock, as it claims; None when what it says is no instant of this age."""
    try:
        at = datetime.fromisoformat(claimed)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo and 1970 < at.year < 2200 else None


def _reply(key: str, status: int, *, kept: bool, gone: bool = False) -> Reply:
    return jsonify(key=key if KEY.fullmatch(key) else None, kept=kept, gone=gone), status


def who_modes(opened: Opened) -> tuple[tuple[str, str], ...]:
    """Who may be said to answer, where the trial asks for it when the form is sent."""
    asks = house().protocol.trial.who_answers == "end" and opened.mode == links.SELF
    return answers.MODES_ASKED if asks else ()
