"""A text comes in: it is kept for the nurse, STOP and START are obeyed at once, and the patient is answered.

What she wrote is never an answer to a questionnaire. A number that belongs to no patient now leaves no trace. The
carrier's own reference makes a doubled callback one reply.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from epro.acts import patients, reaching
from epro.acts.bot import answer
from epro.acts.enrolment import today
from epro.protocol import Protocol
from epro.store import facts
from epro.store.audit import CARRIER, entry
from epro.store.contacts import Cipher
from epro.store.models import Contact, Patient, Reply
from scheduler.ledger import last_texted, next_text_at
from scheduler.ports import CHANNELS, SMS
from scheduler.replies import ENDS, Understood, understand


@dataclass(frozen=True)
class Incoming:
    """A text as the carrier hands it over. Its repr shows neither number nor words."""

    carrier_ref: str
    sender: str = field(repr=False)  # E.164
    body: str = field(repr=False)


def keep(connection: Connection, protocol: Protocol, cipher: Cipher, text: Incoming, now: datetime) -> str | None:
    """Keep a reply with the patient who has this number now.

    On a phone that patients share, STOP and START speak for all of them; everything else for the one whose text left
    last to it (before any has left, the first by subject id), and the desk shows it for each.
    Returns the answer to send back, at most one a day to each thing she asks for; None = none.
    """
    found = _patients_with(connection, cipher, text.sender)
    for subject in found:
        facts.lock(connection, subject)
    if not found or _is_kept(connection, text.carrier_ref):
        return None
    subject = last_texted(connection, list(found), SMS) or next(iter(found))
    site = found[subject]
    understood = understand(text.body, protocol.schedule.replies)
    said_before = _said_today(connection, protocol, cipher, text.sender, understood, now)
    with entry(connection, chain=site, action="reply received", by=CARRIER, at=now) as opened:
        opened.insert(
            Reply,
            carrier_ref=text.carrier_ref,
            subject=subject,
            address_hash=cipher.digest(text.sender),
            body=cipher.encrypt(text.body),
            understood_as=understood.value,
            received_at=now,
        )
    if understood in ENDS or understood is Understood.START:
        for each in found:
            out, channels = understood in ENDS, ENDS.get(understood, CHANNELS)
            reaching.opt(connection, protocol, each, out=out, channels=channels, by=CARRIER, now=now)
    if understood is Understood.LATER:
        reaching.ask_later(connection, protocol, subject, by=CARRIER, now=now)
    return None if said_before else _answer(connection, protocol, subject, understood, now)


def _answer(connection: Connection, protocol: Protocol, subject: str, understood: Understood, now: datetime) -> str:
    known = patients.known_patient(connection, subject)
    due_at = next_text_at(connection, subject) if understood is Understood.LATER else None
    return answer(
        understood,
        known.language,
        phone=protocol.sites[known.site].phone,
        next_on=due_at.astimezone(ZoneInfo(known.zone)).date() if due_at else None,
    )


def _said_today(
    connection: Connection, protocol: Protocol, cipher: Cipher, sender: str, understood: Understood, now: datetime
) -> bool:
    """Whether this phone has said the same today: a machine that answers by itself is answered once."""
    midnight = datetime.combine(today(protocol, now), time(0), protocol.zone).astimezone(UTC)
    the_same = select(Reply.id).where(
        Reply.address_hash.in_(cipher.digests(sender)),
        Reply.understood_as == understood.value,
        Reply.received_at >= midnight,
    )
    return connection.execute(the_same.limit(1)).first() is not None


def _patients_with(connection: Connection, cipher: Cipher, address: str) -> dict[str, str]:
    """subject → site, by subject id"""
    rows = connection.execute(
        select(Patient.subject, Patient.site)
        .join(Contact, Contact.subject == Patient.subject)
        .where(Contact.until_at.is_(None), Contact.address_hash.in_(cipher.digests(address)))
        .distinct()
        .order_by(Patient.subject)
    )
    return {row.subject: row.site for row in rows}


def _is_kept(connection: Connection, carrier_ref: str) -> bool:
    return connection.execute(select(Reply.id).where(Reply.carrier_ref == carrier_ref)).first() is not None
