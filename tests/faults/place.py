"""A whole installation to break: a database, patients with links, and the pages as `epro serve` serves them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

from cryptography.fernet import Fernet
from sqlalchemy import insert, select, text

from epro.acts import links, patients
from epro.acts.enrolment import Enrolment
from epro.acts.trial import adopt
from epro.house import House
from epro.opening import open_house, system_clock
from epro.queries.verification import verify
from epro.rehearsal.numbers import fictional_mobile
from epro.settings import Settings
from epro.store.copying import stray_keys
from epro.store.database import reading, writing
from epro.store.migrating import migrate
from epro.store.models import Answer, Assessment, Audit, Form, Link
from tests.epro.conftest import NURSE
from tests.journeys.conftest import free_port

ROOT = Path(__file__).parents[2]
STARTS_WITHIN_SECONDS = 90


@dataclass
class Place:
    """An installation on loopback whose pages can be started, killed and started again."""

    house: House
    environment: dict[str, str]
    tokens: dict[str, str]  # subject: token
    process: subprocess.Popen[str] | None = None

    @property
    def address(self) -> str:
        return self.house.settings.address

    def serve(self) -> None:
        """Start the pages in a process group of their own, and return when they listen."""
        command = [sys.executable, "-m", "epro.web"]  # what `epro serve` becomes
        options = {"cwd": ROOT, "env": self.environment, "start_new_session": True, "text": True}
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload]
        listening = Event()
        Thread(target=_wait_for, args=(self.process, listening), daemon=True).start()
        assert listening.wait(STARTS_WITHIN_SECONDS), "the pages did not start"

    def kill(self) -> None:
        """kill -9 the whole group."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def terminate(self) -> int:
        """SIGTERM, as an orderly stop sends it. Returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=STARTS_WITHIN_SECONDS)


def _wait_for(process: subprocess.Popen[str], listening: Event) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if "Listening at" in line:
            listening.set()


def place(url: str, home: Path, count: int = 8) -> Place:
    """An installation over an empty database, with patients who each have an open form and its link."""
    keys = {"EPRO_SECRET_KEY": "not a secret", "EPRO_CONTACT_KEYS": Fernet.generate_key().decode()}
    asked = {"secret_key": keys["EPRO_SECRET_KEY"], "contact_keys": keys["EPRO_CONTACT_KEYS"]}
    house = open_house(Settings(home=home, database_url=url, port=free_port(), **asked))
    migrate(house.engine)
    now = house.clock()
    with writing(house.engine) as connection:
        adopt(connection, house.protocol, by=NURSE, now=now)
    tokens = {subject: _enrol(house, subject) for subject in (f"UME-{n:03}" for n in range(1, count + 1))}
    own = {name: value for name, value in os.environ.items() if not name.startswith("EPRO_")}
    own |= keys | {"EPRO_HOME": str(home), "EPRO_DATABASE_URL": url, "EPRO_PORT": str(house.settings.port)}
    return Place(house, own, tokens)


def _enrol(house: House, subject: str) -> str:
    now = system_clock()
    asked = Enrolment(
        subject=subject,
        site="UME",
        language="sv",
        strata={"er": "pos", "metastases": "1"},
        consented_on=(now - timedelta(days=2)).date(),
        eligible=True,
        texts_allowed=True,
        phone=fictional_mobile(int(subject[-3:])),
    )
    with writing(house.engine) as connection:
        patients.enrol(connection, house.protocol, house.cipher, asked, by=NURSE, now=now)
        mine = select(Assessment.id).where(Assessment.subject == subject, Assessment.visit == "BL")
        assessment, token = connection.execute(mine).scalar_one(), links.new_token()
        row = {"token_hash": links.hash_of(token), "assessment": assessment, "issued_at": now, "mode": links.SELF}
        connection.execute(insert(Link), [{**row, "message_key": f"{subject}/BL/invite/sms/1"}])
    return token


@dataclass(frozen=True)
class Verdict:
    """What was promised, and what stands in the database. Everything but `told` and `kept` must be 0."""

    told: int  # saves of which a phone was told that they are kept
    kept: int  # rows
    lost: int  # told, and not there as they were told
    doubled: int
    without_entry: int
    half: int  # forms begun without all their questionnaires
    broken: tuple[str, ...]  # of the database and of the trail

    @property
    def is_well(self) -> bool:
        return not (self.lost or self.doubled or self.without_entry or self.half or self.broken) and self.told > 0


def verdict(house: House, told: dict[str, tuple[str, int]]) -> Verdict:
    """Hold what phones were told against the database. told: the save's key to (subject, value)."""
    with reading(house.engine) as connection:
        rows = connection.execute(
            select(Answer.key, Answer.value, Answer.entry, Assessment.subject)
            .join(Form, Form.id == Answer.form)
            .join(Assessment, Assessment.id == Form.assessment)
        ).all()
        entries = set(connection.execute(select(Audit.id)).scalars())
        broken = [*verify(connection, []).faults, *stray_keys(connection)]
        if connection.dialect.name == "sqlite":
            checked = connection.execute(text("PRAGMA integrity_check")).scalars().all()
            broken += [line for line in checked if line != "ok"]
        begun = connection.execute(
            select(Assessment.visit, Form.id).join(Form, isouter=True).where(Assessment.started_at.is_not(None))
        ).all()
    known: dict[str, list[tuple[str, int]]] = {}
    for row in rows:
        known.setdefault(row.key.split(".")[0], []).append((row.subject, row.value))
    return Verdict(
        told=len(told),
        kept=len(rows),
        lost=sum(said not in known.get(key, []) for key, said in told.items()),
        doubled=sum(len(each) > 1 for each in known.values()),
        without_entry=sum(row.entry not in entries for row in rows),
        half=sum(row.id is None for row in begun),
        broken=tuple(broken),
    )
