"""What does one visit ask, in which order, and what may be shown again of what was said?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from epro.acts.answers import ANSWERED, SKIPPED, Given
from epro.protocol import Protocol
from questionnaires.wording import ItemText

UNANSWERED = "unanswered"


@dataclass(frozen=True)
class Question:
    """One screen: the n-th item of the visit, in the words of its instrument."""

    n: int
    instrument: str
    item: str
    words: ItemText
    title: str  # of its questionnaire
    banner: str | None


@dataclass(frozen=True)
class Standing:
    """Where an item stands. value and label: only what was said in this same sitting, None otherwise."""

    question: Question
    state: str  # answered | skipped | unanswered
    value: int | None
    label: str | None


def questions_of(protocol: Protocol, visit: str, language: str) -> list[Question]:
    """Every item of the visit's questionnaires, in order."""
    asked = [
        (wording, item, words)
        for wording in (protocol.wordings[code, language] for code in protocol.schedule.visits[visit].instruments)
        for item, words in wording.items.items()
    ]
    return [
        Question(n, wording.instrument, item, words, wording.title, wording.banner)
        for n, (wording, item, words) in enumerate(asked, start=1)
    ]


def standings(questions: Sequence[Question], given: Mapping[tuple[str, str], Given], sitting: str) -> list[Standing]:
    """Each item as this sitting may see it: a link alone reads nothing back."""
    return [_standing(question, given.get((question.instrument, question.item)), sitting) for question in questions]


def _standing(question: Question, given: Given | None, sitting: str) -> Standing:
    if given is None:
        return Standing(question, UNANSWERED, None, None)
    if given.state != ANSWERED or given.session != sitting:
        return Standing(question, SKIPPED if given.state == SKIPPED else ANSWERED, None, None)
    label = next((label for value, label in question.words.options if value == given.value), None)
    return Standing(question, ANSWERED, given.value, label)


def first_unanswered(standings: Sequence[Standing]) -> int | None:
    """The number of the first item that has neither an answer nor a chosen blank; None when all have."""
    return next((each.question.n for each in standings if each.state == UNANSWERED), None)
