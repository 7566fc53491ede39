"""Was an assessment received? It is with the first answer that stands, and no longer when the last is taken back."""

from __future__ import annotations

from sqlalchemy import select

from epro.store.audit import Entry
from epro.store.models import Assessment
from epro.store.standing import has_an_answer


def note_whether_received(made: Entry, assessment: int) -> None:
    """Keep on the assessment since when an answer of it stands. Called in each act that adds answers, after them."""
    row = made.connection.execute(
        select(Assessment.received_at, has_an_answer().label("stands")).where(Assessment.id == assessment)
    ).one()
    if row.stands != (row.received_at is not None):
        made.update(Assessment, assessment, received_at=made.at if row.stands else None)
