"""How does a patient get in, and who is let in by a link?

A token is 26 base32 characters (130 bits); only its SHA-256 is stored. It opens one assessment of one patient, until
the window closes, the assessment is submitted, or the link is revoked.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select

from epro.assessments import is_open
from epro.refusals import N_, Refusal, Wrong
from epro.store.audit import Actor, Entry, entry
from epro.store.models import Assessment, Link, Patient

TOKEN_CHARACTERS = 26
SELF, TABLET = "self", "tablet"


@dataclass(frozen=True)
class Opened:
    """What a link that is alive leads to."""

    token_hash: str
    assessment: int
    subject: str
    site: str
    visit: str
    version: int  # of the trial file, that the visit follows
    language: str
    mode: str
    closes_at: datetime


def new_token() -> str:
    return base64.b32encode(secrets.token_bytes(17)).decode()[:TOKEN_CHARACTERS].lower()


def hash_of(token: str) -> str:
    """The stored form of a token; case does not matter to someone who types it."""
    return hashlib.sha256(token.strip().lower().encode()).hexdigest()


def issue_for_texts(connection: Connection, rows: Iterable[dict[str, object]]) -> None:
    """Keep the hashes of links that texts are about to carry; the ledger's events tell of them."""
    values = list(rows)
    if values:
        connection.execute(insert(Link), [{"mode": SELF, "revoked_at": None, "entry": None, **row} for row in values])


def hand_over(connection: Connection, subject: str, visit: str, *, by: Actor, now: datetime) -> str:
    """Open a form on the clinic's tablet. Returns the token. Raises Refusal when the form is not open now."""
    row = connection.execute(
        select(Assessment.__table__, Patient.site)
        .join(Patient, Patient.subject == Assessment.subject)
        .where(Assessment.subject == subject, Assessment.visit == visit)
    ).one_or_none()
    if row is None or not is_open(row, now):
        raise Refusal([Wrong("visit", N_("This form is not open now."))])
    with entry(connection, chain=row.site, action="tablet handed over", by=by, at=now) as opened:
        return issue(opened, row.id, TABLET, now)


def issue(entry: Entry, assessment: int, mode: str, now: datetime) -> str:
    """A link that no text carries: for the clinic's tablet, or for whoever typed the code of her card.

    Returns the token.
    """
    token = new_token()
    entry.insert(
        Link,
        token_hash=hash_of(token),
        assessment=assessment,
        message_key=None,
        contact=None,
        mode=mode,
        issued_at=now,
        revoked_at=None,
    )
    return token


def revoke_all(connection: Connection, subject: str, *, entry: Entry, now: datetime) -> None:
    """Close every link of a patient: death, withdrawal, a new number."""
    alive = (
        select(Link.token_hash)
        .join(Assessment, Assessment.id == Link.assessment)
        .where(Assessment.subject == subject, Link.revoked_at.is_(None))
    )
    for token_hash in connection.execute(alive).scalars().all():
        entry.update(Link, token_hash, revoked_at=now)


_WHAT_A_LINK_OPENS = (
    select(
        Link.token_hash,
        Link.mode,
        Link.revoked_at,
        Assessment.id,
        Assessment.subject,
        Assessment.visit,
        Assessment.schedule_version,
        Assessment.opens_at,
        Assessment.closes_at,
        Assessment.expected,
        Assessment.started_at,
        Assessment.completed_at,
        Patient.site,
        Patient.language,
    )
    .join(Assessment, Assessment.id == Link.assessment)
    .join(Patient, Patient.subject == Assessment.subject)
    .where(Link.token_hash == bindparam("link"))
)
_WHOSE_A_LINK_IS = (
    select(Patient.subject)
    .join(Assessment, Assessment.subject == Patient.subject)
    .join(Link, Link.assessment == Assessment.id)
    .where(Link.token_hash == bindparam("link"))
    .with_for_update(of=Patient)
)


def opened(connection: Connection, token_hash: str, now: datetime) -> Opened | None:
    """What this link opens now; None when it is unknown, expired, used or revoked, and nobody can tell which."""
    row = connection.execute(_WHAT_A_LINK_OPENS, {"link": token_hash}).one_or_none()
    if row is None or row.revoked_at is not None or not is_open(row, now):
        return None
    return Opened(
        token_hash=row.token_hash,
        assessment=row.id,
        subject=row.subject,
        site=row.site,
        visit=row.visit,
        version=row.schedule_version,
        language=row.language,
        mode=row.mode,
        closes_at=row.closes_at,
    )


def opened_for_writing(connection: Connection, token_hash: str, now: datetime) -> Opened | None:
    """The same, with the patient held until the end of the transaction: a second tap waits, and then sees the first."""
    if connection.dialect.name == "postgresql":  # on SQLite whoever writes is alone
        connection.execute(_WHOSE_A_LINK_IS, {"link": token_hash})
    return opened(connection, token_hash, now)


def is_used_up(connection: Connection, token_hash: str) -> bool:
    """Whether the assessment that this link led to has been submitted."""
    completed_at = (
        select(Assessment.completed_at)
        .join(Link, Link.assessment == Assessment.id)
        .where(Link.token_hash == token_hash, Link.revoked_at.is_(None))
    )
    return connection.execute(completed_at).scalar() is not None
