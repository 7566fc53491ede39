"""How many of the forms that were expected came, by visit and site, and why did the others not? Never by arm.

Counted are the assessments whose window is over, by its days or by death or withdrawal, or that were submitted, of
patients who were in the study when they were due. Received means at least one answer when the window closed; complete
(submitted) and unfinished are counted apart. A window that closed before its patient was in the system counts nowhere.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Subquery, and_, func, or_, select

from epro.protocol import RANDOMISATION, Protocol
from epro.store import people
from epro.store.models import Assessment, Patient, PatientEvent


@dataclass(frozen=True)
class Count:
    """Forms of one visit at one site, or a sum of such.

    due: of every patient randomised by now, alive or not, who would have had the form by now: the fixed denominator.
    expected: of those in the study when it was due: the variable one. received_of_due: received of the randomised.
    """

    expected: int = 0
    complete: int = 0
    unfinished: int = 0
    due: int = 0
    received_of_due: int = 0

    @property
    def received(self) -> int:
        return self.complete + self.unfinished

    @property
    def missing(self) -> int:
        return self.expected - self.received

    @property
    def percent(self) -> int | None:
        """received of expected, rounded; None where nothing was expected yet."""
        return round(100 * self.received / self.expected) if self.expected else None

    @property
    def percent_of_due(self) -> int | None:
        """received of the randomised whose form would have been due, rounded; None where there is none."""
        return round(100 * self.received_of_due / self.due) if self.due else None

    def __add__(self, other: Count) -> Count:
        names = ("expected", "complete", "unfinished", "due", "received_of_due")
        return Count(*(getattr(self, name) + getattr(other, name) for name in names))


@dataclass(frozen=True)
class Completion:
    """The table: a row a visit, a column a site, with sums that add up. missing: reason → forms, "" = none given."""

    visits: tuple[str, ...]
    sites: tuple[str, ...]
    cells: dict[tuple[str, str], Count]  # (visit, site)
    missing: Mapping[str, int] = field(default_factory=dict)

    def at(self, visit: str, site: str) -> Count:
        return self.cells.get((visit, site), Count())

    def of_visit(self, visit: str) -> Count:
        return _sum(self.at(visit, site) for site in self.sites)

    def of_site(self, site: str) -> Count:
        return _sum(self.at(visit, site) for visit in self.visits)

    @property
    def total(self) -> Count:
        return _sum(self.of_site(site) for site in self.sites)


def completion(
    connection: Connection,
    protocol: Protocol,
    now: datetime,
    *,
    sites: Collection[str] | None = None,
    visit: str | None = None,
) -> Completion:
    """The table for these sites (None = all) and one visit or every one, in one statement."""
    here: list[ColumnElement[bool]] = []
    here += [] if sites is None else [Patient.site.in_(sites)]
    here += [] if visit is None else [Assessment.visit == visit]
    cells: dict[tuple[str, str], Count] = defaultdict(Count)
    missing: Counter[str] = Counter()
    for row in connection.execute(_counted(_forms(now, here))):
        count = Count(row.expected, row.complete, row.unfinished, row.due, row.received_of_due)
        cells[row.visit, row.site] += count
        missing[row.reason or ""] += count.missing
    shown = tuple(site for site in protocol.sites if sites is None or site in sites)
    visits = tuple(protocol.visits) if visit is None else (visit,)
    return Completion(visits, shown, cells, {reason: n for reason, n in missing.items() if n})


def _forms(now: datetime, here: Sequence[ColumnElement[bool]]) -> Subquery:
    """Every form that counts somewhere, and for what. Of its answers only the mark that one stands is read."""
    is_complete, has_closed = Assessment.completed_at.is_not(None), Assessment.closes_at <= now
    is_over = or_(is_complete, has_closed, Assessment.subject.in_(people.those_ended()))
    before_system = and_(~is_complete, Assessment.started_at.is_(None), Assessment.closes_at <= Patient.enrolled_at)
    randomised = select(PatientEvent.subject).where(PatientEvent.kind == RANDOMISATION)
    return (
        select(
            Patient.site,
            Assessment.visit,
            Assessment.reason,
            Assessment.expected,
            is_complete.label("complete"),
            Assessment.received_at.is_not(None).label("received"),
            and_(Assessment.subject.in_(randomised), or_(has_closed, is_complete)).label("due"),
        )
        .join(Patient, Patient.subject == Assessment.subject)
        .where(is_over, ~before_system, Assessment.opens_at < Assessment.closes_at, *here)
        .subquery()
    )


def _counted(forms: Subquery) -> Select[Any]:
    of, came = forms.c, and_(forms.c.expected, forms.c.received)
    return select(
        of.site,
        of.visit,
        of.reason,
        func.count().filter(of.expected).label("expected"),
        func.count().filter(came, of.complete).label("complete"),
        func.count().filter(came, ~of.complete).label("unfinished"),
        func.count().filter(of.due).label("due"),
        func.count().filter(of.due, of.received).label("received_of_due"),
    ).group_by(of.site, of.visit, of.reason)


def _sum(counts: Iterable[Count]) -> Count:
    return sum(counts, Count())
