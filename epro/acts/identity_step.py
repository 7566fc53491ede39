"""What does a patient show besides her link, and is it hers?

The trial file's `identity_step` chooses: nothing, the year she was born, or a PIN of her own. What she has agreed on
stands beside her contact data as a keyed hash. Only a step that was passed lets earlier answers be read.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol as Shape

from sqlalchemy import Connection, select

from epro.refusals import N_, Wrong
from epro.store.audit import Entry
from epro.store.contacts import Cipher
from epro.store.models import SecondStep

NONE, BIRTH_YEAR, PIN = "none", "birth_year", "pin"
FIRST_YEAR = 1900
YOUNGEST = 15  # years; younger than that nobody takes part
NO_YEAR = N_("Write the year of birth with four digits, like 1958.")
NO_PIN = N_("A PIN has four to eight digits, not all the same and not in a row.")


class Step(Shape):
    """A second step. One that sends her away, to a bank's sign-on by OpenID Connect, would be another of these:
    what comes back signed is then what she has shown."""

    def passes(self, connection: Connection, subject: str, shown: str) -> bool: ...


@dataclass(frozen=True)
class Typed:
    """Digits that she types, held to the keyed hash of those that were agreed on."""

    kind: str
    cipher: Cipher

    def passes(self, connection: Connection, subject: str, shown: str) -> bool:
        kept = connection.execute(
            select(SecondStep.hash)
            .where(SecondStep.subject == subject, SecondStep.kind == self.kind)
            .order_by(SecondStep.id.desc())
            .limit(1)
        ).scalar()
        digests = self.cipher.digests(_salted(subject, self.kind, shown))
        return kept is not None and any(hmac.compare_digest(kept, digest) for digest in digests)


def step_of(kind: str, cipher: Cipher) -> Step | None:
    """The step that a trial has chosen; None = the link alone."""
    return None if kind == NONE else Typed(kind, cipher)


def wrongs(kind: str, typed: str | None, now: datetime) -> Iterator[Wrong]:
    """What is wrong with digits that are to be agreed on."""
    digits = _digits(typed or "")
    if kind == BIRTH_YEAR and not (len(digits) == 4 and FIRST_YEAR <= int(digits) <= now.year - YOUNGEST):
        yield Wrong("second_step", NO_YEAR)
    if kind == PIN and (not 4 <= len(digits) <= 8 or _is_easy(digits)):
        yield Wrong("second_step", NO_PIN)


def keep(opened: Entry, cipher: Cipher, subject: str, kind: str, typed: str) -> None:
    """Agree on these digits from now on."""
    opened.insert(SecondStep, subject=subject, kind=kind, hash=cipher.digest(_salted(subject, kind, typed)))


def _salted(subject: str, kind: str, typed: str) -> str:
    return f"second step/{kind}/{subject}/{_digits(typed)}"


def _digits(typed: str) -> str:
    return re.sub(r"[\s-]", "", typed) if re.fullmatch(r"[0-9\s-]*", typed) else ""


def _is_easy(digits: str) -> bool:
    return len(set(digits)) == 1 or digits in "01234567890" or digits in "09876543210"
