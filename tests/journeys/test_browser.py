"""The phone's pages in a real browser: with a finger, with a keyboard, without scripts, for everybody."""

import pytest
from playwright.sync_api import expect

from tests.journeys.browsing import chromium, hold_to_the_rules, needs_chromium, phone
from tests.journeys.patient import ITEMS, PLACE, Patient, answer, await_script, begin, saved

pytestmark = needs_chromium

SIZES = [(320, 640), (390, 844), (430, 932), (1280, 800)]
SHOW = """screen => document.querySelectorAll('.item, #review, #waiting')
    .forEach(each => { each.hidden = each.id !== screen })"""
FOCUSED = """() => {
    const at = document.activeElement, drawn = at.closest('.option') || at
    return [at.tagName, at.textContent, getComputedStyle(drawn).outlineStyle]
}"""


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def patient(on_sqlite):
    return Patient(on_sqlite)


def heading(page):
    return page.get_by_role("heading", level=1)


def test_a_form_is_answered_by_finger_with_a_blank_looked_over_changed_and_sent_once(browser, patient):
    with phone(browser, has_touch=True, is_mobile=True) as page:
        page.goto(patient.link)
        expect(heading(page)).to_have_text("Ett formulär väntar på dig")
        page.get_by_role("button", name="Börja").tap()
        await_script(page)
        assert page.url == f"{patient.service.address}/form"  # and holds no token
        page.get_by_role("button", name="Fortsätt").tap()
        expect(page.get_by_role("alert")).to_contain_text("Du har inte valt något svar")
        page.get_by_role("button", name="Svara nu").tap()
        page.get_by_role("button", name="Fortsätt").tap()
        page.get_by_role("button", name="Lämna tomt").tap()
        expect(page).to_have_title("Fråga 2 av 30")
        page.get_by_role("link", name="Tillbaka").tap()
        expect(page.locator(".item:visible")).to_contain_text("Du lämnade frågan tom")
        page.get_by_role("button", name="Fortsätt").tap()  # it is asked about once
        for n in range(2, ITEMS + 1):
            expect(page).to_have_title(PLACE["sv"].format(n))
            assert page.locator(".item:visible input:checked").count() == 0
            page.locator(".option:visible").first.tap()
            page.get_by_role("button", name="Fortsätt").tap()

        expect(heading(page)).to_have_text("Se över dina svar")
        lines = page.locator(".review li")
        assert lines.locator(".number").all_inner_texts() == [str(n) for n in range(1, ITEMS + 1)]
        expect(lines.first).to_contain_text("Lämnad tom")
        lines.nth(11).locator("a").tap()
        expect(page).to_have_title("Fråga 12 av 30")
        page.locator(".option:visible").nth(3).tap()
        page.get_by_role("button", name="Fortsätt").tap()
        expect(heading(page)).to_have_text("Se över dina svar")
        expect(lines.nth(11)).to_contain_text("Väldigt mycket")
        page.get_by_role("button", name="Skicka formuläret").dblclick()
        expect(heading(page)).to_have_text("Tack, ditt formulär är sparat")

    assert patient.states["q1"] == "skipped"
    assert patient.kept == [("q1", None), *[(f"q{n}", 1) for n in range(2, ITEMS + 1)], ("q12", 4)]
    assert patient.times_sent == 1


def test_a_link_that_opens_nothing_says_so_in_swedish_with_a_number_to_call(browser, patient):
    address, token = patient.link.rsplit("/", 1)
    with phone(browser) as page:
        reply = page.goto(f"{address}/{token[::-1]}")

        assert reply.status == 404
        expect(heading(page)).to_have_text("Formuläret är inte öppet här")
        assert page.locator(".phone").first.get_attribute("href").startswith("tel:+46")
        assert "UME-" not in page.content()


@pytest.mark.parametrize("language", ["sv", "en"])
def test_every_screen_is_for_everybody(browser, patient, language):
    with phone(browser) as page:

        def look() -> None:
            hold_to_the_rules(page, SIZES)

        address, token = patient.link.rsplit("/p/", 1)
        for path in ("/p/nonsense", "/", f"/p/{token}/not-me", f"/p/{token}"):
            page.goto(f"{address}{path}?language={language}")
            look()
        page.locator(".primary").click()
        await_script(page)
        look()
        for screen in ("review", "waiting"):
            page.evaluate(SHOW, screen)
            look()
        page.reload()
        await_script(page)
        page.locator(".primary:visible").click()
        expect(page.get_by_role("alert")).to_be_visible()
        look()
        page.locator("#skip button").last.click()
        page.locator(".option:visible").nth(2).click()
        look()
        for path in ("/form/30", "/form/review", "/accessibility", "/no-such-page"):
            page.goto(f"{address}{path}")
            look()
        page.goto(f"{address}/form/review")
        page.locator(".primary").click()
        look()


def test_the_whole_form_can_be_filled_in_and_sent_by_keyboard_alone(browser, patient):
    with phone(browser, viewport={"width": 1280, "height": 800}) as page:

        def press(*keys: str) -> None:
            for key in keys:
                page.keyboard.press(key)

        page.goto(patient.link)
        press("Tab", "Enter")
        await_script(page)
        press("Tab", "Space", "ArrowDown")
        assert page.evaluate(FOCUSED)[2] == "solid"
        press("Tab")
        assert page.evaluate(FOCUSED)[::2] == ["BUTTON", "solid"]
        press("Enter")
        expect(page).to_have_title("Fråga 2 av 30")
        assert page.evaluate(FOCUSED)[0] == "H1"
        press("Shift+Tab")
        assert page.evaluate(FOCUSED)[1] == "Tillbaka"
        press("Enter")
        expect(page).to_have_title("Fråga 1 av 30")
        press("Tab", "Tab", "Enter")
        for n in range(2, ITEMS + 1):
            expect(page).to_have_title(PLACE["sv"].format(n))
            assert page.evaluate(FOCUSED)[0] == "H1"
            press("Tab", "Space", "Tab", "Enter")
        expect(heading(page)).to_have_text("Se över dina svar")
        press("Tab")
        while "Skicka" not in page.evaluate(FOCUSED)[1]:
            press("Tab")
        press("Enter")
        expect(heading(page)).to_have_text("Tack, ditt formulär är sparat")

    assert patient.kept == [("q1", 2), *[(f"q{n}", 1) for n in range(2, ITEMS + 1)]]


def test_without_javascript_all_questions_can_be_answered_looked_over_and_sent(browser, patient):
    with phone(browser, java_script_enabled=False) as page:
        page.goto(patient.link)
        page.locator(".primary").click()
        assert page.url == f"{patient.service.address}/form"
        page.locator(".primary:visible").click()
        expect(page).to_have_title("Inget svar valt: Fråga 1 av 30")
        page.get_by_role("link", name="Svara nu").click()
        answer(page, 1, ITEMS)
        expect(heading(page)).to_have_text("Se över dina svar")
        page.go_back()
        expect(page).to_have_title("Fråga 30 av 30")
        page.go_forward()
        page.locator("#send .primary").click()
        expect(heading(page)).to_have_text("Tack, ditt formulär är sparat")

    assert patient.kept == [(f"q{n}", 2) for n in range(1, ITEMS + 1)]
    assert patient.times_sent == 1


def test_a_form_opened_at_once_can_be_loaded_again_and_left_by_back(browser, patient):
    with phone(browser) as page:
        begin(page, patient.link)
        answer(page, 1, 1)
        saved(page)
        page.reload()
        expect(page).to_have_title("Fråga 2 av 30")
        assert page.url == f"{patient.service.address}/form"
        page.go_back()
        expect(page).to_have_title("Fråga 1 av 30")
        page.go_back()
        expect(heading(page)).to_have_text("Ett formulär väntar på dig")
