"""A text is looked after when it has left: its lost receipt is asked for, its words are forgotten."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine

import scheduler
from scheduler import ledger
from scheduler.aftercare import note_balance, poll, redact
from scheduler.carriers.twilio import Twilio
from scheduler.ports import Balance
from tests.scheduler import twilio_double as double_of
from tests.scheduler.house import DUE, EARLY, HOUR, MINUTE, Patients, Pen
from tests.scheduler.twilio_double import ACCOUNT, AUTH_TOKEN, Double


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with double_of.running() as running:
        yield running


@pytest.fixture
def twilio(double: Double, patients: Patients) -> Twilio:
    """It has taken one text."""
    patients.enrol("A", EARLY)
    callback = "https://epro.example/webhooks/twilio/receipt"
    carrier = Twilio(
        ACCOUNT, AUTH_TOKEN, sender="epro", status_callback=callback, clock=lambda: DUE, base_url=double.url
    )
    scheduler.tick(patients.engine, DUE, Pen(patients), carrier)
    return carrier


@pytest.mark.parametrize(("status", "code"), [("delivered", None), ("undelivered", 30005)])
def test_a_receipt_that_was_lost_is_asked_for_after_an_hour(
    patients: Patients, double: Double, twilio: Twilio, status: str, code: int | None
) -> None:
    double.report(double.taken[0]["sid"], status, code)

    assert poll(patients.engine, DUE + 59 * MINUTE, twilio) == 0
    assert poll(patients.engine, DUE + HOUR, twilio) == 1

    assert patients.states("A")["invite/1"] == status
    assert poll(patients.engine, DUE + 2 * HOUR, twilio) == 0


def test_a_text_that_is_still_on_its_way_stays_accepted(patients: Patients, double: Double, twilio: Twilio) -> None:
    double.report(double.taken[0]["sid"], "sent")

    assert poll(patients.engine, DUE + HOUR, twilio) == 0
    assert patients.states("A")["invite/1"] == "accepted"


def test_a_carrier_that_does_not_answer_is_asked_another_time(
    patients: Patients, double: Double, twilio: Twilio
) -> None:
    double.report(double.taken[0]["sid"], "delivered")
    double.faults.append(double_of.says(500))

    assert poll(patients.engine, DUE + HOUR, twilio) == 0
    assert poll(patients.engine, DUE + 2 * HOUR, twilio) == 1


def test_words_are_forgotten_once_they_have_arrived(patients: Patients, double: Double, twilio: Twilio) -> None:
    assert redact(patients.engine, DUE + HOUR, twilio) == 0
    assert double.taken[0]["body"]

    double.report(double.taken[0]["sid"], "delivered")
    poll(patients.engine, DUE + HOUR, twilio)

    assert redact(patients.engine, DUE + HOUR, twilio) == 1
    assert double.taken[0]["body"] == ""
    assert redact(patients.engine, DUE + 2 * HOUR, twilio) == 0


def test_what_is_left_on_the_account_is_kept_and_a_carrier_that_does_not_say_changes_nothing(engine: Engine) -> None:
    left: list[Balance | None] = [Balance("12.34", "USD"), Balance("9.10", "USD"), None]

    class Telling:
        def balance(self) -> Balance | None:
            return left.pop(0)

    for hours in range(3):
        note_balance(engine, DUE + timedelta(hours=hours), Telling())

    with engine.begin() as connection:
        known = ledger.health(connection, DUE).left
    assert known == ledger.Left(DUE + timedelta(hours=1), "9.10", "USD")
