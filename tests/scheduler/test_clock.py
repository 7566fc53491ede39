"""A clock beats on, whatever fails, and says so without secrets."""

import logging
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, select

from scheduler import ledger
from scheduler.clock import Pulse
from scheduler.ports import Refused
from scheduler.tables import heartbeat
from tests.scheduler.house import DUE, PHONE, Patients, Pen, Wire, utc

EARLY = utc("2027-03-01 12:00")


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
    pulse = Pulse(patients.engine, lambda: now[0], Pen(patients), wire)

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
