"""How much of an assessment is answered? Counts of items, never a value."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, select

from epro.protocol import Protocol
from epro.store.models import Answer, Assessment, Form, Patient
from epro.store.standing import ANSWERED, is_current

SKIPPED = "skipped"


@dataclass(frozen=True)
class Answered:
    """Items of one assessment: answered, left blank on purpose."""

    answered: int = 0
    skipped: int = 0


NOTHING = Answered()


def answered(connection: Connection, which: Sequence[ColumnElement[bool]]) -> dict[int, Answered]:
    """By assessment, for those that these conditions on Assessment and Patient name and that hold an answer."""
    rows = connection.execute(
        select(Form.assessment, Answer.state, func.count().label("items"))
        .join(Form, Form.id == Answer.form)
        .join(Assessment, Assessment.id == Form.assessment)
        .join(Patient, Patient.subject == Assessment.subject)
        .where(*which, is_current(Answer))
        .group_by(Form.assessment, Answer.state)
    )
    counted: dict[int, dict[str, int]] = defaultdict(dict)
    for row in rows:
        counted[row.assessment][row.state] = row.items
    return {
        assessment: Answered(states.get(ANSWERED, 0), states.get(SKIPPED, 0)) for assessment, states in counted.items()
    }


def items_of(protocol: Protocol, visit: str, version: int) -> int:
    """How many items a visit asks under a version of the trial file, over all its questionnaires."""
    return sum(len(protocol.instruments[code].items) for code in protocol.visit(visit, version).instruments)
