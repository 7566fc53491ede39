"""What does one visit ask, in which order, and what may be shown again of what was said?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from epro.acts.answers import ANSWERED, NOT_APPLICABLE, SKIPPED, Given, standing
from epro.protocol import Protocol
from questionnaires.branching import asked
from questionnaires.wording import ItemText

UNANSWERED = "unanswered"
Everything = Mapping[tuple[str, str], Given]  # what was given, by (instrument, item)


@dataclass(frozen=True)
class Question:
    """One screen: the n-th item that is asked, in the words of its instrument."""

    n: int
    instrument: str
    item: str
    words: ItemText
    title: str  # of its questionnaire
    banner: str | None


@dataclass(frozen=True)
class Standing:
    """Where an item stands. value, text and label: only what was said in this same sitting, None otherwise."""

    question: Question
    state: str  # answered | skipped | unanswered
    value: int | None = None
    text: str | None = None
    label: str | None = None


def questions_of(protocol: Protocol, visit: str, version: int, language: str, given: Everything) -> list[Question]:
    """Every item of the visit's questionnaires that is asked as things stand, in order.

    A gate stands before what hangs on it, so that an answer never changes the number of a question before it.
    """
    items = [
        (protocol.wordings[code, language], item)
        for code in protocol.visit(visit, version).instruments
        for item in asked(protocol.instruments[code], standing(given, code))
    ]
    return [
        Question(n, wording.instrument, item, wording.items[item], wording.title, wording.banner)
        for n, (wording, item) in enumerate(items, start=1)
    ]


def standings(questions: Sequence[Question], given: Everything, sitting: str) -> list[Standing]:
    """Each item as this sitting may see it: a link alone reads nothing back."""
    return [_standing(question, given.get((question.instrument, question.item)), sitting) for question in questions]


def _standing(question: Question, given: Given | None, sitting: str) -> Standing:
    if given is None or given.state == NOT_APPLICABLE:
        return Standing(question, UNANSWERED)
    if given.state != ANSWERED or given.session != sitting:
        return Standing(question, SKIPPED if given.state == SKIPPED else ANSWERED)
    label = given.text or next((label for value, label in question.words.options if value == given.value), None)
    return Standing(question, ANSWERED, given.value, given.text, label)


def first_unanswered(standings: Sequence[Standing]) -> int | None:
    """The number of the first item that has neither an answer nor a chosen blank; None when all have."""
    return next((each.question.n for each in standings if each.state == UNANSWERED), None)
