"""The carrier fails in every way it can, over HTTP: no text leaves twice, and none is forgotten."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

import scheduler
from scheduler import ledger
from scheduler.carriers.twilio import Twilio
from tests.scheduler import twilio_double as double_of
from tests.scheduler.house import DUE, EARLY, MINUTE, Patients, Pen
from tests.scheduler.twilio_double import ACCOUNT, AUTH_TOKEN, Double


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with double_of.running() as running:
        yield running


def send_for(minutes: int, patients: Patients, double: Double, pen: Pen | None = None) -> list[int]:
    """Tick and reconcile each minute from the due moment; returns the minutes at which something was asked for."""
    asked_at, now = [], [DUE]
    pen = pen or Pen(patients)
    twilio = Twilio(
        ACCOUNT,
        AUTH_TOKEN,
        sender="epro",
        status_callback="https://epro.example/webhooks/twilio/receipt",
        clock=lambda: now[0],
        base_url=double.url,
        timeout_seconds=0.5,
    )
    for minute in range(minutes):
        now[0] = double.now = DUE + minute * MINUTE
        before = len(double.asked)
        scheduler.reconcile(patients.engine, now[0], pen, twilio)
        scheduler.tick(patients.engine, now[0], pen, twilio)
        asked_at += [minute] * (len(double.asked) - before)
    return asked_at


@pytest.mark.parametrize("listed_after", [1, 30], ids=["listed after 1 s", "listed after 30 s"])
@pytest.mark.parametrize(
    "fault",
    [
        double_of.accepts_and_resets,
        double_of.accepts_slowly,
        double_of.accepts_by_half,
        double_of.accepts_with_a_page,
    ],
    ids=["reset", "timeout", "half an answer", "a page"],
)
def test_a_text_that_was_taken_is_found_and_not_sent_again(
    patients: Patients, double: Double, fault: Any, listed_after: int
) -> None:
    patients.enrol("A", EARLY)
    double.listed_after = timedelta(seconds=listed_after)
    double.faults.append(fault)

    send_for(20, patients, double)

    assert len(double.taken) == 1
    assert patients.states("A")["invite/1"] == "accepted"


@pytest.mark.parametrize(
    "fault",
    [double_of.resets, double_of.says(500), double_of.says(502), double_of.says(504)],
    ids=["reset", "500", "502", "504"],
)
def test_a_text_that_was_not_taken_is_sent_again_once_that_is_certain(
    patients: Patients, double: Double, fault: Any
) -> None:
    """Not listed two minutes after, nor five minutes after that."""
    patients.enrol("A", EARLY)
    double.faults.append(fault)

    assert send_for(20, patients, double) == [0, 7]
    assert len(double.taken) == 1


def test_a_busy_carrier_is_asked_ever_less_often_and_never_sooner_than_it_says(
    patients: Patients, double: Double
) -> None:
    patients.enrol("A", EARLY)
    double.faults += [double_of.says(429, 20429, Retry_After="120")] * 5

    asked_at = send_for(90, patients, double)

    waits = [later - sooner for sooner, later in pairwise(asked_at)]
    assert waits[0] >= 2
    assert waits == sorted(waits)
    assert waits[-1] >= 16
    assert len(double.taken) == 1


def test_no_such_mobile_is_on_the_list_of_what_needs_a_person(patients: Patients, double: Double) -> None:
    patients.enrol("A", EARLY)
    double.faults.append(double_of.says(400, 21211))

    assert send_for(60, patients, double) == [0]
    with patients.engine.begin() as connection:
        assert ledger.health(connection, DUE).counts["refused"] == 1


def test_an_opt_out_at_the_carrier_ends_every_later_text(patients: Patients, double: Double) -> None:
    patients.enrol("A", EARLY)
    double.faults.append(double_of.says(400, 21610))

    assert send_for(60, patients, double) == [0]
    assert patients.states("A") == {"invite/1": "refused", "reminder/1": "cancelled"}
