"""The real client over HTTP: what each kind of reply means, and how a text is found again."""

import logging
import socket
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from twilio.request_validator import RequestValidator

import scheduler
from scheduler.carriers.twilio import Twilio, receipt_of, verified
from scheduler.ports import Accepted, Balance, CannotTell, Letter, NotFound, Receipt, Refused, Trace, Unknown, link_hash
from tests.scheduler import twilio_double as double_of
from tests.scheduler.house import DUE, PHONE, Patients, Pen, utc
from tests.scheduler.twilio_double import Double

TOKEN, LINK = "0123456789abcdef" * 2, "abcdefghijklmnopqrstuvwxyz"
LETTER = Letter(PHONE, f"Hej! Öppna https://epro.example/p/{LINK} Frågor? Ring 070-174 06 95", DUE + timedelta(hours=2))
TRACE = Trace(PHONE, link_hash(LINK))
CALLBACK = "https://epro.example/webhooks/twilio/receipt"


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with double_of.running() as running:
        yield running


def carrier(url: str, **changes: Any) -> Twilio:
    usual: dict[str, Any] = {
        "sender": "epro",
        "status_callback": CALLBACK,
        "clock": lambda: DUE,
        "timeout_seconds": 0.5,
    }
    return Twilio("AC" + "0" * 32, "secret", base_url=url, **{**usual, **changes})


def test_a_text_is_handed_over_with_its_token_and_its_bounds(double: Double) -> None:
    outcome = carrier(double.url).send(LETTER, TOKEN)

    asked = double.asked[0]
    assert outcome == Accepted(double.taken[0]["sid"])
    assert (asked["To"], asked["From"], asked["Body"]) == (PHONE, "epro", LETTER.body)
    assert asked["ValidityPeriod"] == "7200"
    assert parse_qs(urlsplit(asked["StatusCallback"]).query) == {"attempt": [TOKEN]}


def test_a_text_is_never_valid_for_more_than_four_hours(double: Double) -> None:
    carrier(double.url).send(Letter(PHONE, "x", DUE + timedelta(days=14)), TOKEN)

    assert double.asked[0]["ValidityPeriod"] == "14400"


def test_a_text_whose_time_is_over_is_not_handed_over(double: Double) -> None:
    assert carrier(double.url).send(Letter(PHONE, "x", DUE), TOKEN) == Refused(None, "later")
    assert double.asked == []


def test_a_messaging_service_may_be_the_sender(double: Double) -> None:
    carrier(double.url, sender=None, messaging_service_sid="MG" + "1" * 32).send(LETTER, TOKEN)

    assert double.asked[0]["MessagingServiceSid"] == "MG" + "1" * 32
    assert "From" not in double.asked[0]


def test_a_region_changes_the_host() -> None:
    client = carrier("", region="ie1", edge="dublin").client

    assert client.get_hostname("https://api.twilio.com") == "https://api.dublin.ie1.twilio.com"


@pytest.mark.parametrize(
    ("status", "code", "then"),
    [
        (400, 21211, "never"),
        (400, 21614, "never"),
        (400, 21610, "never"),
        (401, 20003, "stop_sender"),
        (400, 21606, "stop_sender"),
        (403, None, "stop_sender"),
        (400, 99999, "ask_person"),
        (503, None, "later"),
    ],
)
def test_a_refusal_is_sure_and_says_what_follows(double: Double, status: int, code: int | None, then: str) -> None:
    double.faults.append(double_of.says(status, code))

    outcome = carrier(double.url).send(LETTER, TOKEN)

    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.then) == (code or status, then)
    assert len(double.asked) == 1  # and is not tried again by the client


def test_a_busy_carrier_is_given_the_time_it_asks_for(double: Double) -> None:
    double.faults.append(double_of.says(429, 20429, Retry_After="90"))

    assert carrier(double.url).send(LETTER, TOKEN) == Refused(20429, "later", timedelta(seconds=90))


def test_a_full_queue_waits_half_an_hour(double: Double) -> None:
    double.faults.append(double_of.says(400, 21611))

    assert carrier(double.url).send(LETTER, TOKEN) == Refused(21611, "later", timedelta(minutes=30))


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_server_error_is_unknown(double: Double, status: int) -> None:
    double.faults.append(double_of.says(status))

    assert isinstance(carrier(double.url).send(LETTER, TOKEN), Unknown)


@pytest.mark.parametrize(
    "fault",
    [
        double_of.accepts_slowly,
        double_of.accepts_and_resets,
        double_of.accepts_by_half,
        double_of.accepts_with_a_page,
    ],
)
def test_a_lost_reply_is_unknown_and_the_text_is_found_by_its_link(double: Double, fault: Any) -> None:
    double.faults.append(fault)
    twilio = carrier(double.url)

    assert isinstance(twilio.send(LETTER, TOKEN), Unknown)
    assert twilio.find(TRACE, TOKEN, DUE) == Accepted(double.taken[0]["sid"])


def test_a_refused_connection_is_surely_not_accepted() -> None:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody_listens.getsockname()[1]}"

        assert carrier(url).send(LETTER, TOKEN) == Refused(None, "later")
        assert carrier(url).find(TRACE, TOKEN, DUE) == CannotTell(for_now=True)


def test_a_name_that_cannot_be_resolved_is_surely_not_accepted() -> None:
    assert carrier("http://twilio.invalid").send(LETTER, TOKEN) == Refused(None, "later")


def test_another_text_to_the_same_number_is_not_taken_for_it(double: Double) -> None:
    twilio = carrier(double.url)
    twilio.send(Letter(PHONE, "Hej! https://epro.example/p/another", LETTER.valid_until), TOKEN)

    assert twilio.find(TRACE, TOKEN, DUE) == NotFound()


def test_an_earlier_text_with_the_same_link_is_not_taken_for_it(double: Double) -> None:
    twilio = carrier(double.url)
    twilio.send(LETTER, TOKEN)

    assert twilio.find(TRACE, TOKEN, DUE + timedelta(hours=1)) == NotFound()


def test_bodies_that_were_discarded_cannot_be_told_apart(double: Double) -> None:
    twilio = carrier(double.url)
    twilio.send(LETTER, TOKEN)
    double.taken[0]["body"] = ""

    assert twilio.find(TRACE, TOKEN, DUE) == CannotTell()


def test_no_address_and_no_body_is_logged(double: Double, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    twilio = carrier(double.url)
    twilio.send(LETTER, TOKEN)
    twilio.find(TRACE, TOKEN, DUE)

    assert PHONE[1:] not in caplog.text
    assert LINK not in caplog.text


def test_a_letter_shows_nothing_of_itself() -> None:
    assert repr(LETTER) == "Letter()"
    assert PHONE not in repr(TRACE)


def test_a_text_whose_reply_was_lost_reaches_the_phone_once(patients: Patients, double: Double) -> None:
    """The whole way: ledger, real client, a reply lost on the way, and a look at the list."""
    patients.enrol("A", utc("2027-03-01 12:00"))
    twilio, pen = carrier(double.url), Pen(patients)
    double.faults.append(double_of.accepts_and_resets)

    scheduler.tick(patients.engine, DUE, pen, twilio)
    assert patients.states("A")["invite/1"] == "unknown"
    for minutes in (2, 7, 12):
        scheduler.reconcile(patients.engine, DUE + timedelta(minutes=minutes), pen, twilio)
        scheduler.tick(patients.engine, DUE + timedelta(minutes=minutes), pen, twilio)

    assert patients.states("A")["invite/1"] == "accepted"
    assert len(double.taken) == 1


# ---- webhooks ----

FORM = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": PHONE, "Body": "å & + =", "ErrorCode": ""}


@pytest.mark.parametrize("algorithm", [None, "HMAC_SHA1", "HMAC_SHA256"])
def test_a_signature_is_checked_by_the_algorithm_it_names(algorithm: str | None) -> None:
    url = f"{CALLBACK}?attempt={TOKEN}"
    signature = RequestValidator("secret").compute_signature(url, FORM, algorithm)
    header = f"key=1,algorithm={algorithm}" if algorithm else None

    assert verified("secret", url, FORM, signature, header)
    assert not verified("other", url, FORM, signature, header)
    assert not verified("secret", url, {**FORM, "MessageStatus": "failed"}, signature, header)
    assert not verified("secret", url.replace("https", "http"), FORM, signature, header)
    assert not verified("secret", url.replace(TOKEN, TOKEN[::-1]), FORM, signature, header)


@pytest.mark.parametrize("signature", [None, "", "x"])
def test_a_missing_signature_is_no_signature(signature: str | None) -> None:
    assert not verified("secret", CALLBACK, FORM, signature)


def test_an_unknown_algorithm_verifies_nothing() -> None:
    signature = RequestValidator("secret").compute_signature(CALLBACK, FORM)

    assert not verified("secret", CALLBACK, FORM, signature, "key=1,algorithm=HMAC_MD5")


@pytest.mark.parametrize(
    ("said", "status"),
    [("queued", "accepted"), ("sent", "accepted"), ("delivered", "delivered"), ("failed", "undelivered")],
)
def test_a_receipt_is_read_from_its_named_fields(said: str, status: str) -> None:
    form = {"MessageSid": "SM1", "MessageStatus": said, "ErrorCode": "30003", "To": PHONE, "Surprise": "1"}

    assert receipt_of(form, TOKEN) == Receipt(TOKEN, "SM1", status, 30003)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", [{}, {"MessageStatus": "received"}, {"MessageStatus": "flying"}])
def test_what_is_no_receipt_is_none(form: dict[str, str]) -> None:
    assert receipt_of(form, TOKEN) is None


def test_what_is_left_on_the_account_is_told_when_twilio_tells_it(double: Double) -> None:
    assert carrier(double.url).balance() == Balance("12.34", "USD")

    double.faults.append(double_of.says(403, 20003))
    assert carrier(double.url).balance() is None
    double.left = ""
    assert carrier(double.url).balance() is None
