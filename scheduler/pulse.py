"""What happens in one beat of the clock, and what does it say of itself?"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from threading import Event

from sqlalchemy import Engine, insert, update
from sqlalchemy.exc import SQLAlchemyError

from scheduler.chores import Chore
from scheduler.dispatch import BATCH, tick
from scheduler.elapsed import Watch, seconds_since_boot
from scheduler.pacing import Pace
from scheduler.ports import Carrier, Writer
from scheduler.reconciling import reconcile
from scheduler.tables import heartbeat

log = logging.getLogger(__name__)
BATCH_SECONDS = 2.0  # what is claimed at once leaves in this time, so that a stop still reaches most of it


@dataclass
class Pulse:
    """One beat after another over one ledger.

    elapsed: seconds that nobody can set. beaten: when the latest beat ended, by that.
    """

    engine: Engine
    clock: Callable[[], datetime]
    writer: Writer
    carrier: Carrier
    stopping: Event = field(default_factory=Event)
    pace: Pace | None = None
    hands: int = 1
    chores: Sequence[Chore] = ()
    elapsed: Callable[[], float] = seconds_since_boot
    last_error: str | None = None  # of the latest beat
    beating: bool = False
    beaten: float = 0.0
    watch: Watch = field(default_factory=Watch)

    def beat(self) -> None:
        """Send all that is due, look into what is unknown, do the chores, and say that we are alive. Never raises."""
        self.beating, self.last_error = True, None
        try:
            self._try("tick", self._send_what_is_due)
            self._try("reconcile", self._settle_what_is_unknown)
            for chore in self.chores:
                self._try(chore.name, partial(self._do, chore))
            self._try("heartbeat", self._say_alive)
        finally:
            self.beaten, self.beating = self.elapsed(), False

    def _send_what_is_due(self) -> None:
        batch = BATCH if self.pace is None else max(1, min(BATCH, int(self.pace.per_second * BATCH_SECONDS)))
        while not self.stopping.is_set():
            now = self.clock()
            if self._was_set(now):
                return
            done = tick(
                self.engine,
                now,
                self.writer,
                self.carrier,
                limit=batch,
                stopping=self.stopping.is_set,
                pace=self.pace,
                hands=self.hands,
            )
            if done.stopped is not None:
                self._note(f"the carrier refuses our configuration: code {done.stopped or 'not given'}")
            if done.claimed < batch or done.put_back:
                return
            self._say_alive()

    def _was_set(self, now: datetime) -> bool:
        """A clock that was set may say noon at night: nothing leaves until it is right again, or somebody looked."""
        step = self.watch.set_by(now, self.elapsed())
        if step:
            way = "forward" if step > timedelta(0) else "back"
            minutes = abs(step) // timedelta(minutes=1)
            self._note(f"the clock was set {way} by {minutes} minutes; nothing is sent until `epro clock` starts anew")
        return bool(step)

    def _settle_what_is_unknown(self) -> None:
        now = self.clock()
        if not self.stopping.is_set() and not self.watch.set_by(now, self.elapsed()):
            reconcile(self.engine, now, self.writer, self.carrier)

    def _do(self, chore: Chore) -> None:
        now = self.clock()
        if not self.stopping.is_set() and not self.watch.set_by(now, self.elapsed()) and chore.is_due(now):
            chore.alarm = chore.do(now)
        if chore.alarm:
            self._note(chore.alarm)

    def _say_alive(self) -> None:
        beat = {"at": self.clock(), "last_error": self.last_error}
        process = socket.gethostname()[:80]
        with self.engine.begin() as connection:
            known = connection.execute(update(heartbeat).where(heartbeat.c.process == process).values(beat))
            if known.rowcount == 0:
                connection.execute(insert(heartbeat).values(process=process, **beat))

    def _try(self, what: str, do: Callable[[], None]) -> None:
        try:
            do()
        except SQLAlchemyError as error:
            self._note(f"{what} failed: the database said {type(error).__name__}")
        except Exception as error:  # whatever it is, the clock goes on; its words may hold what no log may
            self._note(f"{what} failed: {type(error).__name__}")

    def _note(self, what: str) -> None:
        log.error("%s", what)
        self.last_error = what[:200]
