"""What did the rehearsed trial come to: texts, costs, answers, calls, silences, and what each outage cost?

Everything is counted from the database and from what people did; nothing here is estimated.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from epro.protocol import Protocol
from epro.queries.monitoring import completion
from epro.rehearsal.carrier import Handed
from epro.rehearsal.stage import Call, Diary, Stage
from epro.rehearsal.weather import Outage
from epro.store.models import Assessment, PatientEvent
from scheduler.tables import attempt, message

LATE = timedelta(minutes=15)


@dataclass(frozen=True)
class Text:
    """One text of one patient. planned and left: on her own clock; segments: 0 of a mail, or of one that did not go."""

    key: str
    visit: str
    step: str
    channel: str
    planned: str
    left: str | None
    state: str
    segments: int


@dataclass(frozen=True)
class PatientPage:
    """Everything that one patient was sent, and what is known of her."""

    subject: str
    site: str
    events: tuple[tuple[str, str, str], ...]  # what, on which day, made known when
    forms: tuple[tuple[str, str, str], ...]  # visit, due on, what became of it
    texts: tuple[Text, ...]

    @property
    def left(self) -> int:
        return sum(text.left is not None for text in self.texts)

    @property
    def segments(self) -> int:
        return sum(text.segments for text in self.texts)


@dataclass(frozen=True)
class Completion:
    visit: str
    expected: int
    received: int
    percent: int | None


@dataclass(frozen=True)
class Texts:
    """cost: of all, in `currency`; None where the trial file gives no price."""

    left: int
    segments: int
    average: float
    worst: int
    worst_subject: str
    cost: float | None
    cost_of_a_patient: float | None
    currency: str


@dataclass(frozen=True)
class Calls:
    """There is one nurse at each site. busiest: the most calls of one of them in one week."""

    total: int
    per_nurse_and_week: float
    busiest: int
    busiest_site: str
    busiest_week: str


@dataclass(frozen=True)
class Silence:
    """The longest time in which nothing was heard from a patient who was in the study, and nothing was sent to her."""

    days: int
    subject: str
    from_on: str
    until_on: str


@dataclass(frozen=True)
class OutageCost:
    """late: texts due in it that left more than a quarter of an hour after their moment. never: that did not leave."""

    what: str
    from_at: str
    hours: float
    due: int
    late: int
    never: int
    put_off: int
    unheard: int


def pages(connection: Connection, stage: Stage, taken: Mapping[str, Handed]) -> list[PatientPage]:
    """One page for each patient, in the order of consent."""
    texts, forms, events = _texts(connection, taken), _forms(connection), _events(connection, stage)
    return [
        PatientPage(
            person.subject,
            person.site,
            events=tuple(events[person.subject]),
            forms=tuple(forms[person.subject]),
            texts=tuple(texts[person.subject]),
        )
        for person in stage.people.values()
    ]


def _texts(connection: Connection, taken: Mapping[str, Handed]) -> dict[str, list[Text]]:
    names = ("key", "subject", "visit", "step", "channel", "send_on", "send_time", "zone", "left_at", "state")
    rows = connection.execute(
        select(*(message.c[name] for name in names), attempt.c.token)
        .outerjoin(attempt, attempt.c.id == message.c.latest_attempt)
        .order_by(message.c.send_on, message.c.send_time, message.c.id)
    )
    found: dict[str, list[Text]] = defaultdict(list)
    for row in rows:
        handed = taken.get(row.token) if row.left_at is not None else None
        left = None if handed is None else local(handed.at, row.zone)
        planned = f"{row.send_on} {row.send_time:%H:%M}"
        size = handed.segments if handed else 0
        found[row.subject].append(Text(row.key, row.visit, row.step, row.channel, planned, left, row.state, size))
    return found


def _forms(connection: Connection) -> dict[str, list[tuple[str, str, str]]]:
    found: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    rows = connection.execute(select(Assessment.__table__).order_by(Assessment.due_on, Assessment.id))
    for row in rows:
        became = "sent in" if row.completed_at else "begun" if row.started_at else "nothing came"
        became = became if row.expected or row.started_at else "not expected"
        found[row.subject].append((row.visit, row.due_on.isoformat(), became))
    return found


def _events(connection: Connection, stage: Stage) -> dict[str, list[tuple[str, str, str]]]:
    found: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    columns = (PatientEvent.subject, PatientEvent.kind, PatientEvent.happened_on, PatientEvent.reported_at)
    zone = stage.house.protocol.trial.zone
    for row in connection.execute(select(*columns).order_by(PatientEvent.id)):
        what = row.kind.replace("_", " ")
        found[row.subject].append((what, row.happened_on.isoformat(), local(row.reported_at, zone)))
    return found


def completions(connection: Connection, protocol: Protocol, now: datetime) -> list[Completion]:
    table = completion(connection, protocol, now)
    counts = ((visit, table.of_visit(visit)) for visit in table.visits)
    return [Completion(visit, count.expected, count.received, count.percent) for visit, count in counts]


def texts_of(protocol: Protocol, patients: Sequence[PatientPage]) -> Texts:
    left = sum(page.left for page in patients)
    size = sum(page.segments for page in patients)
    worst = max(patients, key=lambda page: page.left)
    price = protocol.sections.cost
    cost = None if price is None else round(size * price.segment, 2)
    each = None if cost is None else round(cost / len(patients), 2)
    average = round(left / len(patients), 2)
    currency = "" if price is None else price.currency
    return Texts(left, size, average, worst.left, worst.subject, cost, each, currency)


def calls_of(calls: Sequence[Call], stage: Stage) -> Calls:
    weeks = Counter((call.site, _week(stage.today(call.at))) for call in calls)
    (site, week), busiest = max(weeks.items(), key=lambda one: (one[1], one[0]), default=(("", ""), 0))
    sites = len({person.site for person in stage.people.values()})
    days = (stage.today(stage.until) - min(person.consented_on for person in stage.people.values())).days
    return Calls(len(calls), round(len(calls) / sites / max(days / 7, 1), 2), busiest, site, week)


def longest_silence(connection: Connection, stage: Stage, patients: Sequence[PatientPage]) -> Silence | None:
    """Between enrolment and the end of her last window, or what ended her part; by what left, came, or was told."""
    signs = _signs(connection, stage, patients)
    gaps = [
        (days, subject, before, after)
        for subject, on in signs.items()
        for before, after in zip(sorted(on), sorted(on)[1:], strict=False)
        if (days := (after - before).days)
    ]
    if not gaps:
        return None
    days, subject, before, after = max(gaps)
    return Silence(days, subject, before.isoformat(), after.isoformat())


def _signs(connection: Connection, stage: Stage, patients: Sequence[PatientPage]) -> dict[str, set[date]]:
    signs: dict[str, set[date]] = defaultdict(set)
    for page in patients:
        signs[page.subject] |= {date.fromisoformat(text.left[:10]) for text in page.texts if text.left}
        signs[page.subject] |= {date.fromisoformat(told[:10]) for _, _, told in page.events}
    columns = (Assessment.subject, Assessment.started_at, Assessment.completed_at)
    for row in connection.execute(select(*columns).where(Assessment.started_at.is_not(None))):
        signs[row.subject] |= {stage.today(at) for at in (row.started_at, row.completed_at) if at is not None}
    return signs


def outage_costs(connection: Connection, outages: Sequence[Outage], diary: Diary) -> Iterator[OutageCost]:
    for one in outages:
        due = connection.execute(
            select(message.c.send_at, message.c.left_at, message.c.state).where(
                message.c.send_at >= one.from_at, message.c.send_at < one.until_at
            )
        ).all()
        wanted = [row for row in due if row.left_at is not None or row.state in ("expired", "superseded")]
        name = f"{one.what} {one.from_at:%Y-%m-%d}"
        yield OutageCost(
            what=one.what,
            from_at=f"{one.from_at:%Y-%m-%d %H:%M} UTC",
            hours=(one.until_at - one.from_at) / timedelta(hours=1),
            due=len(wanted),
            late=sum(row.left_at is not None and row.left_at - row.send_at > LATE for row in wanted),
            never=sum(row.left_at is None for row in wanted),
            put_off=diary.put_off.get(name, 0),
            unheard=diary.unheard.get(name, 0),
        )


def local(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def _week(on: date) -> str:
    year, week, _ = on.isocalendar()
    return f"{year}-W{week:02d}"
