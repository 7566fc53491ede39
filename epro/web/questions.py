"""What does one visit ask, in which order, and what may be shown again of what was said?"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from epro.acts.answers import ANSWERED, NOT_APPLICABLE, SKIPPED, Given, standing
from epro.protocol import Protocol
from questionnaires.branching import asked
from questionnaires.definition import Gate
from questionnaires.wording import ItemText

UNANSWERED = "unanswered"
Everything = Mapping[tuple[str, str], Given]  # what was given, by (instrument, item)


@dataclass(frozen=True)
class Question:
    """One screen: an item in the words of its instrument.

    n: its number among the items that are asked; of one that a gate has closed, the number that it would take.
    """

    n: int
    instrument: str
    item: str
    words: ItemText
    title: str  # of its questionnaire
    banner: str | None
    language: str
    gate: Gate | None
    closed: bool  # by its gate, as things stand

    @property
    def name(self) -> str:
        """How a page names it: it stays when numbers shift."""
        return f"{self.instrument}.{self.item}"


@dataclass(frozen=True)
class Standing:
    """Where an item stands. value, text and label: only what was said in this same sitting, None otherwise."""

    question: Question
    state: str  # answered | skipped | unanswered
    value: int | None = None
    text: str | None = None
    label: str | None = None

    def without_answer(self) -> Standing:
        """The same for a copy that stays on the phone."""
        return Standing(self.question, self.state)


def questions_of(protocol: Protocol, visit: str, version: int, language: str, given: Everything) -> list[Question]:
    """Every item of the visit's questionnaires in order, those that a gate has closed as things stand among them.

    A gate stands before what hangs on it, so that an answer never changes the number of a question before it.
    """
    return list(_numbered(protocol, protocol.visit(visit, version).instruments, language, given))


def _numbered(protocol: Protocol, instruments: Collection[str], language: str, given: Everything) -> Iterator[Question]:
    n = 1
    for code in instruments:
        wording, instrument = protocol.wordings[code, language], protocol.instruments[code]
        is_asked = set(asked(instrument, standing(given, code)))
        for item in instrument.items:
            closed = item.code not in is_asked
            words = wording.items[item.code]
            yield Question(n, code, item.code, words, wording.title, wording.banner, language, item.asked_when, closed)
            n += not closed


def standings(questions: Sequence[Question], given: Everything, sitting: str, *, may_read: bool) -> list[Standing]:
    """Each item as this sitting may see it: a link alone reads nothing back, a passed second step does (`may_read`)."""
    return [
        _standing(question, given.get((question.instrument, question.item)), sitting, may_read)
        for question in questions
    ]


def _standing(question: Question, given: Given | None, sitting: str, may_read: bool) -> Standing:
    if given is None or given.state == NOT_APPLICABLE:
        return Standing(question, UNANSWERED)
    if given.state != ANSWERED or not (may_read or given.session == sitting):
        return Standing(question, SKIPPED if given.state == SKIPPED else ANSWERED)
    label = given.text or next((label for value, label in question.words.options if value == given.value), None)
    return Standing(question, ANSWERED, given.value, given.text, label)


def those_asked(standings: Sequence[Standing]) -> list[Standing]:
    return [each for each in standings if not each.question.closed]


def first_unanswered(standings: Sequence[Standing]) -> int | None:
    """The number of the first item that has neither an answer nor a chosen blank; None when all have."""
    return next((each.question.n for each in standings if each.state == UNANSWERED), None)
