"""In which words is a patient reminded, and how many segments does a text take?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler.messages import was_asked_for

if TYPE_CHECKING:
    from scheduler.schedule import Schedule

# 3GPP TS 23.038, section 6.2.1: the default alphabet, and the characters that cost two places.
GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_7_DOUBLE = frozenset("\f^{}\\[~]|€")
SUBJECT = "subject"  # the code, among a language's texts, of the subject line of every mail
LONGEST_CODE = 8  # letters of a patient's code word


@dataclass(frozen=True, slots=True)
class Segments:
    """How a text goes over the air. `forced_by`: the characters that make it UCS-2, in order of appearance."""

    count: int
    alphabet: str
    forced_by: str


class UnknownText(LookupError):
    """No step, or no language, of this name has a text."""

    def __init__(self, language: str, step: str) -> None:
        super().__init__(f"the schedule has no text for step {step!r} in {language!r}")


def render(schedule: Schedule, language: str, step: str, *, link: str, phone: str, code: str) -> str:
    """The text of a ladder's step. Only {link}, {phone} and {code} stand for something. Raises UnknownText.

    link: to the form. phone: the nurse's. code: the patient's code word.

    A reminder that the patient or her nurse asked for has the words of the last step.
    """
    steps = schedule.ladder.steps
    text = next((rung.text for rung in steps if rung.code == step), steps[-1].text if was_asked_for(step) else None)
    if text is None or text not in schedule.texts.get(language, {}):
        raise UnknownText(language, step)
    return schedule.texts[language][text].format_map({"link": link, "phone": phone, "code": code})


def segments(body: str) -> Segments:
    """One text of 160 places (70 in UCS-2), or more of 153 (67): a double character is never cut in two."""
    forced_by = "".join(dict.fromkeys(c for c in body if c not in GSM_7 and c not in GSM_7_DOUBLE))
    if forced_by:
        widths = [len(c.encode("utf-16-be")) // 2 for c in body]
        return Segments(_count(widths, 70, 67), "UCS-2", forced_by)
    return Segments(_count([2 if c in GSM_7_DOUBLE else 1 for c in body], 160, 153), "GSM-7", "")


def _count(widths: list[int], alone: int, joined: int) -> int:
    if sum(widths) <= alone:
        return 1
    count, room = 1, joined
    for width in widths:
        if width > room:
            count, room = count + 1, joined
        room -= width
    return count
