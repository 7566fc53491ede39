"""A text comes in: it is kept for the nurse, and STOP and START are obeyed at once.

A number that belongs to no patient now leaves no trace. The carrier's own reference makes a doubled callback one reply.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, select

from epro.acts import patients
from epro.protocol import Protocol
from epro.store import facts
from epro.store.audit import CARRIER, entry
from epro.store.contacts import Cipher
from epro.store.models import Contact, Patient, Reply
from scheduler.replies import Understood, understand


@dataclass(frozen=True)
class Incoming:
    """A text as the carrier hands it over. Its repr shows neither number nor words."""

    carrier_ref: str
    sender: str = field(repr=False)  # E.164
    body: str = field(repr=False)


def keep(connection: Connection, protocol: Protocol, cipher: Cipher, text: Incoming, now: datetime) -> None:
    """Keep a reply with the patient who has this number now; a phone that patients share speaks for all of them."""
    found = _patients_with(connection, cipher, text.sender)
    for subject, _ in found:
        facts.lock(connection, subject)
    if not found or _is_kept(connection, text.carrier_ref):
        return
    subject, site = found[0]
    understood = understand(text.body)
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
    if understood is not Understood.OTHER:
        for subject, _ in found:
            patients.opt(connection, protocol, subject, out=understood is Understood.STOP, by=CARRIER, now=now)


def _patients_with(connection: Connection, cipher: Cipher, address: str) -> list[tuple[str, str]]:
    rows = connection.execute(
        select(Patient.subject, Patient.site)
        .join(Contact, Contact.subject == Patient.subject)
        .where(Contact.until_at.is_(None), Contact.address_hash.in_(cipher.digests(address)))
        .distinct()
        .order_by(Patient.subject)
    )
    return [(row.subject, row.site) for row in rows]


def _is_kept(connection: Connection, carrier_ref: str) -> bool:
    return connection.execute(select(Reply.id).where(Reply.carrier_ref == carrier_ref)).first() is not None
