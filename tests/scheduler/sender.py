"""A sending process for tests that kill it: python -m tests.scheduler.sender URL FOLDER NOW [clock]

It says on its standard output when a text is about to leave and when it has left, so that a test can kill it there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Column, MetaData, String, Table, insert, select

import scheduler
from scheduler.carriers.console import Console
from scheduler.clock import run
from scheduler.dispatch import BATCH
from scheduler.ports import Accepted, Claimed, Letter, Refused, Trace, Withheld, link_hash
from tests.scheduler.house import PHONE, Patients, Pen, open_engine

letters = Table(  # what the service keeps of its letters: a hash, written before anything is handed over
    "letter", MetaData(), Column("token", String(43), primary_key=True), Column("hash", String(64))
)


class LastingPen(Pen):
    """A writer whose traces outlive it."""

    def write(self, messages: Sequence[Claimed], now: datetime) -> list[Letter | Withheld]:
        with self.patients.engine.begin() as connection:
            rows = [{"token": message.token, "hash": link_hash(link_of(message))} for message in messages]
            connection.execute(insert(letters), rows)
        return [Letter(PHONE, f"https://epro.example/p/{link_of(message)}", message.expires_at) for message in messages]

    def trace(self, message: Claimed) -> Trace | None:
        with self.patients.engine.begin() as connection:
            found = connection.execute(select(letters.c.hash).where(letters.c.token == message.token)).scalar()
        return Trace(PHONE, found) if found else None


def link_of(message: Claimed) -> str:
    return f"{message.subject}-{message.token}".lower()


class TellingConsole(Console):
    """Says what it does while it does it."""

    def send(self, letter: Letter, token: str) -> Accepted | Refused:
        print("sending", flush=True)  # noqa: T201
        outcome = super().send(letter, token)
        print("sent", flush=True)  # noqa: T201
        return outcome


def main(url: str, folder: str, at: str, how: str = "once") -> None:
    now = datetime.fromisoformat(at)
    engine = open_engine(url)
    pen, console = LastingPen(Patients(engine)), TellingConsole(Path(folder), lambda: now)
    if how == "clock":
        run(engine, lambda: now, pen, console, every_seconds=0.05)
        print("stopped", flush=True)  # noqa: T201
        return
    scheduler.reconcile(engine, now, pen, console, limit=1000)
    while scheduler.tick(engine, now, pen, console).claimed == BATCH:
        pass
    print("done", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
