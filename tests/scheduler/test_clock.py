"""A clock beats on, whatever fails, and says so without secrets."""

import logging
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select

from scheduler import ledger
from scheduler.alone import AnotherSender, InsideWebServer, only_sender
from scheduler.chores import DAILY, NIGHT, Chore
from scheduler.clock import has_stopped, run
from scheduler.pacing import Pace
from scheduler.ports import Accepted, Refused
from scheduler.pulse import Pulse
from scheduler.tables import heartbeat
from tests.scheduler.house import DUE, EARLY, PHONE, Patients, Pen, Wire, utc

pytestmark = pytest.mark.requirement("trust-11")


def test_a_database_that_is_away_does_not_stop_the_clock(caplog: pytest.LogCaptureFixture) -> None:
    away = create_engine("postgresql+psycopg://epro:s3cret@127.0.0.1:1/epro", hide_parameters=True)
    pulse = Pulse(away, lambda: DUE, Pen(Patients(away)), Wire())

    pulse.beat()
    pulse.beat()

    assert pulse.last_error == "heartbeat failed: the database said OperationalError"
    assert "s3cret" not in caplog.text


def test_a_carrier_with_a_fault_is_told_and_the_clock_goes_on(
    patients: Patients, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    patients.enrol("A", EARLY)
    wire, now = Wire([RuntimeError(f"no route to {PHONE}")]), [DUE]
    elapsed = lambda: (now[0] - DUE).total_seconds()  # noqa: E731
    pulse = Pulse(patients.engine, lambda: now[0], Pen(patients), wire, elapsed=elapsed)

    pulse.beat()
    with patients.engine.begin() as connection:
        assert ledger.health(connection, DUE).last_error == "tick failed: RuntimeError"
    now[0] += timedelta(minutes=2)
    pulse.beat()

    assert PHONE not in caplog.text
    with patients.engine.begin() as connection:
        assert connection.execute(select(heartbeat.c.at, heartbeat.c.last_error)).all() == [(now[0], None)]


def test_a_refused_configuration_is_an_alarm(patients: Patients) -> None:
    patients.enrol("A", EARLY)
    pulse = Pulse(patients.engine, lambda: DUE, Pen(patients), Wire([Refused(20003, "stop_sender")]))

    pulse.beat()

    assert pulse.last_error == "the carrier refuses our configuration: code 20003"


def test_one_beat_sends_more_than_one_batch(patients: Patients) -> None:
    for n in range(120):
        patients.anchors[f"P{n}"] = {"randomisation": EARLY.date()}
    patients.replan(EARLY)
    wire = Wire()

    Pulse(patients.engine, lambda: DUE, Pen(patients), wire).beat()

    assert len(set(wire.took)) == len(wire.took) == 120


def test_texts_leave_at_the_pace_that_was_set(patients: Patients) -> None:
    for n in range(12):
        patients.anchors[f"P{n}"] = {"randomisation": EARLY.date()}
    patients.replan(EARLY)
    at, waited = [0.0], []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        at[0] += seconds

    pace = Pace(5.0, wait=wait, elapsed=lambda: at[0])
    Pulse(patients.engine, lambda: DUE, Pen(patients), Wire(), pace=pace).beat()

    assert sum(waited) == pytest.approx(11 / 5)


def test_a_long_beat_says_between_its_batches_that_it_is_alive(patients: Patients) -> None:
    for n in range(11):
        patients.anchors[f"P{n}"] = {"randomisation": EARLY.date()}
    patients.replan(EARLY)
    now, beats = [DUE], []

    def accept_and_look() -> Accepted:
        with patients.engine.begin() as connection:
            beats.append(ledger.health(connection, now[0]).last_tick_at)
        now[0] += timedelta(seconds=1)
        return Accepted("SM")

    pace = Pace(5.0, wait=lambda _: None)  # ten texts a batch
    elapsed = lambda: (now[0] - DUE).total_seconds()  # noqa: E731
    wire = Wire([accept_and_look] * 11)
    Pulse(patients.engine, lambda: now[0], Pen(patients), wire, pace=pace, elapsed=elapsed).beat()

    assert beats[0] is None
    assert beats[10] == DUE + timedelta(seconds=10)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (timedelta(days=1), "set forward by 1440 minutes"),
        (timedelta(days=-1), "set back by 1440 minutes"),
        (timedelta(hours=-2), "set back by 120 minutes"),
    ],
    ids=str,
)
def test_a_clock_that_was_set_sends_nothing_and_says_so_until_it_is_right_again(
    patients: Patients, step: timedelta, said: str
) -> None:
    """21:30 in Stockholm set back by two hours would be 19:30, and a text would leave at night."""
    patients.enrol("A", EARLY)
    wall, elapsed, wire = [utc("2027-04-01 19:30")], [0.0], Wire()
    pulse = Pulse(patients.engine, lambda: wall[0], Pen(patients), wire, elapsed=lambda: elapsed[0])
    pulse.beat()
    assert wire.took == []  # the quiet hours

    wall[0] += step
    for _ in range(3):
        wall[0] += timedelta(seconds=5)
        elapsed[0] += 5
        pulse.beat()
        assert said in (pulse.last_error or "")
    assert wire.took == []

    wall[0] = utc("2027-04-02 06:00")
    elapsed[0] = (wall[0] - utc("2027-04-01 19:30")).total_seconds()
    pulse.beat()
    pulse.beat()
    assert (pulse.last_error, len(wire.took)) == (None, 1)


def test_a_clock_set_right_by_a_little_goes_on(patients: Patients) -> None:
    patients.enrol("A", EARLY)
    wall, wire = [DUE - timedelta(minutes=2)], Wire()
    pulse = Pulse(patients.engine, lambda: wall[0], Pen(patients), wire, elapsed=lambda: 0.0)
    pulse.beat()

    wall[0] = DUE + timedelta(minutes=2)
    pulse.beat()

    assert (pulse.last_error, len(wire.took)) == (None, 1)


def test_a_beat_that_does_not_come_is_noticed(patients: Patients) -> None:
    pulse = Pulse(patients.engine, lambda: DUE, Pen(patients), Wire(), elapsed=lambda: 100.0)
    pulse.beat()

    assert not has_stopped(pulse, 5.0, elapsed=115.0)
    assert has_stopped(pulse, 5.0, elapsed=115.1)
    pulse.beating = True
    assert not has_stopped(pulse, 5.0, elapsed=1000.0)


def test_a_chore_is_done_once_a_period_and_its_alarm_stays_until_the_next(patients: Patients) -> None:
    done: list[datetime] = []

    def check(now: datetime) -> str | None:
        done.append(now)
        return "2 plans differ" if len(done) == 1 else None

    wall = [utc("2027-04-01 00:10")]
    elapsed = lambda: (wall[0] - EARLY).total_seconds()  # noqa: E731
    chore = Chore("nightly check", DAILY, check, shift=NIGHT)
    pulse = Pulse(patients.engine, lambda: wall[0], Pen(patients), Wire(), chores=[chore], elapsed=elapsed)
    errors = []
    for at in ("01 00:10", "01 01:30", "01 01:31", "01 23:00", "02 01:29", "02 02:00"):
        wall[0] = utc(f"2027-04-{at}")
        pulse.beat()
        errors.append(pulse.last_error)

    assert done == [utc("2027-04-01 01:30"), utc("2027-04-02 02:00")]
    assert errors == [None, *["2 plans differ"] * 4, None]


def test_a_second_sender_on_sqlite_is_refused_in_words(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'epro.db'}")

    second = pytest.raises(AnotherSender, match=r"epro\.db already\. SQLite takes one sender")
    with only_sender(engine), second, only_sender(engine):
        pass
    with only_sender(engine):
        pass


def test_any_number_may_send_on_postgresql() -> None:
    engine = create_engine("postgresql+psycopg://127.0.0.1/epro")

    with only_sender(engine), only_sender(engine):
        pass


def test_a_clock_refuses_to_run_inside_a_web_server(patients: Patients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gunicorn.arbiter", sys)

    with pytest.raises(InsideWebServer, match="a process of its own"):
        run(patients.engine, lambda: DUE, Pen(patients), Wire())
