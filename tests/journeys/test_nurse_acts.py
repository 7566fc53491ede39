"""The nurse checks of what she does with one patient (7, 8, 10, 11, 12, 20), seen where she would look for it.

Which test holds which of the twenty stands in `test_nurse_checks`.
"""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from benchmarks.wards import NOW
from epro.acts import calls
from epro.store.database import reading
from epro.store.models import Assessment, Audit
from scheduler import ledger
from tests.journeys.browsing import chromium, needs_chromium
from tests.journeys.ward import OWN, TODAY, rows, sign_in

pytestmark = needs_chromium

EMAIL = f"nurse.{OWN.lower()}@example.org"
M3_IS_LATE = TODAY - timedelta(days=100)  # randomised then: due ten days ago, and open until the fifth day from now
NOTED_AT = "2027-03-01 13:00 +01:00"  # noon in Greenwich


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def nurse(ward, browser):
    with ward.staff(browser) as page:
        yield page


def open_patient(nurse, ward, subject):
    nurse.goto(f"{ward.address}/desk/patients/{subject}")


def in_the_grid(ward, browser, visit):
    """expected and randomised, of all at the nurse's site, when that visit is long over"""
    with ward.later(days=200), ward.staff(browser) as page:
        page.goto(f"{ward.address}/desk/completion?visit={visit}")
        cell = page.locator("table.grid tbody td").first.inner_text()
    (_, expected), (_, randomised) = re.findall(r"(\d+)/(\d+)", cell)
    return int(expected), int(randomised)


def test_a_death_recorded_today_takes_later_forms_off_the_expected_and_stops_every_reminder(ward, browser, nurse):
    subject = ward.enrol(f"{OWN}-311", TODAY - timedelta(days=60))
    expected, randomised = in_the_grid(ward, browser, "M6")
    open_patient(nurse, ward, subject)
    expect(nurse.locator("#pending")).not_to_have_text("0 texts are pending.")

    nurse.locator("summary").get_by_text("Death", exact=True).click()
    nurse.get_by_label("Day of death").fill(TODAY.isoformat())
    nurse.get_by_role("button", name="Record the death").click()

    expect(nurse.locator("#pending")).to_have_text("0 texts are pending.")
    assert in_the_grid(ward, browser, "M6") == (expected - 1, randomised)
    with reading(ward.house.engine) as connection:
        assert [text.key for text in ledger.rows(connection, subject) if text.state == "planned"] == []


def test_the_timeline_tells_everything_in_order_of_time_on_stockholms_clock_across_the_change(ward, nurse):
    subject = ward.enrol(f"{OWN}-312", date(2026, 10, 20))  # the clock changed on 25 October
    course = ward.send_what_was_due(subject)
    course.receipt("delivered", NOW - timedelta(days=20))
    course.answer(subject, "M3", datetime(2027, 1, 22, 9, tzinfo=UTC))
    ward.then(date(2027, 1, 21)).act(calls.log_call, subject, outcome="not_reached", note="")
    ward.then(date(2027, 1, 28)).act(calls.give_reason, subject, visit="BL", reason="too_ill")
    open_patient(nurse, ward, subject)

    timeline = nurse.locator("#timeline")
    told = timeline.locator("tbody tr").all_inner_texts()
    moments = timeline.locator("tbody tr time[datetime*=T]").evaluate_all("all => all.map(one => one.dateTime)")

    days = [int(found) for line in told if (found := re.match(r"-?\d+", line)) and (found := found[0])]
    assert days == sorted(days, reverse=True)
    in_order = [datetime.fromisoformat(moment) for moment in moments if moment[:10] > "2026-10-20"]
    assert in_order == sorted(in_order, reverse=True)
    assert {moment[-6:] for moment in moments} == {"+01:00", "+02:00"}
    for kind in ("opens", "closes", "text", "receipt", "started", "completed", "recorded", "act"):
        assert timeline.locator(f"tr.{kind}").count(), f"nothing is told of: {kind}"
    expect(timeline.locator("tr.receipt").first).to_contain_text("delivered")
    expect(timeline.locator("tr.act, tr.recorded").filter(has_text="Not reached").first).to_be_visible()
    expect(timeline).to_contain_text("Too ill")


def test_one_callback_puts_an_undelivered_text_on_the_list_with_its_reason(ward, nurse):
    subject = ward.enrol(f"{OWN}-313", M3_IS_LATE)
    course = ward.send_what_was_due(subject)
    nurse.goto(f"{ward.address}/desk")
    expect(rows(nurse, subject, "#overdue")).not_to_contain_text("The last text did not arrive")

    assert ward.carrier_says(course.post.attempts[-1], "undelivered", 30005) == 204

    nurse.goto(f"{ward.address}/desk")
    row = rows(nurse, subject, "#overdue")
    expect(row).to_contain_text("The last text did not arrive")
    expect(row).to_contain_text("the number is not in use")


def test_a_missing_reason_is_one_of_the_list_and_says_who_and_when_and_takes_the_form_off(ward, nurse):
    subject = ward.enrol(f"{OWN}-314", M3_IS_LATE)
    ward.send_what_was_due(subject)
    nurse.goto(f"{ward.address}/desk")
    row = rows(nurse, subject, "#overdue")

    row.get_by_role("button", name="Record").click()
    assert row.get_by_role("combobox").evaluate("choice => choice.validity.valueMissing")
    row.get_by_role("combobox").select_option("too_ill")
    row.get_by_role("button", name="Record").click()

    expect(rows(nurse, subject, "#overdue")).to_have_count(0)
    open_patient(nurse, ward, subject)
    noted = nurse.locator("#timeline tr.act").filter(has_text="reason")
    expect(noted).to_contain_text(EMAIL)
    expect(noted).to_contain_text(NOTED_AT)
    with reading(ward.house.engine) as connection:
        kept = select(Assessment.reason).where(Assessment.subject == subject, Assessment.visit == "M3")
        told = select(Audit.actor, Audit.at).where(Audit.subject == subject, Audit.action == "missing reason recorded")
        assert connection.execute(kept).scalar_one() == "too_ill"
        assert connection.execute(told).one() == (EMAIL, NOW)


def test_a_form_entered_from_paper_says_so_with_person_and_time_and_looks_different(ward, nurse):
    subject = ward.enrol(f"{OWN}-315", M3_IS_LATE)
    ward.send_what_was_due(subject).answer(subject, "BL", datetime(2026, 11, 22, 9, tzinfo=UTC))
    nurse.goto(f"{ward.address}/desk/patients/{subject}/visits/M3/paper")
    nurse.get_by_label("Day that stands on the paper").fill(TODAY.isoformat())
    fill_in(nurse)

    open_patient(nurse, ward, subject)
    plan = nurse.locator("table.plan")
    expect(rows(nurse, "M3", "table.plan").first).to_contain_text("on paper, entered by staff")
    expect(plan.get_by_role("row").filter(has_text="Before randomisation")).not_to_contain_text("on paper")
    entered = nurse.locator("#timeline tr.act").filter(has_text="paper")
    expect(entered).to_contain_text(EMAIL)
    expect(entered).to_contain_text(NOTED_AT)
    nurse.goto(f"{ward.address}/desk/forms?visit=M3&state=answered")
    expect(rows(nurse, subject)).to_contain_text("on paper, entered by staff")


def test_answers_given_by_phone_say_so_with_person_and_time(ward, nurse):
    subject = ward.enrol(f"{OWN}-317", M3_IS_LATE)
    ward.send_what_was_due(subject)
    nurse.goto(f"{ward.address}/desk")
    rows(nurse, subject, "#overdue").get_by_role("button", name="Call").click()
    fill_in(nurse)

    open_patient(nurse, ward, subject)
    expect(rows(nurse, "M3", "table.plan").first).to_contain_text("by phone, entered by staff")
    entered = nurse.locator("#timeline tr.act").filter(has_text="phone").first
    expect(entered).to_contain_text(EMAIL)
    expect(entered).to_contain_text(NOTED_AT)


def fill_in(nurse):
    """Every question of the form that stands open, and keep it."""
    questions = nurse.locator("fieldset.entered")
    questions.first.wait_for()  # the page may still be on its way
    for fieldset in questions.all():
        fieldset.get_by_role("radio").nth(1).check()
    nurse.get_by_role("button", name="Keep the answers").click()
    expect(nurse.get_by_role("status")).to_contain_text("kept")


def test_an_idle_session_ends_the_half_written_note_comes_back_and_each_look_is_kept(ward, browser):
    subject = ward.enrol(f"{OWN}-316", TODAY - timedelta(days=60))
    with ward.staff(browser) as page:
        open_patient(page, ward, subject)
        page.locator("summary").get_by_text("Withdrawal", exact=True).click()
        page.get_by_label("Day of withdrawal").fill(TODAY.isoformat())
        page.locator("#withdrawal-reason").fill("too tired for it")
        with ward.later(minutes=16):
            page.get_by_role("button", name="Record the withdrawal").click()
            expect(page.get_by_role("heading", level=1)).to_have_text("Sign in to the desk")
            sign_in(page, EMAIL)

            expect(page.get_by_role("heading", level=1)).to_have_text(subject)
            expect(page.locator("#withdrawal-reason")).to_have_value("too tired for it")
            page.goto(f"{ward.address}/desk/patients/{subject}/looks")
            expect(rows(page, EMAIL).first).to_be_visible()
            assert rows(page, EMAIL).count() >= 2
