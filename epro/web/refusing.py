"""How is a refusal said in the language of the page?"""

from __future__ import annotations

from collections.abc import Iterable

from flask_babel import gettext

from epro.refusals import Wrong


def in_words(wrong: Wrong) -> str:
    return str(gettext(wrong.message)) % wrong.values


def by_field(wrongs: Iterable[Wrong]) -> dict[str, list[str]]:
    """What is wrong, in the page's language, by the field it stands beside."""
    words: dict[str, list[str]] = {}
    for wrong in wrongs:
        words.setdefault(wrong.field, []).append(in_words(wrong))
    return words
