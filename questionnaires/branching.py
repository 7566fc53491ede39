"""Which items does a form ask, given what is answered, and where does each of them stand?

The rule of a gate: an item that has one is asked when the gate's answer is one of those it names, and also while the
gate has no answer. A gate that is not asked itself closes what hangs on it. Pure: the same answers give the same items,
in whatever order they were given, so that a gate that is closed afterwards makes a standing answer not applicable.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum

from questionnaires.definition import Instrument

Given = Mapping[str, int | str | None]  # item: its standing answer; None = left blank


class State(StrEnum):
    """Where an item stands. Only `skipped` is a gap: the patient saw the question and gave no answer."""

    ANSWERED = "answered"
    SKIPPED = "skipped"
    NOT_APPLICABLE = "not applicable"
    NOT_SHOWN = "not shown"


def closed_by(instrument: Instrument, given: Given) -> dict[str, str]:
    """The items that are not asked, and the gate that closes each: the first one on the way, in a chain of gates."""
    closed: dict[str, str] = {}
    for item in instrument.items:
        gate = item.asked_when
        if gate is None:
            continue
        answer = given.get(gate.item)
        if gate.item in closed:
            closed[item.code] = closed[gate.item]
        elif answer is not None and answer not in gate.answers:
            closed[item.code] = gate.item
    return closed


def asked(instrument: Instrument, given: Given) -> list[str]:
    """The items to ask, in their order."""
    closed = closed_by(instrument, given)
    return [item.code for item in instrument.items if item.code not in closed]


def states(instrument: Instrument, given: Given, shown: Collection[str]) -> dict[str, State]:
    """The state of every item. shown: the items that the patient has had before her, answered or not."""
    closed = closed_by(instrument, given)
    return {item.code: _state(item.code, given, shown, closed) for item in instrument.items}


def overtaken(instrument: Instrument, given: Given) -> list[str]:
    """The items whose standing answer does not apply any more, because a gate was closed after it was given.

    Their answers are to be followed by a `not applicable`, never deleted: what was said stays in the history.
    """
    return [item for item in closed_by(instrument, given) if given.get(item) is not None]


def applicable(instrument: Instrument, given: Given) -> dict[str, int | str]:
    """The answers that count: those given to items that are asked."""
    return {item: answer for item in asked(instrument, given) if (answer := given.get(item)) is not None}


def _state(item: str, given: Given, shown: Collection[str], closed: Mapping[str, str]) -> State:
    if item in closed:
        return State.NOT_APPLICABLE
    if given.get(item) is not None:
        return State.ANSWERED
    return State.SKIPPED if item in shown else State.NOT_SHOWN
