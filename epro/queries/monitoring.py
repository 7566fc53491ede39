"""How many of the forms that were expected came, by visit and site, and why did the others not? Never by arm.

Counted are the assessments whose window is over, by its days or by death or withdrawal, or that were submitted, of
patients who were in the study when they were due. Received means at least one answer when the window closed; complete
(submitted) and unfinished are counted apart. A window that closed before its patient was in the system counts nowhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Subquery, and_, func, or_, select

from epro.protocol import RANDOMISATION, Protocol
from epro.queries.answered import has_an_answer
from epro.store import facts
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
    ended, randomised = facts.those_ended().subquery(), _with(RANDOMISATION)
    has_closed = Assessment.closes_at <= now
    is_over = or_(Assessment.completed_at.is_not(None), has_closed, ended.c.subject.is_not(None))
    before_system = and_(
        Assessment.completed_at.is_(None), Assessment.started_at.is_(None), Assessment.closes_at <= Patient.enrolled_at
    )
    here: list[ColumnElement[bool]] = []
    here += [] if sites is None else [Patient.site.in_(sites)]
    here += [] if visit is None else [Assessment.visit == visit]
    forms = (
        select(
            Patient.site,
            Assessment.visit,
            Assessment.reason,
            and_(Assessment.expected.is_(True), is_over).label("expected"),
            Assessment.completed_at.is_not(None).label("complete"),
            and_(Assessment.started_at.is_not(None), has_an_answer()).label("received"),
            and_(randomised.c.subject.is_not(None), or_(has_closed, Assessment.completed_at.is_not(None))).label("due"),
        )
        .join(Patient, Patient.subject == Assessment.subject)
        .outerjoin(ended, ended.c.subject == Assessment.subject)
        .outerjoin(randomised, randomised.c.subject == Assessment.subject)
        .where(or_(is_over, has_closed), ~before_system, Assessment.opens_at < Assessment.closes_at, *here)
        .subquery()
    )
    columns = forms.c
    came = and_(columns.expected, columns.received)
    rows = connection.execute(
        select(
            columns.site,
            columns.visit,
            columns.reason,
            func.count().filter(columns.expected).label("expected"),
            func.count().filter(came, columns.complete).label("complete"),
            func.count().filter(came, ~columns.complete).label("unfinished"),
            func.count().filter(columns.due).label("due"),
            func.count().filter(columns.due, columns.received).label("received_of_due"),
        ).group_by(columns.site, columns.visit, columns.reason)
    )
    cells: dict[tuple[str, str], Count] = {}
    missing: Counter[str] = Counter()
    for row in rows:
        count = Count(row.expected, row.complete, row.unfinished, row.due, row.received_of_due)
        cells[row.visit, row.site] = cells.get((row.visit, row.site), Count()) + count
        missing[row.reason or ""] += count.missing
    shown = tuple(site for site in protocol.sites if sites is None or site in sites)
    visits = tuple(protocol.visits) if visit is None else (visit,)
    return Completion(visits, shown, cells, {reason: n for reason, n in missing.items() if n})


def _with(kind: str) -> Subquery:
    """The patients to whom this happened: joined once, where a condition would be asked for every form."""
    return select(PatientEvent.subject).where(PatientEvent.kind == kind).distinct().subquery()


def _sum(counts: Iterable[Count]) -> Count:
    return sum(counts, Count())
