"""What is away when: the service, the carrier, the database?"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from epro.rehearsal.chance import Chance
from epro.rehearsal.scenarios import Scenario

SERVICE, CARRIER, DATABASE = "service", "carrier", "database"
EARLY = 0.7  # of the texts: later ones are rarer
MOST_STATEMENTS = 40  # that still pass on the day the database goes away


@dataclass(frozen=True)
class Outage:
    what: str
    from_at: datetime
    until_at: datetime


@dataclass(frozen=True)
class Weather:
    outages: tuple[Outage, ...] = ()

    def down(self, what: str, at: datetime) -> Outage | None:
        """The outage of this kind that is going on."""
        return next((one for one in self.outages if one.what == what and one.from_at <= at < one.until_at), None)


def weather_of(scenario: Scenario, chance: Chance, texts: Sequence[datetime]) -> Weather:
    """Outages that each begin some time before a text is due, in the first part of the trial. texts: in their order."""
    early = texts[: max(1, round(len(texts) * EARLY))]
    kinds = {
        SERVICE: (scenario.service_outages, scenario.service_hours),
        CARRIER: (scenario.carrier_outages, scenario.carrier_hours),
        DATABASE: (scenario.database_outages, scenario.database_hours),
    }
    found = []
    for what, (times, hours) in kinds.items():
        for n in range(times):
            when = chance.of("outage", what, n)
            lasts = timedelta(hours=hours)
            begins = when.choice(early) - lasts * when.uniform(0.1, 0.9)
            found.append(Outage(what, begins, begins + lasts))
    return Weather(tuple(sorted(found, key=lambda one: (one.from_at, one.what))))


@dataclass
class Breaking:
    """A database that goes away in the middle of whatever is being done, and comes back.

    left: how many statements still pass before each outage; it is counted down once it has begun.
    """

    weather: Weather
    clock: Callable[[], datetime]
    chance: Chance
    left: dict[Outage, int] = field(default_factory=dict)

    def attach(self, engine: Engine) -> None:
        event.listen(engine, "before_cursor_execute", self._may_fail)

    def _may_fail(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        outage = self.weather.down(DATABASE, self.clock())
        if outage is None:
            return
        drawn = self.chance.of("statements", outage.from_at)
        left = self.left.setdefault(outage, drawn.randint(0, MOST_STATEMENTS))
        if left <= 0:
            raise OperationalError(statement, None, sqlite3.OperationalError("unable to open database file"))
        self.left[outage] = left - 1
