"""Which answers stand, and does any of an assessment? The current answer to an item is the latest to it."""

from __future__ import annotations

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import aliased

from epro.store.models import Answer, Assessment, Form

ANSWERED = "answered"


def has_an_answer() -> ColumnElement[bool]:
    """That an assessment holds at least one answer: the condition under which it was received.

    What it says is kept as `assessment.received_at`, which costs a count over all forms nothing.
    """
    return exists(
        select(Answer.id)
        .join(Form, Form.id == Answer.form)
        .where(Form.assessment == Assessment.id, Answer.state == ANSWERED, is_current(Answer))
    )


def is_current(answer: type[Answer]) -> ColumnElement[bool]:
    """That no later answer to the same item stands."""
    later = aliased(Answer)
    return ~exists(select(later.id).where(later.form == answer.form, later.item == answer.item, later.id > answer.id))
