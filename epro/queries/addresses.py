"""How is a patient reached, as far as those who may reach her need to see it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from epro.store.codewords import code_word_of
from epro.store.contacts import Cipher, masked
from epro.store.models import Contact
from scheduler.ports import SMS


@dataclass(frozen=True)
class Reached:
    """masked: by channel, enough of each address in use to know it again. Its repr shows nothing."""

    code_word: str = field(repr=False)
    masked: Mapping[str, str] = field(repr=False)


def reached_at(connection: Connection, cipher: Cipher, subject: str) -> Reached:
    """The code word of a patient and her addresses in use."""
    addresses = {kind: masked(address) for kind, address in _in_use(connection, cipher, subject).items()}
    return Reached(code_word_of(connection, cipher, subject), addresses)


def number_of(connection: Connection, cipher: Cipher, subject: str) -> str | None:
    """The number to call her by, E.164. Only for a page that says so and leaves a line behind."""
    return _in_use(connection, cipher, subject).get(SMS)


def _in_use(connection: Connection, cipher: Cipher, subject: str) -> dict[str, str]:
    in_use = select(Contact.kind, Contact.address).where(Contact.subject == subject, Contact.until_at.is_(None))
    return {row.kind: cipher.decrypt(row.address) for row in connection.execute(in_use)}
