"""Which subject ids does a trial give, when its file says only what they look like?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from re import _constants as kinds  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from string import ascii_letters, digits
from typing import Any

from epro.refusals import Refusal, Wrong

USUAL_FORMS = ("{site}-{n:03d}", "{site}{n:03d}", "{site}-{n:04d}", "{site}-{n:02d}", "{n:03d}", "{n:04d}")
ALPHABET = digits + ascii_letters + "-_. "


def subject_ids(pattern: str, site: str) -> Iterator[str]:
    """Ids that match the pattern, each once: with the site's code in front where the pattern has room for it.

    Raises Refusal where no id can be made.
    """
    usual = next((form for form in USUAL_FORMS if re.fullmatch(pattern, form.format(site=site, n=1))), None)
    found = set()
    if usual is not None:
        for n in range(1, 10_000):
            if re.fullmatch(pattern, subject := usual.format(site=site, n=n)):
                found.add(subject)
                yield subject
    for subject in _enumerated(parser.parse(pattern)):
        if subject not in found and re.fullmatch(pattern, subject):
            found.add(subject)
            yield subject
    sentence = "No further subject id can be made from the pattern %(pattern)s."
    raise Refusal([Wrong("subject_pattern", sentence, {"pattern": pattern})])


def _enumerated(parsed: Any) -> Iterator[str]:
    """Every string of a pattern's parts; the last part changes fastest."""
    parts = list(parsed)
    if not parts:
        yield ""
        return
    *before, last = parts
    for start in _enumerated(before):
        for end in _of_part(*last):
            yield start + end


def _of_part(kind: Any, value: Any) -> Iterator[str]:
    match kind:
        case kinds.LITERAL:
            yield chr(value)
        case kinds.IN:
            yield from (each for each in ALPHABET if any(_is_in(each, member) for member in value))
        case kinds.ANY:
            yield from ascii_letters
        case kinds.AT:
            yield ""
        case kinds.SUBPATTERN:
            yield from _enumerated(value[-1])
        case kinds.BRANCH:
            for branch in value[1]:
                yield from _enumerated(branch)
        case kinds.MAX_REPEAT | kinds.MIN_REPEAT:
            least, _, repeated = value
            yield from _enumerated([part for _ in range(max(least, 1)) for part in repeated])
        case _:
            return


def _is_in(character: str, member: tuple[Any, Any]) -> bool:
    kind, value = member
    if kind is kinds.LITERAL:
        return bool(ord(character) == value)
    if kind is kinds.RANGE:
        return bool(value[0] <= ord(character) <= value[1])
    classes = {kinds.CATEGORY_DIGIT: str.isdigit, kinds.CATEGORY_WORD: str.isalnum}
    return bool(kind is kinds.CATEGORY and value in classes and classes[value](character))
