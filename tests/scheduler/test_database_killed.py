"""The database crashes again and again while texts leave: each is still sent once, and none is forgotten."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from tests.faults.places import crashing_server
from tests.scheduler import twilio_double as double_of
from tests.scheduler.fire.trial import prepare, processes, still_open, verdict
from tests.scheduler.fire.worker import beat_until_told
from tests.scheduler.house import DUE, open_engine
from tests.scheduler.twilio_double import Double

RESTARTS, TEXTS = 20, 400


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with double_of.running() as running:
        yield running


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_database_that_crashes_twenty_times_under_load_loses_and_doubles_no_text(double: Double) -> None:
    with crashing_server() as (url, pg_ctl):
        engine = open_engine(url)
        due = set(prepare(engine, TEXTS).anchors)
        under_load = send_while_it_crashes(engine, url, pg_ctl, double)

        result = verdict(engine, double, due, set(), 0, RESTARTS)
        engine.dispose()
    assert under_load > 0
    assert (result.sent, result.never, result.twice) == (TEXTS, 0, 0)


def send_while_it_crashes(engine: Engine, url: str, pg_ctl: Callable[[str], None], double: Double) -> int:
    """Let a clock send until nothing is open. Returns how many texts had left when the last crash was over."""
    seconds = processes.Value("d", 0.0)
    clock = processes.Process(target=beat_until_told, args=(url, double.url, seconds))
    clock.start()
    for _ in range(RESTARTS):
        clock.join(0.4)  # some texts leave meanwhile
        assert clock.is_alive()
        pg_ctl("restart -m immediate")
        seconds.value += 150.0
        double.now = DUE + timedelta(seconds=seconds.value)
        engine.dispose()
    under_load = len(double.taken)
    while still_open(engine):
        seconds.value += 150.0
        double.now = DUE + timedelta(seconds=seconds.value)
        clock.join(0.3)
        assert clock.is_alive()
    seconds.value = -1.0
    clock.join(30)
    engine.dispose()
    return under_load
