"""A register of patients to measure: enrolled by the verb, copied, texted, and answering.

The house stands in a folder, so that several processes can open it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from cryptography.fernet import Fernet
from sqlalchemy import Connection, Table, text

import scheduler
from benchmarks.measuring import peak_bytes
from epro.acts import answers, links, patients
from epro.acts.answers import Said
from epro.acts.enrolment import Enrolment
from epro.acts.trial import adopt
from epro.house import House
from epro.opening import HANDS, in_force, letters_of, open_house
from epro.settings import DEFAULT_TRIAL, Settings
from epro.store.audit import Actor
from epro.store.database import writing
from epro.store.migrating import migrate
from epro.store.models import Allocation, Assessment, CodeWord, Contact, Patient, PatientEvent, table_of
from scheduler.dispatch import BATCH
from scheduler.ports import Accepted, Letter, NotFound, Outcome, Trace
from scheduler.tables import message

AT_ONCE, YEARS_DAYS = 50, 3 * 365
NOW = datetime(2027, 3, 25, 12, tzinfo=UTC)  # the Thursday before Easter: what falls on red days goes the Tuesday after
SENT_AT_HOUR = 15  # UTC: every step's hour has come, and quiet hours have not
OPERATOR = Actor("register", "operator", "import")
PHONES = [f"070-174 06 {last:02d}" for last in range(5, 100)]  # set aside for fiction
SITES = ("UME", "GBG", "STO", "LKP", "LUN", "UPP")
COPIED = [table_of(model) for model in (Patient, Allocation, PatientEvent, Contact, CodeWord, Assessment)] + [message]
MEGABYTE = 1e6


class Loopback:
    """A carrier that takes every text at once."""

    def send(self, letter: Letter, token: str) -> Outcome:
        return Accepted(token)

    def find(self, trace: Trace, token: str, since: datetime) -> NotFound:
        return NotFound()


@contextmanager
def opened(place: Path) -> Iterator[House]:
    """The house that the settings in this folder describe."""
    settings = Settings(**json.loads((place / "settings.json").read_text(encoding="utf-8")))
    house = open_house(settings)
    try:
        yield replace(house, clock=lambda: NOW)
    finally:
        house.engine.dispose()


def prepare(place: Path, url: str) -> None:
    """A migrated database, and the shipped trial with subject ids of six digits."""
    trial = DEFAULT_TRIAL.read_text(encoding="utf-8").replace("[0-9]{3}", "[0-9]{6}")
    (place / "register.toml").write_text(trial, encoding="utf-8")
    keys = {"secret_key": "not a secret", "contact_keys": Fernet.generate_key().decode()}
    settings = {"home": str(place), "trial": str(place / "register.toml"), "database_url": url, **keys}
    (place / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    with opened(place) as house:
        migrate(house.engine)
        with writing(house.engine) as connection:
            adopt(connection, house.protocol, by=OPERATOR, now=NOW - timedelta(days=YEARS_DAYS + 30))


def enrolment(n: int) -> Enrolment:
    """The n-th patient, randomised on some day of the last three years."""
    randomised_on = NOW.date() - timedelta(days=1 + n * 7919 % YEARS_DAYS)
    site = SITES[n % len(SITES)]
    return Enrolment(
        subject=f"{site}-{n:06d}",
        site=site,
        language="sv",
        strata={"er": "pos", "metastases": "1"},
        consented_on=randomised_on - timedelta(days=7),
        eligible=True,
        texts_allowed=True,
        phone=PHONES[n % len(PHONES)],
        randomised_on=randomised_on,
        arm=("surgery", "control")[n // len(SITES) % 2],
    )


def fill(place: Path, part: int, parts: int, count: int) -> dict[str, float]:
    """Every so many-th patient: sites of its own, for a transaction holds the record's chain of each site it writes."""
    mine = range(part, count, parts)
    with opened(place) as house:
        house = in_force(house)
        began = time.process_time()
        for start in range(0, len(mine), AT_ONCE):
            with writing(house.engine) as connection:
                for n in mine[start : start + AT_ONCE]:
                    patients.enrol(connection, house.protocol, house.cipher, enrolment(n), by=OPERATOR, now=NOW)
    return {"cpu": time.process_time() - began}


def copy(connection: Connection, table: Table, times: int) -> None:
    """Every row again under other subject ids, without the record's entries of its own."""
    columns = [column.name for column in table.columns if column.name != "id"]
    subject = "subject || 'x' || n"
    changed = {"subject": subject, "key": f"{subject} || substr(key, length(subject) + 1)"}
    picked = ", ".join(changed.get(name, f'"{name}"') for name in columns)
    names = ", ".join(f'"{name}"' for name in columns)
    source = f"{table.name}, generate_series(1, :times) AS n"
    connection.execute(text(f"INSERT INTO {table.name} ({names}) SELECT {picked} FROM {source}"), {"times": times})  # noqa: S608


def send(place: Path, on: date) -> dict[str, float]:
    """One clock: what is due on this day, until nothing is."""
    now = sent_at(on)
    with opened(place) as house:
        house = in_force(house)
        writer, carrier = letters_of(house), Loopback()
        scheduler.tick(house.engine, NOW - timedelta(days=1), writer, carrier)  # imports are not measured
        began, spent, accepted, looked = time.perf_counter(), time.process_time(), 0, True
        while looked:
            owner = f"clock {os.getpid()}"
            done = scheduler.tick(house.engine, now, writer, carrier, owner=owner, limit=BATCH, hands=HANDS)
            accepted += done.accepted
            looked = bool(done.claimed or done.expired or done.superseded)
        ended, cpu = time.perf_counter(), time.process_time() - spent
    return {"began": began, "ended": ended, "cpu": cpu, "accepted": accepted, "peak": peak_bytes() / MEGABYTE}


def sent_at(on: date) -> datetime:
    return datetime(on.year, on.month, on.day, SENT_AT_HOUR, tzinfo=UTC)


def form(house: House, token_hash: str, now: datetime) -> Iterator[Callable[[Connection], object]]:
    """The transactions in which a patient answers one form."""

    def link(connection: Connection) -> links.Opened:
        found = links.opened_for_writing(connection, token_hash, now)
        assert found is not None
        return found

    yield lambda connection: answers.start(connection, house.protocol, link(connection), language="sv", now=now)
    for n in range(1, 31):
        said = Said("qlq-c30", f"q{n}", 2, key=f"{token_hash}-{n}")
        yield lambda connection, said=said: answers.save(
            connection, house.protocol, link(connection), [said], session="sitting", now=now
        )
    yield lambda connection: answers.submit(connection, house.protocol, link(connection), now=now)
