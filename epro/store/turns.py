"""Who writes next, where only one may?

SQLite takes one writer at a time, and a driver that waits for its turn stops every other request of its process. So
those of one process queue here, and only the first of them asks the database, again and again and asleep in between.
Whoever comes from the queue, right after another of its own process, first leaves the other processes time to ask.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic, sleep

from sqlalchemy import Connection
from sqlalchemy.exc import TimeoutError as WaitedTooLong

ASKS_EVERY_SECONDS = 0.001
LEAVES_SECONDS = 0.002  # longer than another process sleeps between two tries
QUEUES_SECONDS = 15.0  # less than a phone waits before it sends again
BEGIN = "BEGIN IMMEDIATE"


class Turns:
    """The writers of one process, one after the other, in the order in which they came."""

    def __init__(self) -> None:
        self._one = Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Raises SQLAlchemy's TimeoutError when those before take too long."""
        at_once = self._one.acquire(blocking=False)
        if not at_once and not self._one.acquire(timeout=QUEUES_SECONDS):
            raise WaitedTooLong("too many wait to write")
        try:
            if not at_once:
                sleep(LEAVES_SECONDS)
            yield
        finally:
            self._one.release()


def begin(connection: Connection, patience_seconds: float) -> None:
    """Begin to write as soon as no other process does. Raises OperationalError when that takes longer than this."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    usual = driver.execute("PRAGMA busy_timeout").fetchone()[0]
    until = monotonic() + patience_seconds
    driver.execute("PRAGMA busy_timeout=0")
    try:
        while monotonic() < until:
            try:
                driver.execute(BEGIN)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    break
                sleep(ASKS_EVERY_SECONDS)
            else:
                return
        connection.exec_driver_sql(BEGIN)  # a last time, so that the error is one of SQLAlchemy's
    finally:
        driver.execute(f"PRAGMA busy_timeout={usual}")
