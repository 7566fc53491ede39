"""What do all who act in a rehearsal share: the instant that is played, what is to happen next, and a diary?"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

from epro.house import House
from epro.rehearsal.cast import Person
from epro.rehearsal.chance import Chance
from epro.rehearsal.scenarios import Scenario

Happen = Callable[[datetime], None]


class PlayedClock:
    """The instant that is being played."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


class Away(Exception):
    """The service did not answer. Whoever wanted something comes again later."""


@dataclass(frozen=True)
class Kept:
    """An answer of which the patient was told that it is saved. Its repr shows it not."""

    subject: str
    visit: str
    instrument: str
    item: str
    value: int | None = field(repr=False)
    text: str | None = field(repr=False)


@dataclass(frozen=True)
class Call:
    """A nurse rang a patient about an open form."""

    at: datetime
    site: str
    subject: str
    visit: str


@dataclass
class Diary:
    """What people did and were told, apart from what the database says of it."""

    kept: list[Kept] = field(default_factory=list)
    sent_in: set[tuple[str, str]] = field(default_factory=set)  # subject and visit, of which she was told "sent"
    calls: list[Call] = field(default_factory=list)
    put_off: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # by outage, what had to wait
    unheard: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # by outage, webhooks nobody took
    unplaced: set[str] = field(default_factory=set)  # texts that a restored database knew nothing of, as it was told
    closed_doors: int = 0  # links that opened nothing any more
    happened: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # by what, how often


@dataclass(order=True)
class _Planned:
    at: datetime
    order: int
    happen: Happen = field(compare=False)
    waits: bool = field(compare=False)


@dataclass
class Stage:
    """One playing of one trial."""

    house: House
    people: dict[str, Person]
    scenario: Scenario
    chance: Chance
    clock: PlayedClock
    until: datetime
    diary: Diary = field(default_factory=Diary)
    queue: list[_Planned] = field(default_factory=list)
    _order: int = 0

    def at(self, when: datetime, happen: Happen, *, waits: bool = True) -> None:
        """Let something happen then. waits: whoever does it comes again when the service is away."""
        if when < self.until:
            self._order += 1
            heapq.heappush(self.queue, _Planned(when.astimezone(UTC), self._order, happen, waits))

    def next(self) -> _Planned:
        return heapq.heappop(self.queue)

    def local(self, on: date, hour: int, about: str) -> datetime:
        """A time of a working day, spread so that few things happen at the same minute."""
        minute = self.chance.of("minute", about, on).randrange(60)
        return datetime.combine(on, time(hour, minute), tzinfo=self.house.protocol.zone)

    def today(self, now: datetime) -> date:
        return now.astimezone(self.house.protocol.zone).date()
