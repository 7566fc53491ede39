"""How many of the forms that were expected came, by visit and site? Never by arm.

Counted are the assessments whose window is over, by its days or by death or withdrawal, or that were submitted, of
patients who were in the study when they were due. Received means at least one answer when the window closed; complete
(submitted) and unfinished are counted apart. A window that closed before its patient was in the system counts nowhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, func, or_, select

from epro.protocol import Protocol
from epro.queries.answered import has_an_answer
from epro.store import facts
from epro.store.models import Assessment, Patient


@dataclass(frozen=True)
class Count:
    """Forms of one visit at one site, or a sum of such."""

    expected: int = 0
    complete: int = 0
    unfinished: int = 0

    @property
    def received(self) -> int:
        return self.complete + self.unfinished

    @property
    def percent(self) -> int | None:
        """received of expected, rounded; None where nothing was expected yet."""
        return round(100 * self.received / self.expected) if self.expected else None

    def __add__(self, other: Count) -> Count:
        return Count(self.expected + other.expected, self.complete + other.complete, self.unfinished + other.unfinished)


@dataclass(frozen=True)
class Completion:
    """The table: a row a visit, a column a site, with sums that add up."""

    visits: tuple[str, ...]
    sites: tuple[str, ...]
    cells: dict[tuple[str, str], Count]  # (visit, site)

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
    connection: Connection, protocol: Protocol, now: datetime, *, sites: Collection[str] | None = None
) -> Completion:
    """The table for these sites (None = all), in one statement."""
    is_over = or_(Assessment.completed_at.is_not(None), Assessment.closes_at <= now, facts.has_ended())
    before_system = and_(
        Assessment.completed_at.is_(None), Assessment.started_at.is_(None), Assessment.closes_at <= Patient.enrolled_at
    )
    forms = (
        select(
            Patient.site,
            Assessment.visit,
            Assessment.completed_at.is_not(None).label("complete"),
            has_an_answer().label("received"),
        )
        .join(Patient, Patient.subject == Assessment.subject)
        .where(Assessment.expected.is_(True), is_over, ~before_system)
        .subquery()
    )
    columns = forms.c
    rows = connection.execute(
        select(
            columns.site,
            columns.visit,
            func.count().label("expected"),
            func.count().filter(columns.received, columns.complete).label("complete"),
            func.count().filter(columns.received, ~columns.complete).label("unfinished"),
        ).group_by(columns.site, columns.visit)
    )
    cells = {(row.visit, row.site): Count(row.expected, row.complete, row.unfinished) for row in rows}
    shown = tuple(site for site in protocol.sites if sites is None or site in sites)
    return Completion(tuple(protocol.visits), shown, cells)


def _sum(counts: Iterable[Count]) -> Count:
    return sum(counts, Count())
