"""A patient's number, or a word that should never have been written, is taken out of everything that is live.

What stays: that there was one, from when until when, and who took it out and why. The chain still verifies, because it
holds salted digests and not the values. Backups keep what they hold until they are thrown away.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, select, update

from epro.acts import links
from epro.acts.patients import known_patient
from epro.acts.replanning import replan
from epro.protocol import Protocol
from epro.record.epro_verify import REDACTED, with_reason
from epro.refusals import N_, Refusal, Wrong
from epro.store.audit import Actor, Entry, entry
from epro.store.contacts import Cipher
from epro.store.models import ERASED, Audit, AuditValue, Base, Card, CodeWord, Contact, Reply, SecondStep
from epro.store.sealing import EMPTIED
from scheduler.tables import attempt, message


def erase_contact(
    connection: Connection, protocol: Protocol, subject: str, *, reason: str, by: Actor, now: datetime
) -> list[str]:
    """Empty every address and every reply of a patient, and by what she is known; close her links, stop her texts.

    Returns the carrier's references of her texts, whose words it may still hold. Raises Refusal, NoSuchPatient.
    """
    known = known_patient(connection, subject)
    if not reason.strip():
        raise Refusal([Wrong("reason", N_("Say why, in a few words without names."))])
    with entry(connection, chain=known.site, action="contact erased", by=by, at=now, reason=reason.strip()) as made:
        for row in connection.execute(select(Contact.id, Contact.until_at).where(Contact.subject == subject)).all():
            made.update(Contact, row.id, address=ERASED, address_hash=ERASED, until_at=row.until_at or now)
        for reply in connection.execute(select(Reply.id).where(Reply.subject == subject)).scalars().all():
            made.update(Reply, reply, body=ERASED, address_hash=ERASED)
        _erase_what_she_is_known_by(made, subject, now)
        links.revoke_all(connection, subject, entry=made, now=now)
        replan(connection, protocol, subject, entry=made, now=now)
    sent = select(attempt.c.carrier_ref).join(message, message.c.id == attempt.c.message)
    mine = sent.where(message.c.subject == subject, attempt.c.carrier_ref.is_not(None))
    return list(connection.execute(mine.order_by(attempt.c.id)).scalars())


def addresses_of(connection: Connection, cipher: Cipher, subject: str) -> set[str]:
    """Every address that is still kept of a patient."""
    kept = select(Contact.address).where(Contact.subject == subject, Contact.address != ERASED)
    return {cipher.decrypt(address) for address in connection.execute(kept).scalars()}


def erase_files(folder: Path, addresses: set[str]) -> int:
    """Remove every file of a folder of texts that holds one of these addresses; returns how many."""
    held = [file for file in folder.glob("**/*") if file.is_file() and _holds(file, addresses)]
    for file in held:
        file.unlink()
    return len(held)


def redact(connection: Connection, chain: str, seq: int, field: str, *, reason: str, by: Actor, now: datetime) -> int:
    """Empty what an entry of the trail tells of a field, and the field itself where somebody wrote words in it.

    field: a column, "reason" also for the reason of the entry itself; "*" = all of every row that was added. Of a row
    that was added the trail holds one value, which goes as a whole. Returns how many values were emptied. Raises
    Refusal when the entry tells of no such field.
    """
    row = connection.execute(select(Audit).where(Audit.chain == chain, Audit.seq == seq)).one_or_none()
    found = _told_of(connection, row, field) if row else {}
    if row is None or not found:
        told = {"chain": chain, "seq": seq, "field": field}
        raise Refusal([Wrong("field", N_("%(chain)s, entry %(seq)s holds no value of %(field)s."), told)])
    if not reason.strip():
        raise Refusal([Wrong("reason", N_("Say why, in a few words without names."))])
    why = f"{chain}, entry {seq}: {reason.strip()}"
    with entry(connection, chain=chain, action=REDACTED, by=by, at=now, reason=why, subject=row.subject) as made:
        for digest, (table, key) in sorted(found.items()):
            made.changes.append([AuditValue.__tablename__, digest, "value", None, None])
            if field in EMPTIED.get(table, ()):
                _empty(made, table, key, field)
        digests = AuditValue.digest.in_(found)
        connection.execute(update(AuditValue).where(digests).values(salt=None, value=None))
    return len(found)


def _erase_what_she_is_known_by(made: Entry, subject: str, now: datetime) -> None:
    """Her code word, the codes of her cards, and what she showed besides her link."""
    made.update(CodeWord, subject, word=ERASED)
    cards = select(Card.id, Card.until_at).where(Card.subject == subject)
    for card in made.connection.execute(cards).all():
        made.update(Card, card.id, code=ERASED, code_hash=ERASED, until_at=card.until_at or now)
    for step in made.connection.execute(select(SecondStep.id).where(SecondStep.subject == subject)).scalars().all():
        made.update(SecondStep, step, hash=None)


def _told_of(connection: Connection, row: Row[Any], field: str) -> dict[str, tuple[str, str]]:
    """Every digest under which an entry holds this field, with the table and the row it speaks of."""
    found: dict[str, tuple[str, str]] = {}
    for table, key, column, old, new in with_reason(row.id, row.why, row.changes):
        for digest in filter(None, (old, new)):
            value = connection.execute(select(AuditValue.value).where(AuditValue.digest == digest)).scalar()
            told = json.loads(value) if value is not None else None
            in_the_row = column == "*" and isinstance(told, dict) and told.get(field) is not None
            if value is not None and (column == field or in_the_row):
                found[digest] = (table, key)
    return found


def _empty(made: Entry, table: str, key: str, field: str) -> None:
    model = Base.metadata.tables[table]
    if table == Audit.__tablename__:
        made.connection.execute(update(Audit).where(Audit.id == key).values(reason=None))
        return
    made.connection.execute(update(model).where(model.c.id == int(key)).values({field: None, "entry": made.id}))
    made.changes.append([table, key, field, None, None])


def _holds(file: Path, addresses: set[str]) -> bool:
    text = file.read_text(encoding="utf-8", errors="replace")
    return any(address in text for address in addresses)
