"""What does the case report form say of patients, as it was brought in last?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, select

from epro.store.models import AdverseEvent, CovariateValue


@dataclass(frozen=True)
class Event:
    """An adverse event as it stands. serious: None = not said. taken_back: it never was."""

    subject: str
    term: str
    started_on: date
    grade: int
    serious: bool | None
    ended_on: date | None
    taken_back: bool

    @property
    def key(self) -> tuple[str, str, date]:
        """By which a later file speaks of the same event."""
        return self.subject, self.term.casefold(), self.started_on


def covariates_of(connection: Connection, subjects: Collection[str] | None = None) -> dict[str, dict[str, str]]:
    """subject → name → value; of these patients, None = of all."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    columns = (CovariateValue.subject, CovariateValue.name, CovariateValue.value)
    mine = [] if subjects is None else [CovariateValue.subject.in_(subjects)]
    for row in connection.execute(select(*columns).where(*mine).order_by(CovariateValue.id)):
        found[row.subject][row.name] = row.value
    return dict(found)


def events_of(connection: Connection, subjects: Collection[str] | None = None) -> dict[tuple[str, str, date], Event]:
    """By key, those that were taken back among them; of these patients, None = of all."""
    columns = [getattr(AdverseEvent, name) for name in Event.__dataclass_fields__]
    mine = [] if subjects is None else [AdverseEvent.subject.in_(subjects)]
    rows = connection.execute(select(*columns).where(*mine).order_by(AdverseEvent.id))
    events = (Event(**{**row._mapping, "term": row.term or REDACTED}) for row in rows)
    return {event.key: event for event in events}


REDACTED = "redacted"  # in place of a term that should never have been written
