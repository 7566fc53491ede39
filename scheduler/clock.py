"""What makes the ledger's texts leave, time after time, until it is told to stop?

One process of its own; never inside a web worker. APScheduler is a clock here and not a memory: one job in its
in-memory store, and everything that matters in SQL.
"""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event

from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import Engine, insert, update
from sqlalchemy.exc import SQLAlchemyError

from scheduler.dispatch import BATCH, tick
from scheduler.ports import Carrier, Writer
from scheduler.reconciling import reconcile
from scheduler.tables import heartbeat

log = logging.getLogger(__name__)
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run(
    engine: Engine,
    clock: Callable[[], datetime],
    writer: Writer,
    carrier: Carrier,
    *,
    every_seconds: float = 5.0,
) -> None:
    """Tick and reconcile every so many seconds until SIGTERM or SIGINT; then put back what is claimed, and return.

    Runs in the main thread, where signals arrive. A failing tick is logged by its kind alone, and tried again.
    """
    stopping = Event()
    handlers = {which: signal.signal(which, lambda *_: stopping.set()) for which in STOP_SIGNALS}
    pulse = Pulse(engine, clock, writer, carrier, stopping)
    ticking = BackgroundScheduler(jobstores={"default": MemoryJobStore()}, timezone=UTC)
    ticking.add_job(
        pulse.beat, "interval", seconds=every_seconds, coalesce=True, max_instances=1, misfire_grace_time=None
    )
    try:
        pulse.beat()
        ticking.start()
        stopping.wait()
    finally:
        stopping.set()
        if ticking.running:
            ticking.shutdown(wait=True)
        for which, handler in handlers.items():
            signal.signal(which, handler)


@dataclass
class Pulse:
    """One beat after another over one ledger."""

    engine: Engine
    clock: Callable[[], datetime]
    writer: Writer
    carrier: Carrier
    stopping: Event = field(default_factory=Event)
    last_error: str | None = None  # of the latest beat

    def beat(self) -> None:
        """Send all that is due, look into what is unknown, and say that we are alive. Never raises."""
        self.last_error = None
        self._try("tick", self._send_what_is_due)
        self._try("reconcile", self._settle_what_is_unknown)
        self._try("heartbeat", self._say_alive)

    def _send_what_is_due(self) -> None:
        while not self.stopping.is_set():
            done = tick(self.engine, self.clock(), self.writer, self.carrier, stopping=self.stopping.is_set)
            if done.stopped is not None:
                self._note(f"the carrier refuses our configuration: code {done.stopped}")
            if done.claimed < BATCH or done.put_back:
                return

    def _settle_what_is_unknown(self) -> None:
        if not self.stopping.is_set():
            reconcile(self.engine, self.clock(), self.writer, self.carrier)

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
