"""A test text goes the way of every text, and its receipt is waited for."""

from dataclasses import replace

import pytest

from epro.doctor import examine, send_test_text
from epro.settings import Settings
from epro.store.contacts import NotAMobile
from tests.epro.conftest import NOW
from tests.scheduler import mail_double
from tests.scheduler import twilio_double as double_of
from tests.scheduler.twilio_double import ACCOUNT, AUTH_TOKEN

HERS = "070-174 06 05"


@pytest.fixture
def double(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with double_of.running() as running:
        yield running


@pytest.fixture
def twilio(house, double):
    """The house, texting by the double."""
    by_twilio = {
        "carrier": "twilio",
        "twilio_account_sid": ACCOUNT,
        "twilio_auth_token": AUTH_TOKEN,
        "twilio_sender": "epro",
        "twilio_base_url": double.url,
        "public_url": "https://forms.example.org",
    }
    return replace(house, settings=Settings(**{**house.settings.model_dump(), **by_twilio}))


@pytest.mark.parametrize(
    ("status", "code", "found", "well"),
    [("delivered", None, "delivered", True), ("undelivered", 30003, "did not arrive, code 30003", False)],
)
def test_a_test_text_is_followed_until_its_end(twilio, double, status, code, found, well):
    line = send_test_text(twilio, HERS, lambda _: double.report(double.taken[0]["sid"], status, code))

    assert (line.found, line.is_well) == (found, well)
    assert [text["to"] for text in double.taken] == ["+46701740605"]


def test_a_refused_test_text_says_its_code(twilio, double):
    double.faults.append(double_of.says(400, 21606))

    assert send_test_text(twilio, HERS, lambda _: None).found == "refused, code 21606"


def test_a_test_text_without_a_receipt_is_not_well(twilio):
    assert not send_test_text(twilio, HERS, lambda _: None).is_well


def test_a_test_text_goes_to_mobiles_alone(twilio, double):
    with pytest.raises(NotAMobile):
        send_test_text(twilio, "08-123", lambda _: None)
    assert double.taken == []


def test_a_carrier_that_does_not_let_us_in_is_told(twilio, double):
    lines = {line.what: line for line in examine(twilio.settings, NOW)}
    assert lines["carrier"].found == "Twilio lets us in"

    wrong = twilio.settings.model_copy(update={"twilio_account_sid": "AC" + "1" * 32})
    lines = {line.what: line for line in examine(wrong, NOW)}
    assert "EPRO_TWILIO_ACCOUNT_SID" in lines["carrier"].cure


def test_an_address_that_no_carrier_can_reach_is_told(twilio):
    settings = twilio.settings.model_copy(update={"public_url": "http://127.0.0.1:8000"})
    lines = {line.what: line for line in examine(settings, NOW)}

    assert "EPRO_PUBLIC_URL" in lines["public address"].cure


@pytest.mark.parametrize(
    ("settings", "found", "well"),
    [
        ({}, "none, and the trial sends mails", False),
        ({"smtp_host": "127.0.0.1", "smtp_sender": "till@epro.example"}, "lets us in", True),
    ],
)
def test_the_mail_server_is_looked_at_when_the_trial_sends_mails(twilio, settings, found, well):
    with mail_double.running() as server:
        mails = {"smtp_port": server.port, "smtp_security": "none", **settings}
        lines = {line.what: line for line in examine(twilio.settings.model_copy(update=mails), NOW)}

    assert (lines["mail server"].found, lines["mail server"].is_well) == (found, well)
    assert server.taken == []


def test_a_mail_server_that_is_away_is_told_with_its_settings(twilio):
    away = {"smtp_host": "127.0.0.1", "smtp_port": mail_double.a_free_port(), "smtp_sender": "till@epro.example"}
    lines = {line.what: line for line in examine(twilio.settings.model_copy(update=away), NOW)}

    assert "EPRO_SMTP_HOST" in lines["mail server"].cure


def test_where_texts_are_files_mails_are_too(house):
    lines = {line.what: line for line in examine(house.settings, NOW)}

    assert lines["mail server"].found == "none; mails are written to files beside the texts"
