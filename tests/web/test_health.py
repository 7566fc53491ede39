"""Is the service well?"""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from epro.opening import letters_of
from epro.store.database import open_engine
from epro.web.app import create_app
from epro.web.health import what_is_wrong
from scheduler.carriers.console import Console
from scheduler.ledger import Health
from scheduler.pulse import Pulse
from tests.epro.conftest import NOW
from tests.web.conftest import Browser


@pytest.fixture
def health(browser):
    def health():
        response = browser.client.get("/health")
        return response.status_code, response.json

    return health


class Broken:
    """A carrier with a fault of its own."""

    def send(self, letter, token):
        raise RuntimeError("no words of mine belong in a log")


@pytest.fixture
def clock_ticks(house, clock, tmp_path):
    def ticks(carrier=None):
        Pulse(house.engine, clock, letters_of(house), carrier or Console(tmp_path / "outbox", clock)).beat()

    return ticks


def test_a_service_whose_clock_never_ran_is_not_well(health):
    status, body = health()

    assert status == 503
    assert body["status"] == "the clock has never run"
    assert body["database"] == "well"


def test_a_service_whose_clock_runs_is_well(health, clock_ticks):
    clock_ticks()

    status, body = health()

    assert (status, body["status"]) == (200, "well")
    assert body == {
        "status": "well",
        "database": "well",
        "last_tick_at": NOW.isoformat(),
        "oldest_overdue_seconds": 0,
        "unknown": 0,
        "refused": 0,
        "balance": None,
        "alarm": None,
    }


@pytest.mark.parametrize(("tick_seconds", "patience"), [(5, 60), (60, 180)])
def test_three_intervals_and_at_least_a_minute_without_a_tick_say_that_the_clock_has_stopped(tick_seconds, patience):
    seen = Health(last_tick_at=NOW, last_error=None, oldest_due_at=None, counts={})
    interval, silence = timedelta(seconds=tick_seconds), timedelta(seconds=patience)

    assert what_is_wrong(seen, NOW + silence, interval) == []
    assert what_is_wrong(seen, NOW + silence + timedelta(seconds=1), interval) == ["the clock has stopped"]


def test_a_tick_that_failed_is_told_without_its_reason(health, clock_ticks, desk, clock):
    desk.enrol()
    clock.wait(days=1)

    clock_ticks(Broken())

    status, body = health()
    assert (status, body["status"]) == (503, "the last tick failed")


def test_texts_that_nobody_sends_are_seen(health, desk, clock):
    desk.enrol(consented_on=date(2027, 3, 1), randomised_on=date(2027, 3, 1), arm="surgery")
    clock.wait(days=50)

    _, body = health()

    assert "texts are overdue" in body["status"]
    assert body["oldest_overdue_seconds"] > 24 * 3600


def test_a_database_that_is_away_is_told_and_needs_no_login(house, tmp_path):
    away = replace(house, engine=open_engine(f"sqlite:///{tmp_path / 'no-such-folder' / 'epro.db'}"))

    response = Browser(create_app(away)).client.get("/health")

    assert response.status_code == 503
    assert response.json == {"status": "down", "database": "unreachable"}
