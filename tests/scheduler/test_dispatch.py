"""A text leaves once, although any step of the way may fail."""

from datetime import date, timedelta

import pytest

import scheduler
from scheduler import ledger
from scheduler.claiming import claim_due
from scheduler.messages import Status
from scheduler.ports import Accepted, Refused, Unknown
from scheduler.reconciling import Reconciled
from tests.scheduler.house import (
    DAY,
    DUE,
    EARLY,
    HOUR,
    MINUTE,
    Patients,
    Pen,
    Wire,
    ladder,
    schedule,
    step,
    utc,
)


def test_nothing_leaves_before_it_is_due(patients: Patients, pen: Pen) -> None:
    wire = Wire()

    assert scheduler.tick(patients.engine, DUE - timedelta(microseconds=1), pen, wire).claimed == 0
    assert scheduler.tick(patients.engine, DUE, pen, wire).accepted == 1
    assert scheduler.tick(patients.engine, DUE + MINUTE, pen, wire).claimed == 0
    assert patients.events("A") == ["planned", "claimed", "accepted"]


def test_after_a_night_of_downtime_texts_wait_for_the_morning(patients: Patients, pen: Pen) -> None:
    """Calendar oracle, S31: back at 23:15, it goes out at 08:00."""
    back = utc("2027-04-01 21:15")

    assert scheduler.tick(patients.engine, back, pen, Wire()).claimed == 0
    with patients.engine.begin() as connection:
        assert ledger.next_due(connection) == utc("2027-04-02 06:00")
    assert scheduler.tick(patients.engine, utc("2027-04-02 06:00"), pen, Wire()).accepted == 1


def test_what_is_too_late_expires(patients: Patients, pen: Pen) -> None:
    done = scheduler.tick(patients.engine, DUE + timedelta(hours=48, seconds=1), pen, Wire())

    assert (done.expired, done.claimed) == (1, 0)
    assert patients.states("A") == {"invite/1": "expired", "reminder/1": "planned"}


def test_only_the_latest_due_step_goes_out(patients: Patients) -> None:
    """Calendar oracle, S33."""
    patients.schedule = schedule(ladder=ladder(step("invite", 0), step("reminder", 3), max_lateness_hours=120))
    patients.enrol("A", EARLY)

    done = scheduler.tick(patients.engine, DUE + 3 * DAY + HOUR, Pen(patients), Wire())

    assert (done.accepted, done.superseded) == (1, 1)
    assert patients.states("A") == {"invite/1": "superseded", "reminder/1": "accepted"}


def test_death_reported_between_claim_and_hand_over_stops_the_text(patients: Patients, pen: Pen) -> None:
    class Slow(Pen):
        """The report comes while the letters are being written."""

        def write(self, messages, now):  # type: ignore[no-untyped-def]
            letters = super().write(messages, now)
            patients.status["A"] = Status(ended_on=date(2027, 3, 30), ended_reported_at=now)
            patients.replan(now, "A")
            return letters

    wire = Wire()
    done = scheduler.tick(patients.engine, DUE, Slow(patients), wire)

    assert (done.claimed, done.withheld, wire.took) == (1, 1, [])
    assert patients.states("A") == {"invite/1": "withheld", "reminder/1": "cancelled"}
    with patients.engine.begin() as connection:
        assert ledger.history(connection, "A") == []


def test_a_text_stopped_in_flight_is_recorded_as_having_left(patients: Patients, pen: Pen) -> None:
    def stop_then_accept() -> Accepted:
        patients.status["A"] = Status(channels=frozenset())
        patients.replan(DUE, "A")
        return Accepted("SM1")

    done = scheduler.tick(patients.engine, DUE, pen, Wire([stop_then_accept]))

    assert done.accepted == 1
    assert patients.states("A") == {"invite/1": "accepted", "reminder/1": "cancelled"}
    assert patients.events("A") == ["planned", "claimed", "withheld", "accepted"]


def test_the_writer_has_the_last_word(patients: Patients, pen: Pen) -> None:
    patients.status["A"] = Status(completed=frozenset({"M1"}))  # answered, and not planned again yet

    done = scheduler.tick(patients.engine, DUE, pen, Wire())

    assert (done.withheld, done.accepted) == (1, 0)
    assert patients.events("A") == ["planned", "claimed", "withheld"]


@pytest.mark.parametrize("code", [21211, 30004], ids=["wrong number", "look at the text"])
def test_a_refusal_for_good_is_final(patients: Patients, pen: Pen, code: int) -> None:
    done = scheduler.tick(patients.engine, DUE, pen, Wire([Refused(code, "never")]))

    assert done.refused == 1
    assert patients.states("A")["invite/1"] == "refused"
    assert not patients.replan(DUE + MINUTE, "A")
    with patients.engine.begin() as connection:
        assert [text.code for text in ledger.rows(connection, "A")] == [code, None]
        assert ledger.health(connection, DUE).counts["refused"] == 1


def test_a_reply_of_stop_at_the_carrier_ends_every_later_text(patients: Patients, pen: Pen) -> None:
    scheduler.tick(patients.engine, DUE, pen, Wire([Refused(21610, "never")]))

    assert patients.states("A") == {"invite/1": "refused", "reminder/1": "cancelled"}


def test_a_busy_carrier_is_tried_again_after_the_wait_it_asks_for(patients: Patients, pen: Pen) -> None:
    wire = Wire([Refused(429, "later", 10 * MINUTE)])

    scheduler.tick(patients.engine, DUE, pen, wire)
    with patients.engine.begin() as connection:
        again_at = ledger.next_due(connection)
    assert again_at is not None
    assert 10 * MINUTE <= again_at - DUE < 11 * MINUTE
    assert scheduler.tick(patients.engine, again_at, pen, wire).accepted == 1
    assert patients.events("A") == ["planned", "claimed", "planned_again", "claimed", "accepted"]


def test_a_carrier_without_room_is_tried_three_times(patients: Patients, pen: Pen) -> None:
    wire = Wire([Refused(21611, "later", 30 * MINUTE)] * 5)

    for hour in range(5):
        scheduler.tick(patients.engine, DUE + hour * HOUR, pen, wire)

    assert len(wire.script) == 2
    assert patients.states("A")["invite/1"] == "refused"


def test_a_wrong_configuration_stops_the_batch_and_loses_nothing(patients: Patients, pen: Pen) -> None:
    patients.enrol("B", EARLY)
    patients.enrol("C", EARLY)
    wire = Wire([Refused(20003, "stop_sender")])

    done = scheduler.tick(patients.engine, DUE, pen, wire)
    assert (done.claimed, done.put_back, done.stopped) == (3, 3, 20003)

    assert scheduler.tick(patients.engine, DUE + 2 * MINUTE, pen, wire).accepted == 3


def test_an_unknown_outcome_is_never_sent_again_blind(patients: Patients, pen: Pen) -> None:
    wire = Wire([Unknown()])

    scheduler.tick(patients.engine, DUE, pen, wire)
    for minutes in range(1, 30):
        now = DUE + minutes * MINUTE
        scheduler.tick(patients.engine, now, pen, wire)
        scheduler.reconcile(patients.engine, now, pen, wire)

    assert len(wire.took) == 1
    assert patients.states("A")["invite/1"] == "accepted"
    assert patients.events("A") == ["planned", "claimed", "unknown", "accepted"]


def test_what_the_carrier_does_not_list_twice_minutes_apart_is_sent_again(patients: Patients, pen: Pen) -> None:
    wire = Wire([Unknown()])
    scheduler.tick(patients.engine, DUE, pen, wire)
    wire.took.clear()  # the reply was lost, and so was the request

    states = []
    for minutes in (1, 2, 4, 6, 7):
        scheduler.reconcile(patients.engine, DUE + minutes * MINUTE, pen, wire)
        states.append(patients.states("A")["invite/1"])

    assert states == ["unknown", "unknown", "unknown", "unknown", "planned"]
    assert scheduler.tick(patients.engine, DUE + 8 * MINUTE, pen, wire).accepted == 1


def test_a_carrier_that_cannot_tell_leaves_it_to_a_person(patients: Patients, pen: Pen) -> None:
    wire = Wire([Unknown()], lists=False)

    scheduler.tick(patients.engine, DUE, pen, wire)
    scheduler.reconcile(patients.engine, DUE + HOUR, pen, wire)

    assert patients.states("A")["invite/1"] == "given_up"
    assert not patients.replan(DUE + HOUR, "A")
    with patients.engine.begin() as connection:
        assert [sent.key for sent in ledger.history(connection, "A")] == ["A/M1/invite/sms/1"]


def test_a_carrier_with_a_fault_leaves_its_text_unknown_and_the_rest_put_back(patients: Patients, pen: Pen) -> None:
    patients.enrol("B", EARLY)

    with pytest.raises(ZeroDivisionError):
        scheduler.tick(patients.engine, DUE, pen, Wire([ZeroDivisionError()]))

    assert (patients.states("A")["invite/1"], patients.states("B")["invite/1"]) == ("unknown", "planned")


def test_a_writer_with_a_fault_loses_no_text(patients: Patients, pen: Pen) -> None:
    class Broken(Pen):
        def write(self, messages, now):  # type: ignore[no-untyped-def]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        scheduler.tick(patients.engine, DUE, Broken(patients), Wire())

    assert patients.states("A")["invite/1"] == "planned"
    assert scheduler.tick(patients.engine, DUE + 2 * MINUTE, pen, Wire()).accepted == 1


def test_a_claim_without_a_letter_is_planned_again_when_its_lease_runs_out(patients: Patients, pen: Pen) -> None:
    with patients.engine.begin() as connection:  # a process that dies puts nothing back
        claim_due(connection, DUE, owner="dead", limit=10)

    scheduler.reconcile(patients.engine, DUE + MINUTE, pen, Wire())
    assert patients.states("A")["invite/1"] == "claimed"
    scheduler.reconcile(patients.engine, DUE + 2 * MINUTE, pen, Wire())
    assert patients.states("A")["invite/1"] == "planned"


def test_who_is_told_to_stop_puts_back_what_it_holds(patients: Patients, pen: Pen) -> None:
    patients.enrol("B", EARLY)
    wire = Wire()

    done = scheduler.tick(patients.engine, DUE, pen, wire, stopping=lambda: len(wire.took) == 1)

    assert (done.accepted, done.put_back) == (1, 1)
    assert scheduler.tick(patients.engine, DUE + 2 * MINUTE, pen, wire).accepted == 1


def test_no_receipt_for_three_days_is_delivery_unknown(patients: Patients, pen: Pen) -> None:
    scheduler.tick(patients.engine, DUE, pen, Wire())

    scheduler.reconcile(patients.engine, DUE + timedelta(hours=71), pen, Wire())
    assert patients.states("A")["invite/1"] == "accepted"
    scheduler.reconcile(patients.engine, DUE + timedelta(hours=72), pen, Wire())
    assert patients.states("A")["invite/1"] == "delivery_unknown"


def test_the_carrier_is_not_asked_about_a_text_it_accepted(patients: Patients, pen: Pen) -> None:
    class Asked(Wire):
        def find(self, trace, token, since):  # type: ignore[no-untyped-def]
            raise AssertionError("its reply had settled that")

    wire = Asked()
    scheduler.tick(patients.engine, DUE, pen, wire)

    assert scheduler.reconcile(patients.engine, DUE + HOUR, pen, wire) == Reconciled()
