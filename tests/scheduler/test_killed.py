"""Whoever sends may be killed at any moment: no text is sent twice, and none is forgotten."""

import random
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from scheduler import ledger
from scheduler.tables import heartbeat, message
from tests.scheduler.house import DUE, EARLY, Patients
from tests.scheduler.sender import letters

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def hashes_of_letters(engine: Engine) -> None:
    letters.create(engine, checkfirst=True)


@contextmanager
def sender(engine: Engine, folder: Path, now: datetime, how: str = "once") -> Iterator[subprocess.Popen[str]]:
    url = engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.scheduler.sender", url, str(folder), now.isoformat(), how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def lines_of(process: subprocess.Popen[str], most: int) -> int:
    """Read so many lines, or all there are; returns how many."""
    assert process.stdout is not None
    return sum(1 for _, _ in zip(range(most), process.stdout, strict=False))


def texts_by_subject(folder: Path) -> Counter[str]:
    bodies = (path.read_text(encoding="utf-8") for path in folder.glob("*.txt"))
    return Counter(re.search(r"/p/(p\d+)-", body)[1].upper() for body in bodies)  # type: ignore[index]


@pytest.mark.timeout(1800)  # 32 processes, each to be started: minutes on a machine that does much else
@pytest.mark.parametrize(
    ("seed", "kills", "patients_due"),
    [(1, 6, 60), *(pytest.param(seed, 30, 200, marks=pytest.mark.slow) for seed in (2, 3))],
)
def test_killed_at_random_every_text_leaves_once(
    patients: Patients, tmp_path: Path, seed: int, kills: int, patients_due: int
) -> None:
    chance = random.Random(seed)
    for n in range(patients_due):
        patients.anchors[f"P{n}"] = {"randomisation": EARLY.date()}
    patients.replan(EARLY)
    now, killed = DUE, 0
    per_life = max(2, 2 * patients_due // (kills + 1))

    for n in range(kills):
        with sender(patients.engine, tmp_path, now) as process:
            lines_of(process, chance.randrange(0, per_life, 2) + n % 2 + 1)  # in turn: before it leaves, after it left
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
        now += timedelta(minutes=3)  # longer than a lease
    for _ in range(2):
        with sender(patients.engine, tmp_path, now) as process:
            lines_of(process, 10_000)
            assert process.wait() == 0
        now += timedelta(minutes=3)

    assert killed >= kills // 2  # else nothing was tried
    assert texts_by_subject(tmp_path) == Counter(dict.fromkeys(patients.anchors, 1))
    with patients.engine.begin() as connection:
        states = set(connection.execute(select(message.c.state).where(message.c.step == "invite")).scalars())
        assert ledger.next_due(connection) == DUE + timedelta(days=3)
    assert states == {"accepted"}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_clock_sends_what_is_due_and_stops_when_told(
    patients: Patients, tmp_path: Path, how: signal.Signals
) -> None:
    patients.enrol("P1", EARLY)

    with sender(patients.engine, tmp_path, DUE, "clock") as process:
        lines_of(process, 2)
        process.send_signal(how)
        assert process.stdout is not None
        rest = process.stdout.read()
        assert process.wait(timeout=30) == 0

    assert rest == "stopped\n"
    assert patients.states("P1")["invite/1"] == "accepted"
    with patients.engine.begin() as connection:
        assert connection.execute(select(heartbeat.c.at, heartbeat.c.last_error)).all() == [(DUE, None)]


def test_two_senders_on_one_database_send_each_text_once(patients: Patients, tmp_path: Path) -> None:
    for n in range(300):
        patients.anchors[f"P{n}"] = {"randomisation": EARLY.date()}
    patients.replan(EARLY)

    with sender(patients.engine, tmp_path, DUE) as one, sender(patients.engine, tmp_path, DUE) as other:
        shares = [lines_of(one, 10_000), lines_of(other, 10_000)]
        assert (one.wait(), other.wait()) == (0, 0)
    with sender(
        patients.engine, tmp_path, DUE + timedelta(minutes=3)
    ) as last:  # who saw a full batch held by the other
        lines_of(last, 10_000)

    assert texts_by_subject(tmp_path) == Counter(dict.fromkeys(patients.anchors, 1))
    assert sum(shares) > 300
