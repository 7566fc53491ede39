"""The test text: sent at the desk, opened by the patient beside the nurse, with its receipt on her page."""

import re
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from epro.acts import first_texts, patients, reaching
from epro.acts.receipts import take
from epro.opening import OUTBOX
from epro.refusals import Refusal
from epro.store.database import reading, writing
from epro.store.models import FirstText
from scheduler.ports import Accepted, Receipt, Refused, Unknown
from scheduler.tables import message
from tests.epro.conftest import NOW, NURSE
from tests.web.conftest import rows_of
from tests.web.staffing import Staff


@pytest.fixture
def nurse(app, house, desk):
    desk.enrol()
    return Staff(app, house)


def texts(house):
    return sorted((house.settings.home / OUTBOX).glob("*.txt"))


def link_in(house):
    return re.search(r"/t/([a-z2-7]+)", texts(house)[-1].read_text(encoding="utf-8"))[1]


def row(house):
    with reading(house.engine) as connection:
        return connection.execute(select(FirstText.__table__).order_by(FirstText.id.desc())).first()


def begin(house, now=NOW):
    with writing(house.engine) as connection:
        asked = {"address": "https://forms.example.org", "by": NURSE, "now": now}
        return first_texts.begin(connection, house.protocol, house.cipher, "UME-001", **asked)


def receive(house, token, status, code=None, now=NOW):
    with writing(house.engine) as connection:
        take(connection, house.protocol, Receipt(token, None, status, code), now)


def test_a_nurse_sends_one_and_sees_that_it_went_arrived_and_was_opened(nurse, house, browser):
    assert "Send a test text now" in nurse.open("/desk/patients/UME-001").words

    nurse.record("first-text")
    receive(house, row(house).token, "delivered")
    shown = browser.open(f"/t/{link_in(house)}")
    assert "Detta är ett prov-sms" in shown.heading
    browser.press(shown)

    page = nurse.open("/desk/patients/UME-001").words
    for words in ("delivered", "Opened by the patient", "Send another test text"):
        assert words in page


def test_it_holds_her_code_word_and_a_link_and_leaves_the_ledger_alone(nurse, house):
    before = rows_of(house)[message.name]

    nurse.record("first-text")

    text = texts(house)[-1].read_text(encoding="utf-8")
    assert text.startswith("To: +46701740605")
    assert "Kodord" in text
    assert rows_of(house)[message.name] == before


def test_looking_at_the_link_changes_nothing_and_pressing_counts_once(nurse, house, browser, clock):
    nurse.record("first-text")
    page = browser.open(f"/t/{link_in(house)}")
    assert row(house).opened_at is None

    browser.press(page)
    clock.wait(minutes=3)
    browser.press(page)

    assert row(house).opened_at == NOW


def test_the_link_opens_no_form_and_is_dead_after_a_day(nurse, house, browser, clock):
    nurse.record("first-text")
    token = link_in(house)

    assert browser.open(f"/p/{token}").status in (404, 410)
    clock.wait(hours=25)
    assert browser.open(f"/t/{token}").status == browser.open("/t/abcdefghijklmnopqrstuvwxyz").status


def test_a_second_click_within_a_minute_sends_nothing(nurse, house, clock):
    nurse.record("first-text")
    nurse.record("first-text")
    assert len(texts(house)) == 1

    clock.wait(minutes=2)
    nurse.record("first-text")
    assert len(texts(house)) == 2


@pytest.mark.requirement("abuse-4")
@pytest.mark.parametrize(
    "end",
    [
        lambda desk: desk.act(patients.record_death, "UME-001", on=date(2027, 3, 1)),
        lambda desk: desk.act(patients.withdraw, "UME-001", on=date(2027, 3, 1), reason="own wish"),
        lambda desk: desk.act(reaching.opt, "UME-001", out=True),
        lambda desk: desk.act(reaching.allow_texts, "UME-001", allowed=False),
    ],
)
def test_none_goes_to_who_died_withdrew_or_does_not_want_one(desk, house, end):
    desk.enrol()
    end(desk)

    with pytest.raises(Refusal, match="No text may go"):
        begin(house)


def test_none_goes_at_night_and_at_most_three_a_day(desk, house):
    desk.enrol()
    with pytest.raises(Refusal, match="too late or too early"):
        begin(house, NOW + timedelta(hours=9))
    for n in range(3):
        assert begin(house, NOW + timedelta(minutes=2 * n))

    with pytest.raises(Refusal, match="3 test texts went today"):
        begin(house, NOW + timedelta(minutes=10))


@pytest.mark.parametrize(
    ("outcome", "state"), [(Accepted("SM1"), "accepted"), (Refused(21211, "never"), "refused"), (Unknown(), "unknown")]
)
def test_what_the_carrier_said_is_kept_and_what_is_not_known_stays_so(desk, house, outcome, state):
    desk.enrol()
    token, _ = begin(house)
    with writing(house.engine) as connection:
        first_texts.settle(connection, token, outcome, by=NURSE, now=NOW)

    assert row(house).state == state


def test_a_receipt_moves_it_forward_and_never_back(desk, house):
    desk.enrol()
    token, _ = begin(house)
    for status in ("delivered", "accepted", "undelivered"):
        receive(house, token, status)

    with writing(house.engine) as connection:
        first_texts.settle(connection, token, Accepted("SM1"), by=NURSE, now=NOW)
    assert row(house).state == "delivered"


def test_a_number_that_does_not_exist_is_known_at_once(nurse, house, clock):
    nurse.record("first-text")

    receive(house, row(house).token, "undelivered", 21211)

    clock.wait(minutes=2)
    page = nurse.open("/desk/patients/UME-001").words
    assert "did not arrive: the number does not exist" in page
    assert "No text may go" in nurse.record("first-text").text
