"""Which forms are late, which are due, whom does no text reach, and what was done lately?

Four lists, each with the form first whose window closes first. They hold the first rows and say how many there are.
Whatever the number of patients, they are read in a constant number of statements.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import takewhile
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, or_, select

from epro.assessments import MISSED, state_of
from epro.protocol import Protocol
from epro.queries.answered import NOTHING, Answered, answered, items_of
from epro.queries.reach import MISCARRIED, Sending, sending_of, why_unreachable
from epro.store import facts, people
from epro.store.facts import Facts
from epro.store.models import Assessment, Contact, Patient, PatientEvent
from epro.store.planned import INSTANT
from scheduler import arrows
from scheduler.tables import attempt, message

LATELY = SOON = timedelta(days=14)
MOST, MOST_BESIDE = 30, 20  # of those to call; of those that nobody has to do anything about
WAITING = ("overdue", "due", "in_doubt")  # the lists whose patients' facts are shown or judged
MOST_IN_DOUBT = 200  # patients of whom it is looked at more closely whether a text reaches them
DOUBTFUL = (
    facts.TEXTS_REFUSED,
    facts.OPTED_OUT,
    facts.NOT_ME,
    facts.WRONG_NUMBER,
    *facts.FAILS.values(),
)


@dataclass(frozen=True)
class Row:
    """One assessment of one patient. `last_on` is the last day of its window; `days_left` 0 = it closes tonight.

    misses: how many forms just before this one were missed, one after the other.
    """

    subject: str
    site: str
    visit: str
    baseline: bool
    due_on: date
    last_on: date
    days_left: int
    opens_on: date
    opens_at: datetime
    closes_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    answered: Answered
    items: int
    sending: Sending
    misses: int


@dataclass(frozen=True)
class Unreachable:
    """A patient whom no text reaches, why, and the form that is open or comes next."""

    why: tuple[str, ...]
    form: Row


@dataclass(frozen=True)
class Worklist:
    """counts: of each list, how many there are in all. known: the facts of every patient whose form waits."""

    overdue: tuple[Row, ...]
    due: tuple[Row, ...]
    unreachable: tuple[Unreachable, ...]
    done: tuple[Row, ...]
    counts: Mapping[str, int]
    known: Mapping[str, Facts]
    paused: Mapping[str, date]  # patients whose texts rest, and until when


def worklist(
    connection: Connection,
    protocol: Protocol,
    now: datetime,
    *,
    sites: Collection[str] | None = None,
    visit: str | None = None,
) -> Worklist:
    """The lists of these sites (None = all), of one visit or of every one."""
    today = _day(now, protocol)
    here = [
        *([] if sites is None else [Patient.site.in_(sites)]),
        *([] if visit is None else [Assessment.visit == visit]),
    ]
    waits, done = _waits(protocol, now), Assessment.completed_at > now - LATELY
    is_open = Assessment.opens_at <= now
    late, not_late = (Assessment.due_on < today), (Assessment.due_on >= today)
    found = {
        "overdue": _first(connection, protocol, [*here, waits, is_open, late], MOST),
        "due": _first(connection, protocol, [*here, waits, is_open, not_late], MOST_BESIDE),
        "in_doubt": _first(connection, protocol, [*here, waits, _in_doubt()], MOST_IN_DOUBT),
        "done": _first(connection, protocol, [*here, done], MOST_BESIDE, latest=True),
    }
    counts = _counts(connection, here, waits, is_open, late, done)
    known = people.facts_of(connection, {row.subject for name in WAITING for row in found[name]})
    rows = _rows(connection, protocol, found, known, now)
    unreachable = tuple(_unreachable(rows["in_doubt"], known))
    return Worklist(
        overdue=rows["overdue"],
        due=rows["due"],
        unreachable=unreachable,
        done=rows["done"],
        counts={**counts, "unreachable": len(unreachable)},
        known=known,
        paused={subject: until for subject, one in known.items() if (until := one.paused_until(today))},
    )


def _waits(protocol: Protocol, now: datetime) -> ColumnElement[bool]:
    """That an answer is awaited now or soon. The second bound of the window is implied, and spares a search of it."""
    return and_(
        Assessment.completed_at.is_(None),
        Assessment.reason.is_(None),
        Assessment.expected.is_(True),
        Assessment.closes_at > now,
        Assessment.closes_at <= now + SOON + protocol.longest_window,
        Assessment.opens_at <= now + SOON,
        ~people.has_ended(),
    )


def _in_doubt() -> ColumnElement[bool]:
    """That something speaks against texts reaching her for this form; `why_unreachable` then judges."""
    of_form = and_(message.c.subject == Assessment.subject, message.c.visit == Assessment.visit)
    troubled = or_(
        message.c.state.in_(MISCARRIED), and_(message.c.state == arrows.NOT_SENDABLE, message.c.send_at.is_(None))
    )
    return or_(
        ~exists().where(Contact.subject == Assessment.subject, Contact.until_at.is_(None)),
        exists().where(PatientEvent.subject == Assessment.subject, PatientEvent.kind.in_(DOUBTFUL)),
        exists().where(of_form, troubled),
    )


def _first(
    connection: Connection,
    protocol: Protocol,
    which: Sequence[ColumnElement[bool]],
    most: int,
    *,
    latest: bool = False,
) -> Sequence[Any]:
    """The first rows of a list: the window that closes first, there the baselines first; or the latest submitted."""
    baselines = [code for code, visit in protocol.visits.items() if visit.baseline]
    by_urgency = (Assessment.closes_at, case((Assessment.visit.in_(baselines), 0), else_=1), Assessment.subject)
    by_day = (Assessment.completed_at.desc(), Assessment.subject.desc())
    statement = select(Assessment.__table__, Patient.site, Patient.enrolled_at)
    joined = statement.join(Patient, Patient.subject == Assessment.subject).where(*which)
    return connection.execute(joined.order_by(*(by_day if latest else by_urgency)).limit(most)).all()


def _counts(
    connection: Connection,
    here: Sequence[ColumnElement[bool]],
    waits: ColumnElement[bool],
    is_open: ColumnElement[bool],
    late: ColumnElement[bool],
    done: ColumnElement[bool],
) -> dict[str, int]:
    """Every row is one that waits or is done, so that its day of submission tells which."""
    not_done = Assessment.completed_at.is_(None)
    row = connection.execute(
        select(
            func.count().filter(not_done, is_open, late).label("overdue"),
            func.count().filter(not_done, is_open, ~late).label("due"),
            func.count().filter(~not_done).label("done"),
        )
        .select_from(Assessment)
        .join(Patient, Patient.subject == Assessment.subject)
        .where(or_(waits, done), *here)
    ).one()
    return dict(row._mapping)


def _rows(
    connection: Connection,
    protocol: Protocol,
    found: Mapping[str, Sequence[Any]],
    known: Mapping[str, Facts],
    now: datetime,
) -> dict[str, tuple[Row, ...]]:
    ids = {row.id for rows in found.values() for row in rows}
    counted = answered(connection, [Assessment.id.in_(ids)])
    sendings = _sendings(connection, ids, {row.subject for rows in found.values() for row in rows})
    to_call = {row.subject: known[row.subject] for name in ("overdue", "in_doubt") for row in found[name]}
    misses = _misses(connection, to_call, now)
    today = _day(now, protocol)

    def as_row(row: Any) -> Row:
        last_on = _day(row.closes_at - INSTANT, protocol)
        return Row(
            subject=row.subject,
            site=row.site,
            visit=row.visit,
            baseline=protocol.visit(row.visit, row.schedule_version).baseline,
            due_on=row.due_on,
            last_on=last_on,
            days_left=(last_on - today).days,
            opens_on=_day(row.opens_at, protocol),
            opens_at=row.opens_at,
            closes_at=row.closes_at,
            started_at=row.started_at,
            completed_at=row.completed_at,
            answered=counted.get(row.id, NOTHING),
            items=items_of(protocol, row.visit, row.schedule_version),
            sending=sendings[row.subject, row.visit],
            misses=misses.get(row.subject, 0),
        )

    return {name: tuple(as_row(row) for row in rows) for name, rows in found.items()}


def _misses(connection: Connection, known: Mapping[str, Facts], now: datetime) -> dict[str, int]:
    """How many of a patient's latest closed forms were missed in a row, in one statement."""
    states = defaultdict(list)
    closed = (Assessment.closes_at <= now, Assessment.closes_at > Assessment.opens_at, Assessment.subject.in_(known))
    names = ("subject", "opens_at", "closes_at", "expected", "started_at", "completed_at")
    columns = [getattr(Assessment, name) for name in names]
    latest_first = select(*columns).where(*closed).order_by(Assessment.due_on.desc(), Assessment.id.desc())
    for row in connection.execute(latest_first):
        patient = known[row.subject]
        states[row.subject].append(state_of(row, now, patient.enrolled_at, patient.ended_at))
    return {subject: len(list(takewhile(lambda one: one == MISSED, one_s))) for subject, one_s in states.items()}


def _sendings(
    connection: Connection, assessments: Collection[int], subjects: Collection[str]
) -> dict[tuple[str, str], Sending]:
    """What has become of the texts of these assessments, in one statement.

    subjects: whose they are; naming them lets the database look up their texts, and not read all there are.
    """
    here = and_(message.c.subject == Assessment.subject, message.c.visit == Assessment.visit)
    latest = and_(attempt.c.message == message.c.id, attempt.c.n == message.c.attempts)
    columns = [message.c[name] for name in ("subject", "visit", "channel", "state", "send_at", "left_at")]
    rows = connection.execute(
        select(*columns, attempt.c.code)
        .join(Assessment, here)
        .outerjoin(attempt, latest)
        .where(Assessment.id.in_(assessments), message.c.subject.in_(subjects))
    )
    texts = defaultdict(list)
    for row in rows:
        texts[row.subject, row.visit].append(row)
    return defaultdict(Sending, {key: sending_of(rows) for key, rows in texts.items()})


def _unreachable(waiting: Sequence[Row], known: Mapping[str, Facts]) -> Iterator[Unreachable]:
    """Each patient once, with the form whose window closes first among those that no text reaches."""
    told = set()
    for row in waiting:
        why = why_unreachable(known[row.subject], row.sending, started=row.started_at is not None)
        if why and row.subject not in told:
            told.add(row.subject)
            yield Unreachable(why, row)


def _day(at: datetime, protocol: Protocol) -> date:
    return at.astimezone(protocol.zone).date()
