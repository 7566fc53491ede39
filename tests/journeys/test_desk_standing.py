"""A nurse corrects a date after the first text, lets texts rest, takes a wrong record back, and sees a stop proved."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from epro.acts import patients
from epro.acts.enrolment import Enrolment
from epro.opening import system_clock
from epro.rehearsal.numbers import fictional_mobile
from epro.store.database import reading, writing
from scheduler import ledger
from tests.epro.conftest import NURSE
from tests.journeys.browsing import needs_chromium
from tests.journeys.test_desk import browser, hold, nurse

__all__ = ["browser", "nurse"]  # fixtures of the desk's own journey

pytestmark = [needs_chromium, pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)]

STOCKHOLM = ZoneInfo("Europe/Stockholm")


def randomised(service, subject, days_ago):
    """A patient who was enrolled and randomised that many days ago, and got every text that was due since."""
    on = (system_clock() - timedelta(days=days_ago)).date()
    asked = Enrolment(
        subject=subject,
        site=subject[:3],
        language="sv",
        strata={"er": "pos", "metastases": "1"},
        consented_on=on,
        eligible=True,
        texts_allowed=True,
        phone=fictional_mobile(int(subject[-3:])),
        randomised_on=on,
        arm="surgery",
    )
    house, at = service.house, datetime.combine(on, time(9), STOCKHOLM).astimezone(UTC)
    with writing(house.engine) as connection:
        patients.enrol(connection, house.protocol, house.cipher, asked, by=NURSE, now=at)
    with reading(house.engine) as connection:
        due = sorted(text.send_at for text in ledger.rows(connection, subject) if text.send_at)
    for moment in due:
        if moment <= system_clock():
            service.tick(moment)
    return on


def left(service, subject):
    with reading(service.house.engine) as connection:
        return {text.key: text.left_at for text in ledger.rows(connection, subject) if text.left_at}


def test_a_randomisation_date_is_corrected_by_fourteen_days_after_the_first_text(nurse, service):
    on = randomised(service, "UME-081", 55)
    right = on + timedelta(days=14)
    before = left(service, "UME-081")
    assert any("/M1.5/" in key for key in before)
    nurse.goto(f"{service.address}/desk/patients/UME-081")

    nurse.get_by_text("Rätta randomiseringsdagen").click()
    nurse.get_by_label("Rätt randomiseringsdag").fill(right.isoformat())
    nurse.locator("#correction-reason").fill("skrivfel")
    nurse.get_by_role("button", name="Visa vad som skulle ändras").click()
    preview = nurse.get_by_role("status").filter(has_text="skulle")
    expect(preview).to_contain_text("3 månader")
    hold(nurse)
    nurse.get_by_role("button", name="Ja, rätta och planera om").click()

    expect(nurse.get_by_role("status")).to_contain_text("planerats om")
    m3 = nurse.get_by_role("row").filter(has_text="M3 ").first
    with reading(service.house.engine) as connection:
        planned = [text for text in ledger.rows(connection, "UME-081") if text.visit == "M3"]
    expect(m3).to_contain_text(planned[0].send_on.isoformat())
    expect(nurse.locator("#recorded").get_by_role("row").filter(has_text="skrivfel")).to_contain_text(right.isoformat())
    assert before.items() <= left(service, "UME-081").items()
    hold(nurse)


def test_texts_rest_and_the_page_and_the_worklist_say_so(nurse, service):
    randomised(service, "UME-082", 46)
    until = (system_clock() + timedelta(days=9)).date().isoformat()
    nurse.goto(f"{service.address}/desk/patients/UME-082")

    nurse.get_by_text("Pausa sms till en dag").click()
    nurse.get_by_label("Första dag då sms skickas igen").fill(until)
    nurse.locator("#pause-reason").fill("inlagd")
    nurse.get_by_role("button", name="Pausa sms", exact=True).click()

    expect(nurse.locator(".standing")).to_contain_text(f"pausade till {until}")
    hold(nurse)
    nurse.goto(f"{service.address}/desk")
    expect(nurse.get_by_role("row").filter(has_text="UME-082").first).to_contain_text(f"sms pausade till {until}")
    hold(nurse)


def test_a_stop_is_proved_and_a_death_that_was_somebody_elses_is_taken_back(nurse, service):
    randomised(service, "UME-083", 50)
    nurse.goto(f"{service.address}/desk/patients/UME-083")
    nurse.get_by_text("Död", exact=True).click()
    nurse.get_by_label("Dödsdag").fill(system_clock().date().isoformat())
    nurse.get_by_role("button", name="Notera dödsfallet").click()

    assert nurse.url.endswith("/stopped")
    expect(nurse.locator("#pending")).to_have_text("0 sms väntar.")
    expect(nurse.get_by_role("table").get_by_role("row")).to_have_count(1 + len(left(service, "UME-083")))
    hold(nurse)

    nurse.get_by_role("link", name="Till patientens sida").click()
    nurse.get_by_text("Ta tillbaka något som registrerades fel").click()
    option = nurse.locator("#undo-event option").filter(has_text="Död")
    nurse.locator("#undo-event").select_option(option.get_attribute("value"))
    nurse.locator("#undo-reason").fill("fel patient")
    nurse.get_by_role("button", name="Ta tillbaka", exact=True).click()

    expect(nurse.locator("#recorded").get_by_role("row").filter(has_text="fel patient")).to_contain_text("Hände aldrig")
    expect(nurse.locator("#pending")).not_to_have_text("0 sms väntar.")
    hold(nurse)


def test_the_nurse_says_with_one_click_that_a_patient_is_alive(nurse, service):
    randomised(service, "UME-084", 180)
    nurse.goto(f"{service.address}/desk")
    row = nurse.locator("#silent").get_by_role("row").filter(has_text="UME-084")
    expect(row).to_be_visible()
    hold(nurse)

    row.get_by_role("button", name="Jag vet att patienten lever").click()

    expect(nurse.get_by_role("status")).to_contain_text("UME-084")
    expect(nurse.locator("#silent").get_by_role("row").filter(has_text="UME-084")).to_have_count(0)
