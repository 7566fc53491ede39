"""A patient's number, or a word that should never have been written, is taken out of everything that is live.

What stays: that there was one, from when until when, and who took it out and why. The chain still verifies, because it
holds salted digests and not the values. Backups keep what they hold until they are thrown away.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, select, update

from epro.acts import links
from epro.acts.patients import known_patient
from epro.acts.replanning import replan
from epro.protocol import Protocol
from epro.record.epro_verify import REDACTED
from epro.refusals import N_, Refusal, Wrong
from epro.store.audit import Actor, entry
from epro.store.contacts import Cipher
from epro.store.models import Audit, AuditValue, Contact, Reply
from scheduler.tables import attempt, message

NOTHING = ""  # in place of an address, its keyed hash, or the words of a reply


def erase_contact(
    connection: Connection, protocol: Protocol, subject: str, *, reason: str, by: Actor, now: datetime
) -> list[str]:
    """Empty every address and every reply of a patient, close her links, stop her texts.

    Returns the carrier's references of her texts, whose words it may still hold. Raises Refusal, NoSuchPatient.
    """
    known = known_patient(connection, subject)
    if not reason.strip():
        raise Refusal([Wrong("reason", N_("Say why, in a few words without names."))])
    with entry(connection, chain=known.site, action="contact erased", by=by, at=now, reason=reason.strip()) as made:
        for row in connection.execute(select(Contact.id, Contact.until_at).where(Contact.subject == subject)).all():
            made.update(Contact, row.id, address=NOTHING, address_hash=NOTHING, until_at=row.until_at or now)
        for reply in connection.execute(select(Reply.id).where(Reply.subject == subject)).scalars().all():
            made.update(Reply, reply, body=NOTHING, address_hash=NOTHING)
        links.revoke_all(connection, subject, entry=made, now=now)
        replan(connection, protocol, subject, entry=made, now=now)
    sent = select(attempt.c.carrier_ref).join(message, message.c.id == attempt.c.message)
    mine = sent.where(message.c.subject == subject, attempt.c.carrier_ref.is_not(None))
    return list(connection.execute(mine.order_by(attempt.c.id)).scalars())


def addresses_of(connection: Connection, cipher: Cipher, subject: str) -> set[str]:
    """Every address that is still kept of a patient."""
    kept = select(Contact.address).where(Contact.subject == subject, Contact.address != NOTHING)
    return {cipher.decrypt(address) for address in connection.execute(kept).scalars()}


def erase_files(folder: Path, addresses: set[str]) -> int:
    """Remove every file of a folder of texts that holds one of these addresses; returns how many."""
    held = [file for file in folder.glob("**/*") if file.is_file() and _holds(file, addresses)]
    for file in held:
        file.unlink()
    return len(held)


def redact(connection: Connection, chain: str, seq: int, field: str, *, reason: str, by: Actor, now: datetime) -> int:
    """Empty what an entry of the trail tells of a field ("*": of rows that were added). Returns how many values.

    Raises Refusal when the entry tells of no such field. The row itself, where it is still kept, is another matter.
    """
    changes = connection.execute(select(Audit.changes).where(Audit.chain == chain, Audit.seq == seq)).scalar() or []
    digests = [digest for _, _, column, *both in changes if column == field for digest in both if digest]
    kept = select(AuditValue.digest).where(AuditValue.digest.in_(digests), AuditValue.value.is_not(None))
    values = sorted(connection.execute(kept).scalars())
    if not values:
        told = {"chain": chain, "seq": seq, "field": field}
        raise Refusal([Wrong("field", N_("%(chain)s, entry %(seq)s holds no value of %(field)s."), told)])
    if not reason.strip():
        raise Refusal([Wrong("reason", N_("Say why, in a few words without names."))])
    subject = connection.execute(select(Audit.subject).where(Audit.chain == chain, Audit.seq == seq)).scalar()
    why = f"{chain}, entry {seq}: {reason.strip()}"
    with entry(connection, chain=chain, action=REDACTED, by=by, at=now, reason=why, subject=subject) as made:
        for digest in values:
            made.changes.append([AuditValue.__tablename__, digest, "value", None, None])
        connection.execute(update(AuditValue).where(AuditValue.digest.in_(values)).values(salt=None, value=None))
    return len(values)


def _holds(file: Path, addresses: set[str]) -> bool:
    text = file.read_text(encoding="utf-8", errors="replace")
    return any(address in text for address in addresses)
