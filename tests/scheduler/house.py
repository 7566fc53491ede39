"""What the scheduler's tests stand on: a small trial, a writer, and a carrier that plays a script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

import scheduler
from scheduler import ledger
from scheduler.messages import Plan, Status
from scheduler.ports import (
    Accepted,
    CannotTell,
    Claimed,
    Letter,
    NotFound,
    Outcome,
    Refused,
    Trace,
    Withheld,
    link_hash,
)
from scheduler.schedule import Schedule

ZONE = "Europe/Stockholm"
PHONE = "+46701740605"
RANDOMISED = date(2027, 3, 1)  # M1 is due on Thursday 1 April


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


EARLY = utc("2027-03-01 12:00")  # the day of randomisation
DUE = utc("2027-04-01 08:00")  # 10:00 in Stockholm
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def sections(**changes: Any) -> dict[str, Any]:
    """A trial of one visit and two steps; `changes` replace whole sections."""
    return {
        "anchors": {"randomisation": "the day of randomisation"},
        "visit": {"M1": visit(n=1)},
        "ladder": ladder(step("invite", 0), step("reminder", 3)),
        "quiet": {"start": "20:00", "end": "08:00"},
        "texts": {"sv": {"invite": "Hej! {link}", "reminder": "Hej igen! {link}"}},
        **changes,
    }


def visit(n: int, unit: str = "month", **changes: Any) -> dict[str, Any]:
    return {
        "title": {"sv": f"{n} månader"},
        "month": n,
        "anchor": "randomisation",
        "offset": {"n": n, "unit": unit},
        "opens_before": 7,
        "closes_after": 14,
        "instruments": ["qlq-c30"],
        **changes,
    }


def step(code: str, day: int, time: str = "10:00") -> dict[str, Any]:
    return {"code": code, "text": code, "day": day, "time": time, "channel": "sms"}


def ladder(*steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    usual = {"holiday_policy": "none", "max_lateness_hours": 48, "resend_after_days": 14}
    return {**usual, "step": list(steps), **changes}


def schedule(**changes: Any) -> Schedule:
    return Schedule.of(sections(**changes))


def open_engine(url: str) -> Engine:
    """As the service opens it: on SQLite each transaction takes the write lock when it begins."""
    engine = create_engine(url, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


@dataclass
class Patients:
    """Enough of a service to plan from: one schedule, one anchor and one status for each patient."""

    engine: Engine
    schedule: Schedule = field(default_factory=schedule)
    anchors: dict[str, dict[str, date]] = field(default_factory=dict)
    status: dict[str, Status] = field(default_factory=dict)

    def plan(self, connection: Connection, subject: str, now: datetime | None) -> Plan:
        return scheduler.plan(
            self.schedule,
            self.anchors.get(subject, {}),
            subject=subject,
            zone=ZONE,
            now=now,
            history=ledger.history(connection, subject),
            status=self.status.get(subject),
        )

    def replan(self, now: datetime, *subjects: str) -> Any:
        """Plan these patients anew (all, where none is named) and write it; returns the last one's changes."""
        changes = None
        with self.engine.begin() as connection:
            for subject in subjects or list(self.anchors):
                changes = scheduler.apply(connection, self.plan(connection, subject, now), now)
        return changes

    def enrol(self, subject: str, now: datetime, randomised_on: date = RANDOMISED) -> Any:
        self.anchors[subject] = {"randomisation": randomised_on}
        return self.replan(now, subject)

    def states(self, subject: str) -> dict[str, str]:
        """step/copy → state"""
        with self.engine.begin() as connection:
            return {f"{text.step}/{text.key[-1]}": text.state for text in ledger.rows(connection, subject)}

    def events(self, subject: str) -> list[str]:
        """What happened to the first step's texts."""
        with self.engine.begin() as connection:
            return [event.kind for event in ledger.events(connection, subject) if "/invite/" in event.key]


@dataclass
class Pen:
    """A writer: plans again, and writes only what the plan still holds."""

    patients: Patients
    traces: dict[str, Trace] = field(default_factory=dict)  # by key
    taught: list[Outcome] = field(default_factory=list)

    def write(self, messages: Sequence[Claimed], now: datetime) -> list[Letter | Withheld]:
        with self.patients.engine.begin() as connection:
            return [self._letter(connection, message, now) for message in messages]

    def _letter(self, connection: Connection, message: Claimed, now: datetime) -> Letter | Withheld:
        plan = self.patients.plan(connection, message.subject, now)
        if not any(m.key == message.key and m.action in ("send", "send_late") for m in plan.messages):
            return Withheld("the plan no longer holds it")
        token = f"{message.subject}{message.token}".lower()
        self.traces[message.key] = Trace(PHONE, link_hash(token))
        return Letter(PHONE, f"Hej! https://epro.example/p/{token}", message.expires_at)

    def trace(self, message: Claimed) -> Trace | None:
        return self.traces.get(message.key)

    def settled(self, connection: Connection, message: Claimed, outcome: Outcome, now: datetime) -> None:
        self.taught.append(outcome)
        if isinstance(outcome, Refused) and outcome.code == 21610:
            self.patients.status[message.subject] = Status(channels=frozenset())
            plan = self.patients.plan(connection, message.subject, now)
            scheduler.apply(connection, plan, now)


@dataclass
class Wire:
    """A carrier that answers by a script, and otherwise accepts; it remembers what it took."""

    script: list[Outcome | BaseException | Callable[[], Outcome]] = field(default_factory=list)
    took: list[str] = field(default_factory=list)  # tokens of attempts
    lists: bool = True  # whether it can say what it took
    sure: bool = False

    def send(self, letter: Letter, token: str) -> Outcome:
        reply = self.script.pop(0) if self.script else Accepted(f"SM-{token[:6]}")
        if callable(reply):
            reply = reply()
        if isinstance(reply, BaseException):
            raise reply
        if not isinstance(reply, Refused):
            self.took.append(token)
        return reply

    def find(self, trace: Trace, token: str, since: datetime) -> Accepted | NotFound | CannotTell:
        if not self.lists:
            return CannotTell()
        return Accepted(f"SM-{token[:6]}") if token in self.took else NotFound(sure=self.sure)
