"""The desk in a real browser: a nurse's morning, at a desk and on a phone."""

from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from epro.acts import users
from epro.opening import system_clock
from epro.store.database import writing
from tests.epro.conftest import NURSE
from tests.epro.imports.conftest import patient, xlsx_of
from tests.journeys.browsing import chromium, needs_chromium

pytestmark = [needs_chromium, pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)]

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZES = [(1280, 800), (390, 844), (320, 640)]
EMAIL, PASSWORD = "nurse@example.org", "correct horse battery"


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def nurse(browser, service):
    with signed_in(browser, service) as page:
        yield page


@contextmanager
def signed_in(browser, service, **traits):
    """A nurse's page, signed in."""
    with writing(service.house.engine) as connection:
        if EMAIL not in [account.email for account in users.accounts(connection)]:
            users.add(
                connection,
                service.house.protocol,
                email=EMAIL,
                name="Study Nurse",
                role="nurse",
                sites=list(service.house.protocol.sites),
                password=PASSWORD,
                by=NURSE,
                now=system_clock(),
            )
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "locale": "sv-SE", **traits})
    page = context.new_page()
    page.goto(f"{service.address}/desk")
    page.get_by_label("E-post").fill(EMAIL)
    page.get_by_label("Lösenord").fill(PASSWORD)
    page.get_by_role("button", name="Logga in").click()
    yield page
    context.close()


def hold(page: Page) -> None:
    """No accessibility rule is broken, and nothing scrolls sideways, at a desk and on a phone."""
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        violations = Axe().run(page, options={"runOnly": RULES}).response["violations"]
        assert [(each["id"], each["nodes"][0]["html"]) for each in violations] == []
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    page.set_viewport_size({"width": 1280, "height": 800})


def test_the_page_to_sign_in_holds_to_the_same_rules(browser, service):
    page = browser.new_page(locale="sv-SE")
    page.goto(f"{service.address}/desk")

    hold(page)


def test_a_nurse_enrols_a_patient_sees_her_plan_and_later_stops_it(nurse, service):
    today = system_clock().astimezone(service.house.protocol.zone).date().isoformat()
    nurse.get_by_role("link", name="Lägg in").click()
    hold(nurse)
    nurse.get_by_role("button", name="Lägg in och visa planen").click()
    expect(nurse.get_by_role("alert")).to_contain_text("Ange dagen för samtycke")
    hold(nurse)

    nurse.get_by_label("Studie-id", exact=True).last.fill("UME-051")
    nurse.get_by_label("Klinik").select_option("UME")
    for choice in ("svenska", "pos", "2-4", "Ja, tillåtelse finns"):
        nurse.get_by_label(choice, exact=True).check()
    nurse.get_by_label("Dag för samtycke").fill(today)
    nurse.get_by_label("Mobilnummer").fill("070-174 06 56")
    nurse.get_by_label("Numret en gång till").fill("070-174 06 56")
    nurse.get_by_label("Randomiseringsdag").fill(today)
    expect(nurse.locator("#dates")).to_contain_text("36 månader")
    hold(nurse)
    nurse.get_by_label("Arm", exact=True).select_option("control")
    for criterion in nurse.get_by_role("checkbox").all():
        criterion.check()
    nurse.get_by_role("button", name="Lägg in och visa planen").click()

    assert nurse.url.endswith("/desk/patients/UME-051")
    expect(nurse.get_by_role("row").filter(has_text="M36")).to_contain_text("påminnelse 2")
    hold(nurse)

    nurse.get_by_text("Död", exact=True).click()
    nurse.get_by_label("Dödsdag").fill(today)
    nurse.get_by_role("button", name="Notera dödsfallet").click()
    expect(nurse.get_by_role("status")).to_contain_text("Inget mer skickas")
    expect(nurse.locator("#pending")).to_have_text("0 sms väntar.")
    hold(nurse)


def test_the_worklist_shows_whom_to_call_and_leads_there(nurse, service):
    service.enrol("UME-052")
    nurse.goto(f"{service.address}/desk")
    hold(nurse)

    nurse.get_by_role("row").filter(has_text="UME-052").first.get_by_role("link", name="UME-052", exact=True).click()

    expect(nurse.get_by_role("heading", level=1)).to_have_text("UME-052")
    hold(nurse)


def test_a_subject_id_is_found_with_the_keyboard_alone(nurse, service):
    service.enrol("UME-053")

    nurse.get_by_label("Studie-id").focus()
    nurse.keyboard.type("053")
    nurse.keyboard.press("Enter")

    expect(nurse.get_by_role("heading", level=1)).to_have_text("UME-053")


def test_the_completion_table_and_the_import_hold_to_the_same_rules(nurse, service):
    for path in ("/desk/completion", "/desk/forms", "/desk/calendar"):
        nurse.goto(service.address + path)
        hold(nurse)


def test_a_nurse_hands_over_the_tablet_and_cannot_come_back_to_the_desk_on_it(nurse, service):
    service.enrol("UME-054")
    nurse.goto(f"{service.address}/desk/patients/UME-054")

    nurse.get_by_role("button", name="Fyll i på den här plattan").click()
    expect(nurse.get_by_role("heading", level=1)).to_have_text("Ett formulär väntar på dig")
    nurse.go_back()

    expect(nurse.get_by_role("heading", level=1)).to_have_text("Logga in på arbetsbordet")


def test_the_trial_office_tries_a_broken_file_and_brings_in_a_good_one(browser, service, tmp_path):
    with writing(service.house.engine) as connection:
        asked = {"email": "office@example.org", "name": "Trial Office", "role": "trial_office", "sites": []}
        users.add(connection, service.house.protocol, **asked, password=PASSWORD, by=NURSE, now=system_clock())
    page = browser.new_page(locale="sv-SE")
    page.goto(f"{service.address}/desk")
    page.get_by_label("E-post").fill("office@example.org")
    page.get_by_label("Lösenord").fill(PASSWORD)
    page.get_by_role("button", name="Logga in").click()
    row = patient(subject="UME-061", consented_on="2026-01-05", randomised_on="2026-01-08")
    for name, rows in (("broken.xlsx", [{**row, "er": "perhaps"}]), ("good.xlsx", [row])):
        (tmp_path / name).write_bytes(xlsx_of(rows))

    page.get_by_role("link", name="Filer").click()
    page.get_by_label("Fil (Excel").set_input_files(tmp_path / "broken.xlsx")
    page.get_by_role("button", name="Visa vad den skulle göra").click()
    expect(page.get_by_role("alert")).to_contain_text("rad 2, er")
    hold(page)
    page.get_by_label("Fil (Excel").set_input_files(tmp_path / "good.xlsx")
    page.get_by_role("button", name="Visa vad den skulle göra").click()
    expect(page.get_by_role("row").filter(has_text="UME-061")).to_contain_text("ny")
    hold(page)
    page.get_by_role("button", name="Importera alltihop").click()

    expect(page.get_by_role("status")).to_contain_text("Filen är importerad: 1 rad.")
    hold(page)
    page.goto(f"{service.address}/desk/patients/UME-061")
    expect(page.get_by_role("row").filter(has_text="3 månader").first).to_contain_text("före systemet")
