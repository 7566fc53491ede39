"""By which word does a patient know that a text is from us?

She is told it at enrolment, and it stands in every text and on the start page. It names nobody, yet tells one patient's
texts from another's: it is kept encrypted, and shown to her and to those who may reach her.
"""

from __future__ import annotations

import secrets
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, select

from epro.store.contacts import Cipher
from epro.store.models import ERASED, CodeWord

LIST = Path(__file__).with_name("codewords.toml")
FALLBACK = "en"


def new_word(language: str) -> str:
    """A word for a new patient, in her language or else in English."""
    lists = code_words()
    return secrets.choice(lists.get(language, lists[FALLBACK]))


@cache
def code_words() -> Mapping[str, Sequence[str]]:
    """The words that are given, by language."""
    return tomllib.loads(LIST.read_text(encoding="utf-8"))


def code_word_of(connection: Connection, cipher: Cipher, subject: str) -> str:
    """The code word of one patient. Raises KeyError for a patient who does not exist."""
    return code_words_of(connection, cipher, [subject])[subject]


def code_words_of(connection: Connection, cipher: Cipher, subjects: Iterable[str]) -> dict[str, str]:
    """subject → code word; empty of a patient whose contact data are erased"""
    rows = connection.execute(select(CodeWord.subject, CodeWord.word).where(CodeWord.subject.in_(list(subjects))))
    return {row.subject: cipher.decrypt(row.word) if row.word != ERASED else ERASED for row in rows}
