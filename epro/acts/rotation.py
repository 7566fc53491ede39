"""Everything that is kept under an older key is put under the newest, so that the older ones can be thrown away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from epro.acts.cards import hashed_as
from epro.store.audit import TRIAL_CHAIN, Actor, Entry, entry
from epro.store.contacts import Cipher
from epro.store.models import ERASED, Base, Card, CodeWord, Contact, Reply, User, table_of

ENCRYPTED: dict[type[Base], tuple[str, ...]] = {
    Contact: ("address",),
    Reply: ("body",),
    CodeWord: ("word",),
    Card: ("code",),
    User: ("totp_secret",),
}  # texts under a key
KEYED = {"address_hash", "code_hash"}  # the hashes under a key by which two of them are found


@dataclass(frozen=True)
class Rotated:
    """How many rows were put under the newest key, and how many there are."""

    changed: int
    rows: int


def rotate(connection: Connection, cipher: Cipher, *, by: Actor, now: datetime) -> Rotated:
    """Encrypt anew every text that the newest key did not write, and make its keyed hash anew.

    Raises cryptography's InvalidToken when a text was written by a key that is not there; then nothing is changed.
    """
    newest = Cipher(cipher.keys[:1])
    renewed = _hashes(connection, cipher)
    rows = changed = 0
    with entry(connection, chain=TRIAL_CHAIN, action="keys rotated", by=by, at=now) as made:
        for model, columns in ENCRYPTED.items():
            (key,) = table_of(model).primary_key.columns
            for row in connection.execute(select(model.__table__).order_by(key)).mappings().all():
                rows += 1
                values = {name: _under(newest, cipher, row[name]) for name in columns if row[name]}
                for name in sorted(KEYED):
                    if row.get(name) in renewed:
                        values[name] = renewed[row[name]]
                changed += _update(made, model, row[key.name], values)
    return Rotated(changed, rows)


def _update(made: Entry, model: type[Base], key: Any, values: dict[str, str]) -> bool:
    return made.update(model, key, **values) if values else False


def _under(newest: Cipher, cipher: Cipher, secret: str) -> str:
    return secret if newest.reads(secret) else cipher.rotate(secret)


def _hashes(connection: Connection, cipher: Cipher) -> dict[str, str]:
    """The keyed hash under every older key of each address and card code, and the one that takes its place.

    A second step is kept as its hash alone: one that was agreed on under an older key passes while that key is there.
    """
    kept = connection.execute(select(Contact.address).where(Contact.address != ERASED)).scalars()
    codes = connection.execute(select(Card.code).where(Card.code != ERASED)).scalars()
    plain = {cipher.decrypt(secret) for secret in kept} | {hashed_as(cipher.decrypt(secret)) for secret in codes}
    return {old: cipher.digest(text) for text in plain for old in cipher.digests(text)[1:]}
