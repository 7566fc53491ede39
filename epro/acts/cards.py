"""The card that a patient takes home: by its code she comes to her form without a text.

The code is long enough not to be guessed by a guesser who is slowed (31⁸, 40 bits), has none of the characters that are
mistaken for one another, and opens nothing by itself: it leads to the start page of the form that is open now.
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, select

from epro.acts import links
from epro.acts.patients import known_patient
from epro.store.audit import Actor, entry
from epro.store.contacts import Cipher
from epro.store.models import Assessment, Card, Patient
from epro.store.people import lock

LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
LENGTH = 8


def issue(connection: Connection, cipher: Cipher, subject: str, *, by: Actor, now: datetime) -> None:
    """A new code for a patient; the one before opens nothing any more. Raises NoSuchPatient."""
    site = known_patient(connection, subject).site
    code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    with entry(connection, chain=site, action="card issued", by=by, at=now) as opened:
        for card in connection.execute(select(Card.id).where(*_in_use(subject))).scalars().all():
            opened.update(Card, card, until_at=now)
        opened.insert(
            Card,
            subject=subject,
            code=cipher.encrypt(code),
            code_hash=cipher.digest(hashed_as(code)),
            from_at=now,
            until_at=None,
        )


def code_of(connection: Connection, cipher: Cipher, subject: str) -> str | None:
    """The code on a patient's card, as it is printed; None when she has none."""
    kept = connection.execute(select(Card.code).where(*_in_use(subject))).scalar()
    if kept is None:
        return None
    code = cipher.decrypt(kept)
    return f"{code[: LENGTH // 2]}-{code[LENGTH // 2 :]}"


def open_by_code(connection: Connection, cipher: Cipher, typed: str, *, now: datetime) -> str | None:
    """The token of a new link to the form that is open now; None for a code that leads to none, whatever the reason."""
    found = connection.execute(
        select(Card.subject, Patient.site)
        .join(Patient, Patient.subject == Card.subject)
        .where(Card.until_at.is_(None), Card.code_hash.in_(cipher.digests(hashed_as(typed))))
    ).one_or_none()
    if found is None:
        return None
    lock(connection, found.subject)
    assessment = connection.execute(
        select(Assessment.id)
        .where(
            Assessment.subject == found.subject,
            Assessment.opens_at <= now,
            Assessment.closes_at > now,
            Assessment.completed_at.is_(None),
            Assessment.expected.is_(True),
        )
        .order_by(Assessment.closes_at)
        .limit(1)
    ).scalar()
    if assessment is None:
        return None
    by = Actor(found.subject, "patient", "phone")
    with entry(connection, chain=found.site, action="card used", by=by, at=now) as opened:
        return links.issue(opened, assessment, links.SELF, now)


def hashed_as(typed: str) -> str:
    """As it is hashed: without what people put between, in whichever case."""
    return "card/" + re.sub(r"[^a-z0-9]", "", typed.lower())


def _in_use(subject: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (Card.subject == subject, Card.until_at.is_(None))
