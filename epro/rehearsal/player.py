"""Play a simulated trial, from its first enrolment to its last visit, by the verbs and pages of real life.

Everything happens at an instant of a queue: a nurse enrols, randomises, records; the clock ticks when a text is due;
the carrier reports; the patient who got a link opens it, answers, stops, comes back, sends. Time jumps from one such
instant to the next. Nothing is written behind the verbs' backs, and no clock of the machine is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol as Shape

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import OperationalError

import scheduler
from epro.opening import letters_of
from epro.rehearsal.carrier import RehearsalCarrier
from epro.rehearsal.clinic import Clinic
from epro.rehearsal.office import Office
from epro.rehearsal.phones import Phones
from epro.rehearsal.stage import Away, Happen, Stage
from epro.rehearsal.weather import DATABASE, SERVICE, Outage, Weather
from epro.store.database import reading
from scheduler.arrows import PLANNED
from scheduler.ports import Writer
from scheduler.tables import message

Progress = Callable[[int, int], None]
TICK = timedelta(seconds=5)  # of the clock in life: what could not be settled at once is looked at again then
COMES_AGAIN_MINUTES = (5.0, 600.0)  # after an outage
OWNER = "rehearsal"


class Onlooker(Shape):
    """Who looks at every step: `epro.rehearsal.watching`, or nobody."""

    def look(self, now: datetime) -> None: ...


@dataclass
class Player:
    """One playing of one simulated trial.

    onlooking: the same database by connections that no outage touches.
    """

    stage: Stage
    phones: Phones
    clinic: Clinic
    office: Office
    carrier: RehearsalCarrier
    weather: Weather
    onlooking: Engine
    onlooker: Onlooker | None = None
    no_tick_before: datetime | None = None
    steps: int = 0
    _writer: Writer | None = field(default=None, repr=False)

    def play(self, progress: Progress) -> None:
        """Everything up to `stage.until`; `progress` is told (days played, days in all)."""
        self.clinic.begin()
        self.office.begin()
        if not self.stage.queue:
            return
        first = self.stage.queue[0].at
        days = (self.stage.until - first).days
        while (now := self._next()) is not None and now < self.stage.until:
            self.stage.clock.at = now
            progress((now - first).days, days)
            if self.stage.queue and self.stage.queue[0].at <= now:
                planned = self.stage.next()
                self._let_happen(planned.happen, planned.waits, now)
            else:
                self.beat(now)
            self.steps += 1
            if self.onlooker is not None:
                self.onlooker.look(now)
        self.stage.clock.at = self.stage.until
        progress(days, days)

    def close(self) -> None:
        self.onlooking.dispose()

    def _next(self) -> datetime | None:
        """The next instant at which anything happens: the queue's head, or the clock has something to do."""
        instants = [self.stage.queue[0].at] if self.stage.queue else []
        with reading(self.onlooking) as connection:
            due = _next_beat(connection)
        if due is not None:
            instants.append(max(due, self.stage.clock.at, self.no_tick_before or due))
        return min(instants, default=None)

    def _let_happen(self, happen: Happen, waits: bool, now: datetime) -> None:
        """Where the service is away, people come again later; what machines tell once is not heard."""
        outage = self.weather.down(SERVICE, now)
        if outage is None:
            try:
                happen(now)
                return
            except (OperationalError, Away):
                outage = self.weather.down(DATABASE, now)
                if outage is None:
                    raise
        noted = self.stage.diary.put_off if waits else self.stage.diary.unheard
        noted[_name(outage)] += 1
        if waits:
            later = self.stage.chance.minutes(*COMES_AGAIN_MINUTES, "comes again", self.steps)
            self.stage.at(outage.until_at + later, happen)

    def beat(self, now: datetime) -> None:
        """What the clock does when something is due: send, then look into what nobody knows."""
        away = self.weather.down(SERVICE, now)
        if away is not None:
            self.no_tick_before = away.until_at
            return
        self._writer = self._writer or letters_of(self.stage.house)
        engine = self.stage.house.engine
        try:
            scheduler.tick(engine, now, self._writer, self.carrier, owner=OWNER)
            scheduler.reconcile(engine, now, self._writer, self.carrier)
            self.no_tick_before = now + TICK
        except OperationalError:
            outage = self.weather.down(DATABASE, now)
            if outage is None:
                raise
            self.no_tick_before = outage.until_at
        handed = self.carrier.take_handed()
        if handed:
            self.phones.arrive(handed, now)


def _name(outage: Outage) -> str:
    return f"{outage.what} {outage.from_at:%Y-%m-%d}"


FIRST_DUE = select(
    select(func.min(message.c.next_try_at)).where(message.c.state == PLANNED).scalar_subquery(),
    select(func.min(message.c.lease_until)).where(message.c.lease_until.is_not(None)).scalar_subquery(),
)


def _next_beat(connection: Connection) -> datetime | None:
    """When the clock has something to do: a planned text is due, or an attempt's lease has run out."""
    instants = connection.execute(FIRST_DUE).one()
    return min((at for at in instants if at is not None), default=None)
