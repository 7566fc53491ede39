"""One life of a sender: over HTTP to the carrier, until all that is due has left, or until its fate."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import insert, select

import scheduler
from scheduler.carriers.twilio import Twilio
from scheduler.pacing import Pace
from scheduler.ports import Claimed, Letter, Outcome, Trace, Withheld, link_hash
from scheduler.pulse import Pulse
from tests.scheduler.house import DUE, Patients, Pen, open_engine
from tests.scheduler.sender import letters, link_of
from tests.scheduler.twilio_double import ACCOUNT, AUTH_TOKEN

Point = Literal["claim", "before send", "after send", "record"]
POINTS: tuple[Point, ...] = ("claim", "before send", "after send", "record")
CALLBACK = "https://epro.example/webhooks/twilio/receipt"
NUMBERS = [f"+467017406{n:02d}" for n in range(5, 100)]


@dataclass
class Fate:
    """Dies, as by kill -9, when it passes `point` for the nth time."""

    point: Point | None = None
    nth: int = 1
    passed: dict[str, int] = field(default_factory=dict)

    def passes(self, point: Point) -> None:
        self.passed[point] = self.passed.get(point, 0) + 1
        if point == self.point and self.passed[point] == self.nth:
            os.kill(os.getpid(), signal.SIGKILL)


class FatedPen(Pen):
    """A writer whose traces outlive it. That it is asked means: the claim is committed."""

    fate: Fate

    def write(self, messages: Sequence[Claimed], now: datetime) -> list[Letter | Withheld]:
        self.fate.passes("claim")
        with self.patients.engine.begin() as connection:
            rows = [{"token": message.token, "hash": link_hash(link_of(message))} for message in messages]
            connection.execute(insert(letters), rows)
        return [
            Letter(number_of(message.subject), f"Hej! https://epro.example/p/{link_of(message)}", message.expires_at)
            for message in messages
        ]

    def trace(self, message: Claimed) -> Trace | None:
        with self.patients.engine.begin() as connection:
            found = connection.execute(select(letters.c.hash).where(letters.c.token == message.token)).scalar()
        return Trace(number_of(message.subject), found) if found else None


class FatedTwilio(Twilio):
    """The real client, over HTTP."""

    fate: Fate

    def send(self, letter: Letter, token: str) -> Outcome:
        self.fate.passes("before send")
        outcome = super().send(letter, token)
        self.fate.passes("after send")
        return outcome


def number_of(subject: str) -> str:
    """P0, P1, …: numbers set aside for fiction, each shared by several."""
    return NUMBERS[int(subject[1:]) % len(NUMBERS)]


def live(url: str, carrier_url: str, now: datetime, fate: Fate, per_second: float | None = None) -> None:
    """Settle what is open, then send all that is due."""
    os.environ["NO_PROXY"] = "127.0.0.1"
    engine = open_engine(url)
    pen = FatedPen(Patients(engine))
    carrier = FatedTwilio(
        ACCOUNT,
        AUTH_TOKEN,
        sender="epro",
        status_callback=CALLBACK,
        clock=lambda: now,
        base_url=carrier_url,
        timeout_seconds=5,
    )
    pen.fate = carrier.fate = fate

    def recorded() -> bool:
        if "after send" in fate.passed:
            fate.passes("record")
        return False

    pace = Pace(per_second) if per_second else None
    scheduler.reconcile(engine, now, pen, carrier, limit=2000)
    while scheduler.tick(engine, now, pen, carrier, stopping=recorded, pace=pace).claimed:
        recorded()
    engine.dispose()


def live_among_others(url: str, carrier_url: str, now: datetime) -> None:
    """The same among others: what they hold is passed over, so one look that finds nothing is not the end."""
    for seconds in range(3):
        live(url, carrier_url, now + timedelta(seconds=seconds), Fate())


def beat_until_told(url: str, carrier_url: str, seconds: Any) -> None:
    """A clock whose time is `seconds` after the due moment, shared with the test; until that is negative."""
    os.environ["NO_PROXY"] = "127.0.0.1"
    engine = open_engine(url)

    def now() -> datetime:
        return DUE + timedelta(seconds=seconds.value)

    pen = FatedPen(Patients(engine))
    carrier = FatedTwilio(
        ACCOUNT, AUTH_TOKEN, sender="epro", status_callback=CALLBACK, clock=now, base_url=carrier_url, timeout_seconds=5
    )
    pen.fate = carrier.fate = Fate()
    pulse = Pulse(engine, now, pen, carrier, pace=Pace(50.0), elapsed=lambda: seconds.value)
    while seconds.value >= 0:
        pulse.beat()
    engine.dispose()
