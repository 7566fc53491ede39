"""Several hands send at once, and each text leaves once."""

import pytest
from sqlalchemy import text

import scheduler
from scheduler.ports import Accepted
from tests.scheduler.house import DUE, EARLY, MINUTE, RANDOMISED, Patients, Pen, Wire


def all_due_at_once(patients: Patients, count: int) -> None:
    if patients.engine.dialect.name != "postgresql":
        pytest.skip("SQLite takes one writer at a time")
    for n in range(count):
        patients.anchors[f"P{n}"] = {"randomisation": RANDOMISED}
    patients.replan(EARLY)


def test_many_hands_send_each_text_once(patients: Patients) -> None:
    all_due_at_once(patients, 60)
    wire = Wire()

    while scheduler.tick(patients.engine, DUE, Pen(patients), wire, hands=8).claimed:
        pass

    assert len(set(wire.took)) == len(wire.took) == 60


def test_each_acceptance_is_committed_by_itself_however_many_hands_are_at_work(patients: Patients) -> None:
    all_due_at_once(patients, 20)

    scheduler.tick(patients.engine, DUE, Pen(patients), Wire(), hands=8)

    transactions = text("SELECT count(DISTINCT xmin::text) FROM message_event WHERE kind = 'accepted'")
    with patients.engine.begin() as connection:
        assert connection.execute(transactions).scalar() == 20


def test_a_fault_in_one_hand_stops_the_others_and_loses_no_text(patients: Patients) -> None:
    all_due_at_once(patients, 40)
    wire = Wire([Accepted("SM")] * 5 + [ZeroDivisionError()])

    with pytest.raises(ZeroDivisionError):
        scheduler.tick(patients.engine, DUE, Pen(patients), wire, hands=4)
    for minute in range(2, 20):
        now = DUE + minute * MINUTE
        scheduler.reconcile(patients.engine, now, Pen(patients), wire)
        scheduler.tick(patients.engine, now, Pen(patients), wire, hands=4)

    states = [patients.states(subject)["invite/1"] for subject in patients.anchors]
    assert states == ["accepted"] * 40
    assert len(set(wire.took)) == len(wire.took)
