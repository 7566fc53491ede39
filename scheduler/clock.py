"""What makes the ledger's texts leave, time after time, until it is told to stop?

One process of its own; never inside a web worker. APScheduler is a clock here and not a memory: one job in its
in-memory store, and everything that matters in SQL.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from threading import Event

from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import Engine

from scheduler.alone import only_sender, refuse_inside_a_web_server
from scheduler.chores import Chore
from scheduler.pacing import Pace
from scheduler.ports import Carrier, Writer
from scheduler.pulse import Pulse

log = logging.getLogger(__name__)
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
MISSED_BEATS = 3  # so many intervals without one, and the job is set anew
BEAT = "beat"


def run(
    engine: Engine,
    clock: Callable[[], datetime],
    writer: Writer,
    carrier: Carrier,
    *,
    every_seconds: float = 5.0,
    pace: Pace | None = None,
    hands: int = 1,
    chores: Sequence[Chore] = (),
) -> None:
    """Beat every so many seconds until SIGTERM or SIGINT; then put back what is claimed, and return.

    Runs in the main thread, where signals arrive. A failing beat is logged by its kind alone, and tried again.
    Raises InsideWebServer, and AnotherSender on SQLite.
    """
    refuse_inside_a_web_server()
    stopping = Event()
    pulse = Pulse(engine, clock, writer, carrier, stopping, pace=pace, hands=hands, chores=chores)
    with only_sender(engine):
        handlers = {which: signal.signal(which, lambda *_: stopping.set()) for which in STOP_SIGNALS}
        try:
            _beat_until_stopped(pulse, every_seconds)
        finally:
            stopping.set()
            for which, handler in handlers.items():
                signal.signal(which, handler)


def _beat_until_stopped(pulse: Pulse, every_seconds: float) -> None:
    ticking = BackgroundScheduler(jobstores={"default": MemoryJobStore()}, timezone=UTC)
    ticking.add_job(
        pulse.beat,
        "interval",
        id=BEAT,
        seconds=every_seconds,
        coalesce=True,
        max_instances=1,
        misfire_grace_time=None,
    )
    try:
        pulse.beat()
        ticking.start()
        while not pulse.stopping.wait(every_seconds):
            if has_stopped(
                pulse, every_seconds, pulse.elapsed()
            ):  # the wall clock, which the job waits for, was set back
                log.error("the beat has stopped; it is set anew")
                ticking.reschedule_job(BEAT, trigger="interval", seconds=every_seconds)
    finally:
        pulse.stopping.set()
        if ticking.running:
            ticking.shutdown(wait=True)


def has_stopped(pulse: Pulse, every_seconds: float, elapsed: float) -> bool:
    """Whether no beat is under way, and none has been for longer than some are missed."""
    return not pulse.beating and elapsed - pulse.beaten > MISSED_BEATS * every_seconds
