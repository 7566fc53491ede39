"""A text leaves once, although any step of the way may fail."""

from datetime import date, timedelta

import pytest
from sqlalchemy import text

import scheduler
from scheduler import ledger
from scheduler.claiming import claim_due
from scheduler.messages import Status
from scheduler.ports import Accepted, Receipt, Refused, Unknown
from scheduler.reconciling import Reconciled
from tests.scheduler.house import DUE, RANDOMISED, Patients, Pen, Wire, ladder, schedule, step, utc, visit

EARLY = utc("2027-03-01 12:00")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def pen(patients: Patients) -> Pen:
    patients.enrol("A", EARLY)
    return Pen(patients)


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


def test_two_visits_due_on_one_day_give_one_text(patients: Patients) -> None:
    visits = {"M1": visit(1), "S1": visit(1, anchor="surgery", closes_after=9, instruments=["other"])}
    patients.schedule = schedule(anchors={"randomisation": "R", "surgery": "S"}, visit=visits)
    patients.anchors["A"] = {"randomisation": RANDOMISED, "surgery": RANDOMISED}
    patients.replan(EARLY, "A")
    wire = Wire()

    for minute in range(3):
        scheduler.tick(patients.engine, DUE + minute * MINUTE, Pen(patients), wire)

    with patients.engine.begin() as connection:
        left = [sent.key for sent in ledger.history(connection, "A")]
    assert left == ["A/S1/invite/sms/1"]  # the visit that closes first
    assert len(wire.took) == 1


def test_two_late_texts_of_one_patient_give_one_on_that_day(patients: Patients) -> None:
    """Not planned for one day, but due on one after a day of downtime."""
    visits = {"M1": visit(1), "S1": visit(1, anchor="surgery", instruments=["other"])}
    patients.schedule = schedule(anchors={"randomisation": "R", "surgery": "S"}, visit=visits)
    patients.anchors["A"] = {"randomisation": RANDOMISED, "surgery": RANDOMISED + DAY}
    patients.replan(EARLY, "A")
    wire = Wire()

    for minute in range(3):
        scheduler.tick(patients.engine, DUE + DAY + minute * MINUTE, Pen(patients), wire)

    assert len(wire.took) == 1


def test_a_text_that_left_late_takes_the_day_of_another(patients: Patients) -> None:
    """Known from the ledger itself, before any plan is made again; other patients' texts leave as they should."""
    visits = {"M1": visit(1), "S1": visit(1, anchor="surgery", instruments=["other"])}
    patients.schedule = schedule(anchors={"randomisation": "R", "surgery": "S"}, visit=visits)
    patients.anchors["A"] = {"randomisation": RANDOMISED, "surgery": RANDOMISED + DAY}
    patients.replan(EARLY, "A")
    patients.enrol("B", EARLY, RANDOMISED + DAY)

    assert scheduler.tick(patients.engine, DUE + DAY - HOUR, Pen(patients), Wire()).accepted == 1
    done = scheduler.tick(patients.engine, DUE + DAY, Pen(patients), Wire())

    assert (done.accepted, done.superseded) == (1, 1)


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


# ---- receipts ----


def receive(patients: Patients, token: str, status: str, now=DUE + MINUTE, code: int | None = None) -> str | None:  # type: ignore[no-untyped-def]
    with patients.engine.begin() as connection:
        return scheduler.receive(connection, Receipt(token, "SM1", status, code), now)  # type: ignore[arg-type]


def outcomes(patients: Patients) -> list[str]:
    """What each attempt came to."""
    with patients.engine.begin() as connection:
        return list(connection.execute(text("SELECT outcome FROM attempt ORDER BY id")).scalars())


@pytest.mark.parametrize(
    "told", [["accepted", "delivered"], ["delivered", "accepted"], ["delivered", "delivered", "accepted", "accepted"]]
)
def test_receipts_move_forward_only(patients: Patients, pen: Pen, told: list[str]) -> None:
    wire = Wire()
    scheduler.tick(patients.engine, DUE, pen, wire)

    for status in told:
        assert receive(patients, wire.took[0], status) == "A/M1/invite/sms/1"

    assert patients.events("A")[:2] == ["planned", "claimed"]
    assert patients.events("A")[-1] == "delivered"
    assert outcomes(patients) == ["delivered"]


def test_a_receipt_may_overtake_the_reply(patients: Patients, pen: Pen) -> None:
    wire = Wire()

    def deliver_first() -> Accepted:
        with patients.engine.begin() as connection:
            token = connection.execute(text("SELECT token FROM attempt")).scalar_one()
        receive(patients, token, "delivered", DUE)
        return Accepted("SM1")

    wire.script.append(deliver_first)
    scheduler.tick(patients.engine, DUE, pen, wire)

    assert patients.events("A") == ["planned", "claimed", "delivered"]
    assert outcomes(patients) == ["delivered"]


def test_a_receipt_alone_settles_an_unknown_text(patients: Patients, pen: Pen) -> None:
    wire = Wire([Unknown()])
    scheduler.tick(patients.engine, DUE, pen, wire)

    receive(patients, wire.took[0], "accepted")
    wire.took.clear()
    scheduler.reconcile(patients.engine, DUE + HOUR, pen, wire)

    assert patients.events("A") == ["planned", "claimed", "unknown", "accepted"]


def test_a_late_receipt_stops_the_second_text(patients: Patients, pen: Pen) -> None:
    """The carrier did not list it twice, so it was planned again; then the receipt came after all."""
    wire = Wire([Unknown()])
    scheduler.tick(patients.engine, DUE, pen, wire)
    token = wire.took.pop()
    for minutes in (2, 7):
        scheduler.reconcile(patients.engine, DUE + minutes * MINUTE, pen, wire)
    assert patients.states("A")["invite/1"] == "planned"

    receive(patients, token, "delivered", DUE + 8 * MINUTE)

    assert scheduler.tick(patients.engine, DUE + 9 * MINUTE, pen, wire).claimed == 0
    with patients.engine.begin() as connection:
        assert [sent.at for sent in ledger.history(connection, "A")] == [DUE]


def test_a_phone_that_was_off_is_tried_again_half_an_hour_later(patients: Patients, pen: Pen) -> None:
    wire = Wire()
    scheduler.tick(patients.engine, DUE, pen, wire)

    receive(patients, wire.took[0], "undelivered", code=30003)

    assert scheduler.tick(patients.engine, DUE + 30 * MINUTE, pen, wire).claimed == 0
    assert scheduler.tick(patients.engine, DUE + 32 * MINUTE, pen, wire).accepted == 1
    receive(patients, wire.took[0], "undelivered", DUE + HOUR, code=30003)  # doubled, of the first attempt
    assert patients.states("A")["invite/1"] == "accepted"


def test_a_number_that_does_not_exist_is_not_tried_again(patients: Patients, pen: Pen) -> None:
    wire = Wire()
    scheduler.tick(patients.engine, DUE, pen, wire)

    receive(patients, wire.took[0], "undelivered", code=30005)

    assert patients.states("A")["invite/1"] == "undelivered"


def test_a_receipt_of_someone_else_changes_nothing(patients: Patients, pen: Pen) -> None:
    assert receive(patients, "0" * 32, "delivered") is None
    assert patients.events("A") == ["planned"]


# ---- several hands ----


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


def test_a_text_that_shared_the_day_of_another_does_not_follow_on_the_next(patients: Patients) -> None:
    """Two visits due on one day: planned anew the day after, the second is still no text of its own."""
    visits = {"M1": visit(1), "S1": visit(1, anchor="surgery", closes_after=9, instruments=["other"])}
    patients.schedule = schedule(anchors={"randomisation": "R", "surgery": "S"}, visit=visits)
    patients.anchors["A"] = {"randomisation": RANDOMISED, "surgery": RANDOMISED}
    patients.replan(EARLY, "A")
    wire = Wire()
    scheduler.tick(patients.engine, DUE, Pen(patients), wire)

    for hours in (14, 24, 40):
        assert not patients.replan(DUE + hours * HOUR, "A")
        scheduler.tick(patients.engine, DUE + hours * HOUR, Pen(patients), wire)

    assert len(wire.took) == 1


def test_the_carrier_is_not_asked_about_a_text_it_accepted(patients: Patients, pen: Pen) -> None:
    class Asked(Wire):
        def find(self, trace, token, since):  # type: ignore[no-untyped-def]
            raise AssertionError("its reply had settled that")

    wire = Asked()
    scheduler.tick(patients.engine, DUE, pen, wire)

    assert scheduler.reconcile(patients.engine, DUE + HOUR, pen, wire) == Reconciled()
