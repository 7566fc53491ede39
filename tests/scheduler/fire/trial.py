"""How often was a text never sent, and how often twice, after every one of its senders was killed?"""

from __future__ import annotations

import multiprocessing
import random
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import Engine, func, select

import scheduler
from scheduler import ledger
from scheduler.carriers.twilio import TOKEN_FIELD, receipt_of, verified
from scheduler.tables import message
from tests.scheduler import twilio_double as double_of
from tests.scheduler.fire.worker import POINTS, Fate, live, live_among_others
from tests.scheduler.house import DUE, RANDOMISED, Patients, ladder, schedule, step
from tests.scheduler.sender import letters
from tests.scheduler.twilio_double import AUTH_TOKEN, Callback, Double

EARLY = DUE - timedelta(days=30)
LISTED_AFTER = timedelta(seconds=30)
OPEN = ("planned", "claimed", "unknown", "withheld")
ONE_STEP = {"ladder": ladder(step("invite", 0), max_lateness_hours=240)}
MOST_LIVES = 2000

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.scheduler.fire.worker", "twilio.rest.api.v2010.account"])


@dataclass
class Verdict:
    """What became of the texts, in texts; and what was done to their senders."""

    texts: int
    sent: int
    refused: int
    never: int
    twice: int
    undecided: int
    killed: int
    lives: int


@dataclass
class Weather:
    """What the carrier does to a request to create: shares of all, the rest is accepted."""

    chance: random.Random
    refused: float = 0.05
    answer_lost: float = 0.06
    nothing_taken: float = 0.01
    refused_for_good: set[str] = field(default_factory=set)  # bodies

    def __call__(self, form: Any) -> Callable[[Any], None] | None:
        drawn = self.chance.random()
        if drawn < self.refused:
            return self._refuse(form)
        if drawn < self.refused + self.answer_lost:
            return self.chance.choice(
                [double_of.accepts_and_resets, double_of.accepts_by_half, double_of.accepts_with_a_page]
            )
        if drawn < self.refused + self.answer_lost + self.nothing_taken:
            return double_of.resets
        return None

    def _refuse(self, form: Any) -> Callable[[Any], None]:
        status, code = self.chance.choice([(400, 21614), (429, 20429), (503, None)])
        if status == 400:
            self.refused_for_good.add(subject_of(form["Body"]))
        return double_of.says(status, code, **({"Retry_After": "20"} if status == 429 else {}))


@dataclass
class Postman:
    """Brings receipts: some lost, some twice, and none in order."""

    double: Double
    chance: random.Random
    lost: float = 0.05
    doubled: float = 0.05
    reported: int = 0
    bag: list[Callback] = field(default_factory=list)

    def collect(self) -> None:
        """A receipt that it was sent and one that it arrived, for each text taken since the last time."""
        fresh = self.double.taken[self.reported :]
        self.reported += len(fresh)
        for text in fresh:
            for status in ("sent", "delivered"):
                callback = self.double.report(text["sid"], status)
                drawn = self.chance.random()
                self.bag += [callback] * (0 if drawn < self.lost else 2 if drawn < self.lost + self.doubled else 1)

    def deliver(self, engine: Engine, now: datetime, share: float) -> None:
        self.chance.shuffle(self.bag)
        keep = int(len(self.bag) * (1 - share))
        brought, self.bag = self.bag[keep:], self.bag[:keep]
        for callback in brought:
            assert verified(AUTH_TOKEN, callback.url, callback.form, callback.signature)
            token = parse_qs(urlsplit(callback.url).query)[TOKEN_FIELD][0]
            receipt = receipt_of(callback.form, token)
            assert receipt is not None
            with engine.begin() as connection:
                assert scheduler.receive(connection, receipt, now)


def subject_of(body: str) -> str:
    return body.rsplit("/p/", 1)[1].split("-")[0].upper()


def prepare(engine: Engine, texts: int) -> Patients:
    """So many patients with one text each, all due at one moment."""
    ledger.metadata.create_all(engine)
    letters.create(engine, checkfirst=True)
    patients = Patients(engine, schedule(**ONE_STEP))
    for n in range(texts):
        patients.anchors[f"P{n}"] = {"randomisation": RANDOMISED}
    patients.replan(EARLY)
    return patients


def by_fire(
    engine: Engine, double: Double, *, seed: int, texts: int, kills_a_point: int, calm: bool = False
) -> Verdict:
    """Kill at each point so often; `calm`: the carrier does what it should."""
    chance = random.Random(seed)
    weather = Weather(random.Random(seed + 1), *((0.0, 0.0, 0.0) if calm else ()))
    double.choose, double.listed_after = weather, LISTED_AFTER
    postman = Postman(double, random.Random(seed + 2))
    due = set(prepare(engine, texts).anchors)
    most = max(2, texts // (8 * kills_a_point))
    fates = [Fate(point, 1 if point == "claim" else chance.randint(1, most)) for point in POINTS] * kills_a_point
    chance.shuffle(fates)
    now, killed, lives = DUE, 0, 0
    while fates or still_open(engine):
        assert lives < MOST_LIVES, "it does not end"
        double.now = now
        killed += _life(engine, double, now, fates)
        postman.collect()
        postman.deliver(engine, now, 0.2)
        now = max(now + timedelta(seconds=chance.randint(30, 150)), _next_moment(engine, now))
        lives += 1
    postman.deliver(engine, now, 1.0)
    return verdict(engine, double, due, weather.refused_for_good, killed, lives)


def by_chance(engine: Engine, double: Double, *, seed: int, texts: int, kills: int) -> Verdict:
    """kill -9 at any moment, 0.15 to 0.55 s after the start, while texts leave at the usual pace."""
    chance, now, killed, lives = random.Random(seed), DUE, 0, 0
    due = set(prepare(engine, texts).anchors)
    url = engine.url.render_as_string(hide_password=False)
    double.listed_after = LISTED_AFTER
    while killed < kills or still_open(engine):
        assert lives < MOST_LIVES, "it does not end"
        double.now = now
        process = processes.Process(target=live, args=(url, double.url, now, Fate(), 5.0 if killed < kills else None))
        process.start()
        process.join(chance.uniform(0.15, 0.55) if killed < kills else 120)
        process.kill()
        process.join()
        killed += process.exitcode == -signal.SIGKILL
        now = max(now + timedelta(seconds=chance.randint(60, 150)), _next_moment(engine, now))
        lives += 1
    return verdict(engine, double, due, set(), killed, lives)


def verdict(
    engine: Engine, double: Double, due: set[str], refused_for_good: set[str], killed: int, lives: int
) -> Verdict:
    """The carrier's books against what was due; the ledger's word on what is still open."""
    taken = Counter(subject_of(text["body"]) for text in double.taken)
    assert set(taken) <= due
    return Verdict(
        texts=len(due),
        sent=len(taken),
        refused=len(refused_for_good - set(taken)),
        never=len(due - set(taken) - refused_for_good),
        twice=sum(n > 1 for n in taken.values()),
        undecided=still_open(engine),
        killed=killed,
        lives=lives,
    )


def _life(engine: Engine, double: Double, now: datetime, fates: list[Fate]) -> bool:
    fate = fates[-1] if fates else Fate()
    url = engine.url.render_as_string(hide_password=False)
    process = processes.Process(target=live, args=(url, double.url, now, fate))
    process.start()
    process.join(120)
    died = process.exitcode == -signal.SIGKILL
    assert died or process.exitcode == 0, f"a sender failed by itself: {process.exitcode}"
    if fates and (died or not still_open(engine)):
        fates.pop()
    return died


def still_open(engine: Engine) -> int:
    """How many texts are neither settled nor put aside for good."""
    with engine.begin() as connection:
        count = select(func.count()).select_from(message).where(message.c.state.in_(OPEN))
        return int(connection.execute(count).scalar_one())


def _next_moment(engine: Engine, now: datetime) -> datetime:
    """When there is something to do next: a text to look at, or an attempt to look into."""
    with engine.begin() as connection:
        due_at = ledger.next_due(connection)
        open_until = connection.execute(select(func.min(message.c.lease_until))).scalar()
    return min(filter(None, (due_at, open_until)), default=now)


def by_many(engine: Engine, double: Double, *, texts: int, clocks: int) -> Verdict:
    """So many clock processes, started at once, on one ledger."""
    due = set(prepare(engine, texts).anchors)
    url = engine.url.render_as_string(hide_password=False)
    double.now = DUE
    started = [processes.Process(target=live_among_others, args=(url, double.url, DUE)) for _ in range(clocks)]
    for process in started:
        process.start()
    for process in started:
        process.join(240)
        assert process.exitcode == 0
    return verdict(engine, double, due, set(), 0, clocks)
