"""A test text that a patient opens beside her nurse, so that both know: the number is right, and so it will look.

1. That one is about to go is kept and committed. 2. It is handed over, no transaction open. 3. What came of it is kept;
what is not known stays unknown until the receipt says, and is never sent again by itself. It carries a link of its own,
which opens no form.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select

from epro.acts import links, patients, reaching
from epro.acts.restoring import refuse_sending
from epro.protocol import Protocol
from epro.refusals import N_, Refusal, Wrong
from epro.store import facts
from epro.store.audit import CARRIER, PATIENT, Actor, entry
from epro.store.codewords import code_word_of
from epro.store.contacts import Cipher
from epro.store.facts import Facts
from epro.store.models import Contact, FirstText, Patient
from scheduler.hours import is_quiet
from scheduler.outcomes import refusal_of
from scheduler.ports import SMS, Accepted, Letter, Outcome, Receipt, Refused

CLAIMED, ACCEPTED, REFUSED, UNKNOWN = "claimed", "accepted", "refused", "unknown"
DELIVERED, UNDELIVERED = "delivered", "undelivered"
FORWARD = (CLAIMED, UNKNOWN, ACCEPTED, UNDELIVERED, DELIVERED)  # a receipt moves a text on and never back
PREFIX = "first-"
ONE_CLICK = timedelta(minutes=1)  # a second click within it is the same click
MOST_A_DAY = 3
VALID = timedelta(hours=1)  # for the carrier; the patient sits there and waits
OPENS_FOR = timedelta(days=1)
WORDS = {
    "sv": "Hej! Kodord {code}. Så här ser våra sms ut. Prova länken: {link} Frågor? Ring {phone}",
    "en": "Hello! Code word {code}. This is how our texts look. Try the link: {link} Questions? Call {phone}",
}


def begin(
    connection: Connection, protocol: Protocol, cipher: Cipher, subject: str, *, address: str, by: Actor, now: datetime
) -> tuple[str, Letter] | None:
    """Keep that a test text is about to go. Returns its token and the letter; None for a second click within a minute.

    address: of the service, for the link. Raises Refusal when none may go, SendingIsOff after a restore, NoSuchPatient.
    """
    facts.lock(connection, subject)
    refuse_sending(connection)
    known = patients.known_patient(connection, subject)
    before = list(connection.execute(select(FirstText.claimed_at).where(FirstText.subject == subject)).scalars())
    if any(now - at < ONE_CLICK for at in before):
        return None
    wrongs = list(_why_none_goes(protocol, known, before, now))
    if wrongs:
        raise Refusal(wrongs)
    contact, link, token = known.contacts[SMS].id, links.new_token(), PREFIX + secrets.token_hex(16)
    with entry(connection, chain=known.site, action="test text sent", by=by, at=now) as opened:
        opened.insert(
            FirstText,
            subject=subject,
            contact=contact,
            token=token,
            link_hash=links.hash_of(link),
            state=CLAIMED,
            claimed_at=now,
        )
    to = connection.execute(select(Contact.address).where(Contact.id == contact)).scalar_one()
    words = WORDS.get(known.language, WORDS["en"]).format(
        code=code_word_of(connection, cipher, subject),
        link=f"{address}/t/{link}",
        phone=protocol.sites[known.site].phone,
    )
    return token, Letter(cipher.decrypt(to), words, now + VALID)


def settle(connection: Connection, token: str, outcome: Outcome, *, by: Actor, now: datetime) -> None:
    """Keep what the carrier said when it was handed over; a receipt may have come before."""
    state = ACCEPTED if isinstance(outcome, Accepted) else REFUSED if isinstance(outcome, Refused) else UNKNOWN
    row = _of_token(connection, token)
    if row is not None and row.state == CLAIMED:
        _move(connection, row, state, getattr(outcome, "code", None), by, now)


def take(connection: Connection, protocol: Protocol, receipt: Receipt, now: datetime) -> bool:
    """Keep a receipt; returns whether it was one of a test text. A number that is wrong for good is used no more."""
    if not receipt.token or not receipt.token.startswith(PREFIX):
        return False
    row = _of_token(connection, receipt.token)
    if row is None or row.state not in FORWARD or FORWARD.index(receipt.status) <= FORWARD.index(row.state):
        return True
    _move(connection, row, receipt.status, receipt.code, CARRIER, now)
    refused = refusal_of(receipt.code) if receipt.code is not None else None
    in_use = patients.known_patient(connection, row.subject).contacts.get(SMS)
    if receipt.status == UNDELIVERED and refused and refused.then == "never" and in_use and in_use.id == row.contact:
        reaching.lose_reach(connection, protocol, row.subject, SMS, by=CARRIER, now=now)
    return True


def opened(connection: Connection, link: str, now: datetime) -> Row[*tuple[Any, ...]] | None:
    """Whose test text a link is of: subject, site, language; None for one that is unknown or a day old."""
    rows = connection.execute(
        select(FirstText.id, FirstText.opened_at, Patient.subject, Patient.site, Patient.language)
        .join(Patient, Patient.subject == FirstText.subject)
        .where(FirstText.link_hash == links.hash_of(link), FirstText.claimed_at > now - OPENS_FOR)
    )
    return next(iter(rows), None)


def note_opened(connection: Connection, link: str, now: datetime) -> None:
    """Keep that she opened it and pressed the button; the first time counts."""
    row = opened(connection, link, now)
    if row is not None and row.opened_at is None:
        by = Actor(row.subject, PATIENT, "phone")
        with entry(connection, chain=row.site, action="test text opened", by=by, at=now) as made:
            made.update(FirstText, row.id, opened_at=now)


def latest(connection: Connection, subject: str) -> Row[Any] | None:
    """state, code, claimed_at, settled_at, opened_at of the last one; None where none went."""
    mine = select(FirstText.__table__).where(FirstText.subject == subject)
    return next(iter(connection.execute(mine.order_by(FirstText.id.desc()).limit(1))), None)


def _why_none_goes(protocol: Protocol, known: Facts, before: list[datetime], now: datetime) -> Iterator[Wrong]:
    quiet = protocol.schedule.quiet
    if SMS not in known.channels:
        yield Wrong("first_text", N_("No text may go to this patient, or none reaches her."))
    if is_quiet(now, known.zone, (quiet.start, quiet.end) if quiet else None):
        yield Wrong("first_text", N_("It is too late or too early for a text."))
    if sum(known.day_of(at) == known.day_of(now) for at in before) >= MOST_A_DAY:
        yield Wrong("first_text", N_("%(most)s test texts went today. Try again tomorrow."), {"most": MOST_A_DAY})


def _of_token(connection: Connection, token: str) -> Row[Any] | None:
    found = select(FirstText.__table__, Patient.site).join(Patient, Patient.subject == FirstText.subject)
    return next(iter(connection.execute(found.where(FirstText.token == token))), None)


def _move(connection: Connection, row: Row[Any], state: str, code: int | None, by: Actor, now: datetime) -> None:
    with entry(connection, chain=row.site, action=f"test text {state}", by=by, at=now) as made:
        made.update(FirstText, row.id, state=state, code=code, settled_at=now)
