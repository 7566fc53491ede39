"""A whole service on loopback: gunicorn as the Procfile starts it, a database of each kind, texts kept as files."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from threading import Condition, Event, Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
import requests
from cryptography.fernet import Fernet

from epro.acts import patients
from epro.acts.enrolment import Enrolment
from epro.acts.trial import adopt
from epro.opening import OUTBOX, House, letters_of, open_house, system_clock
from epro.rehearsal.numbers import fictional_mobile
from epro.settings import Settings
from epro.store.database import open_engine, reading, writing
from epro.store.migrating import migrate
from scheduler import ledger
from scheduler.carriers.console import Console
from scheduler.dispatch import tick
from tests.epro.conftest import NURSE
from tests.web.conftest import Page

if TYPE_CHECKING:
    from tests.journeys.ward import Ward


ROOT = Path(__file__).parents[2]
STARTS_WITHIN_SECONDS = 240
DEBUGGING = {  # what somebody may leave set: it must not make the service say more
    "FLASK_DEBUG": "1",
    "FLASK_ENV": "development",
    "SQLALCHEMY_ECHO": "1",
    "GUNICORN_CMD_ARGS": "--access-logfile - --log-level debug",
}


@dataclass
class Service:
    """Web processes that serve, and the desk's and the clock's acts on the same house."""

    house: House
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    said: Condition = field(default_factory=Condition)
    enrolled: int = 0

    @property
    def address(self) -> str:
        return self.house.settings.address

    def wait_until_logged(self, is_wanted: Callable[[str], bool]) -> None:
        """A page may be here before the line that the log wrote of it."""
        with self.said:
            assert self.said.wait_for(lambda: any(map(is_wanted, self.lines)), timeout=STARTS_WITHIN_SECONDS)

    def enrol(self, subject: str) -> str:
        """Enrol a patient who consented ten days ago."""
        consented_on = (system_clock() - timedelta(days=10)).date()
        asked = Enrolment(
            subject=subject,
            site=subject[:3],
            language="sv",
            strata={"er": "pos", "metastases": "1"},
            consented_on=consented_on,
            eligible=True,
            texts_allowed=True,
            phone=fictional_mobile(int(subject[-3:])),
        )
        at = datetime.combine(consented_on, time(9), ZoneInfo("Europe/Stockholm")).astimezone(UTC)
        with writing(self.house.engine) as connection:
            patients.enrol(connection, self.house.protocol, self.house.cipher, asked, by=NURSE, now=at)
        return subject

    def enrol_another(self) -> str:
        self.enrolled += 1
        return self.enrol(f"UME-{self.enrolled:03d}")

    def first_text_is_due_at(self, subject: str) -> datetime:
        with reading(self.house.engine) as connection:
            at = ledger.rows(connection, subject)[0].send_at
        assert at is not None
        return at

    def tick(self, now: datetime) -> list[str]:
        """Let the clock tick once. Returns the paths of the links in the texts that left."""
        outbox = self.house.settings.home / OUTBOX
        before = set(outbox.glob("*"))
        tick(self.house.engine, now, letters_of(self.house), Console(outbox, lambda: now))
        texts = [file.read_text() for file in set(outbox.glob("*")) - before]
        return [word.removeprefix(self.address) for text in texts for word in text.split() if "/p/" in word]


@pytest.fixture(scope="module")
def service(schema: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with two web processes; its day is today."""
    with serving(schema, tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="session")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that the tests of what a browser shows have in common; each has a patient of its own."""
    home = tmp_path_factory.mktemp("home")
    url = f"sqlite:///{home / 'epro.db'}"
    engine = open_engine(url, durable=False)
    migrate(engine)
    engine.dispose()
    with serving(url, home) as running:
        yield running


@pytest.fixture(scope="session")
def ward(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Ward]":
    """Two hundred patients that the tests of the nurse checks have in common; each adds patients of its own."""
    from tests.journeys.ward import ward_in

    with ward_in(tmp_path_factory.mktemp("ward")) as opened:
        yield opened


@contextmanager
def serving(database_url: str, home: Path) -> Iterator[Service]:
    """The service on a migrated database, until the block ends."""
    keys = {"EPRO_SECRET_KEY": "not a secret", "EPRO_CONTACT_KEYS": Fernet.generate_key().decode()}
    settings = Settings(
        home=home,
        database_url=database_url,
        port=free_port(),
        secret_key=keys["EPRO_SECRET_KEY"],
        contact_keys=keys["EPRO_CONTACT_KEYS"],
    )
    house = open_house(settings, durable=False)
    with writing(house.engine) as connection:
        adopt(connection, house.protocol, by=NURSE, now=system_clock())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EPRO_")}
    environment |= keys | {"EPRO_HOME": str(home), "EPRO_DATABASE_URL": database_url, "EPRO_PORT": str(settings.port)}
    environment |= DEBUGGING
    process = subprocess.Popen(
        [sys.executable, "-m", "epro", "serve"], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    )
    running = Service(house, process)
    try:
        _listen(running)
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=STARTS_WITHIN_SECONDS) == 0, "".join(running.lines)
        house.engine.dispose()


def _listen(service: Service) -> None:
    """Keep what the service says, and return when it accepts connections."""
    listening = Event()

    def keep() -> None:
        assert service.process.stderr is not None
        for line in service.process.stderr:
            with service.said:
                service.lines.append(line)
                service.said.notify_all()
            if "Listening at" in line:
                listening.set()
        listening.set()

    Thread(target=keep, daemon=True).start()
    assert listening.wait(STARTS_WITHIN_SECONDS), "the service did not start"
    assert service.process.poll() is None, "".join(service.lines)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Phone:
    """A phone on the network, without a screen."""

    def __init__(self, address: str) -> None:
        self.address, self.session = address, requests.Session()
        self.session.headers["Accept-Language"] = "sv"

    def open(self, path: str) -> Page:
        return self._arrived(self.session.get(self.address + path, timeout=30))

    def press(self, page: Page, path: str | None = None, **fields: str) -> Page:
        return self._arrived(
            self.session.post(self.address + (path or page.path), data={**page.fields, **fields}, timeout=30)
        )

    def _arrived(self, response: requests.Response) -> Page:
        return Page(urlsplit(response.url).path, response)


@pytest.fixture
def phone(service: Service) -> Phone:
    return Phone(service.address)
