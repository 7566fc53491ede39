"""A small real house to act in: the shipped trial, a migrated database of each kind, a clock that stands still."""

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select

from epro.acts import patients
from epro.acts.enrolment import Enrolment
from epro.acts.trial import adopt
from epro.cli import main
from epro.house import House
from epro.opening import cipher_of
from epro.protocol import Protocol, read_protocol
from epro.queries.verification import verify
from epro.settings import DEFAULT_TRIAL, Settings
from epro.store.audit import Actor
from epro.store.database import open_engine, reading, writing
from epro.store.models import Assessment
from epro.store.standing import has_an_answer
from tests import databases

NURSE = Actor("nurse@example.org", "nurse", "desk", "request-1")
NOW = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)


@cache
def shipped_protocol() -> Protocol:
    """The trial that is shipped; it is read once, as it takes longer than most tests."""
    return read_protocol(DEFAULT_TRIAL, on=NOW.date())


@pytest.fixture
def house(schema: str, migrated_file: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[House]:
    """After each test every row must be as the trail tells it, whatever the test did, by whichever route or act."""
    settings = Settings(
        home=tmp_path, database_url=schema, secret_key="not a secret", contact_keys=Fernet.generate_key().decode()
    )
    engine = open_engine(schema, durable=False)
    opened = House(settings, shipped_protocol(), engine, cipher_of(settings), lambda: NOW)
    if engine.dialect.name == "sqlite":
        databases.copy_file(migrated_file, schema)
    else:
        databases.empty(engine)
    with writing(opened.engine) as connection:
        adopt(connection, opened.protocol, by=NURSE, now=NOW)
    yield opened
    if "bends_the_record" not in request.keywords:
        with reading(opened.engine) as connection:
            found = verify(connection, [])
            ill_kept = select(Assessment.subject).where(has_an_answer() != Assessment.received_at.is_not(None))
            assert connection.execute(ill_kept).all() == [], "what is kept as received is not what the answers say"
        assert found.faults == [], "what the test did to the database is not what the trail tells"
    opened.engine.dispose()


class Desk:
    """A nurse at the desk of one house, whose acts each are one transaction."""

    def __init__(self, house: House, now: datetime = NOW) -> None:
        self.house, self.now = house, now

    def enrol(self, subject: str = "UME-001", **changes: object) -> str:
        asked = {
            "subject": subject,
            "site": subject[:3],
            "language": "sv",
            "strata": {"er": "pos", "metastases": "1"},
            "consented_on": date(2027, 3, 1),
            "eligible": True,
            "texts_allowed": True,
            "phone": "070-174 06 05",
            **changes,
        }
        with writing(self.house.engine) as connection:
            patients.enrol(
                connection,
                self.house.protocol,
                self.house.cipher,
                Enrolment(**asked),  # type: ignore[arg-type]
                by=NURSE,
                now=self.now,
            )
        return subject

    def act(self, verb, subject: str, **asked: object) -> None:  # type: ignore[no-untyped-def]
        with writing(self.house.engine) as connection:
            verb(connection, self.house.protocol, subject, **asked, by=NURSE, now=self.now)


@pytest.fixture
def desk(house: House) -> Desk:
    return Desk(house)


@pytest.fixture
def epro(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs `epro …` and returns exit code, what it printed, and what it said on stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["epro", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return run
