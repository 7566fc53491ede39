"""What a carrier tells of a text later settles it, in whatever order and however often it is told."""

import pytest
from sqlalchemy import text

import scheduler
from scheduler import ledger
from scheduler.ports import Accepted, Receipt, Unknown
from tests.scheduler.house import DUE, HOUR, MINUTE, Patients, Pen, Wire


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
