"""A trial that goes on: patients who are enrolled, texted and answer, by the verbs of real life."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine, event

import scheduler
from epro.acts import answers, links
from epro.acts.answers import Said
from epro.opening import House, letters_of
from epro.store.database import writing
from scheduler.ports import Accepted, Letter, NotFound, Outcome, Receipt
from tests.epro.conftest import NOW, NURSE, desk, house

__all__ = ["desk", "house"]  # fixtures of the service's own tests

RANDOMISED = {"randomised_on": date(2027, 3, 1), "arm": "surgery"}
ITEMS = [f"q{n}" for n in range(1, 31)]


@dataclass
class Post:
    """A carrier that does with each text what it is told, and remembers the attempts."""

    outcome: Outcome = field(default_factory=Accepted)
    attempts: list[str] = field(default_factory=list)

    def send(self, letter: Letter, token: str) -> Outcome:
        self.attempts.append(token)
        return self.outcome

    def find(self, trace: object, token: str, since: datetime) -> NotFound:
        return NotFound()


class Course:
    """What happens to patients between two looks at a page."""

    def __init__(self, house: House) -> None:
        self.house, self.post = house, Post()

    def tick(self, now: datetime) -> None:
        scheduler.tick(self.house.engine, now, letters_of(self.house), self.post)

    def receipt(self, status: str, now: datetime, code: int | None = None) -> None:
        """Of the text that left last."""
        with writing(self.house.engine) as connection:
            scheduler.receive(connection, Receipt(self.post.attempts[-1], None, status, code), now)  # type: ignore[arg-type]

    def answer(
        self,
        subject: str,
        visit: str,
        now: datetime,
        *,
        said: int = 30,
        blank: int = 0,
        submit: bool = True,
        value: int = 2,
    ) -> None:
        """The first `said` items are answered and the next `blank` left blank."""
        values = [value] * said + [None] * blank
        with writing(self.house.engine) as connection:
            token = links.hand_over(connection, subject, visit, by=NURSE, now=now)
            opened = links.opened_for_writing(connection, links.hash_of(token), now)
            assert opened is not None
            answers.start(connection, self.house.protocol, opened, language="sv", now=now)
            saves = [
                Said("qlq-c30", item, value, key=f"{token}-{item}") for item, value in zip(ITEMS, values, strict=False)
            ]
            answers.save(connection, self.house.protocol, opened, saves, session="one", now=now)
            if submit:
                answers.submit(connection, self.house.protocol, opened, now=now)


@pytest.fixture
def course(house: House) -> Course:
    return Course(house)


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """The SQL statements that are sent meanwhile."""
    sent: list[str] = []

    def note(_connection, _cursor, statement, *_rest):  # type: ignore[no-untyped-def]
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def later(**time: int) -> datetime:
    return NOW + timedelta(**time)


def on(month: int, day: int, hour: int = 12, year: int = 2027) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)
