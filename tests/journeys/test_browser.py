"""The phone's pages in a real browser."""

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.browsing import chromium, hold_to_the_rules, needs_chromium, phone

pytestmark = [needs_chromium, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

SIZES = [(320, 640), (390, 844), (1280, 800)]


SHOW = """screen => document.querySelectorAll('.item, #review, #waiting')
    .forEach(each => { each.hidden = each.id !== screen })"""


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def link(service, request):
    """The address in the text that a new patient was sent."""
    known = service.__dict__.setdefault("patients", [])
    known.append(service.enrol(f"UME-{len(known) + 1:03d}"))
    (path,) = service.tick(service.first_text_is_due_at(known[-1]))
    return service.address + path


def choose(page: Page, nth: int) -> None:
    page.locator(".option:visible").nth(nth).tap()
    page.get_by_role("button", name="Fortsätt").tap()


def test_a_patient_answers_three_stops_resumes_at_four_and_sends_her_form(browser, link):
    with phone(browser, has_touch=True, is_mobile=True) as page:
        page.goto(link)
        expect(page.get_by_role("heading", level=1)).to_have_text("Ett formulär väntar på dig")
        page.get_by_role("button", name="Börja").tap()
        for n in (1, 2, 3):
            expect(page).to_have_title(f"Fråga {n} av 30")
            assert page.url.endswith("/form")  # and holds no token
            assert page.locator(".item:visible input:checked").count() == 0
            choose(page, n)
        expect(page).to_have_title("Fråga 4 av 30")

    with phone(browser, has_touch=True, is_mobile=True) as page:
        page.goto(link)
        page.get_by_role("button", name="Börja").tap()
        expect(page).to_have_title("Fråga 4 av 30")
        page.get_by_role("button", name="Fortsätt").tap()
        expect(page.get_by_role("alert")).to_contain_text("Du har inte valt något svar")
        page.get_by_role("button", name="Svara nu").tap()
        page.get_by_role("button", name="Fortsätt").tap()
        page.get_by_role("button", name="Lämna tomt").tap()
        for n in range(5, 31):
            expect(page).to_have_title(f"Fråga {n} av 30")
            choose(page, 0)
        expect(page.get_by_role("heading", level=1)).to_have_text("Se över dina svar")
        assert page.get_by_text("Besvarad tidigare").count() == 3
        assert page.get_by_text("Lämnad tom").count() == 1
        page.go_back()
        expect(page).to_have_title("Fråga 30 av 30")
        assert page.locator(".item:visible input:checked").count() == 1
        page.go_forward()
        page.get_by_role("button", name="Skicka formuläret").tap()
        expect(page.get_by_role("heading", level=1)).to_have_text("Tack, ditt formulär är sparat")
        page.goto(link)
        expect(page.get_by_role("heading", level=1)).to_have_text("Formuläret är inte öppet här")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["sv", "en"])
def test_every_screen_is_for_everybody(browser, link, scheme, language):
    with phone(browser, color_scheme=scheme) as page:

        def look() -> None:
            hold_to_the_rules(page, SIZES)

        address, token = link.rsplit("/p/", 1)
        page.goto(f"{address}/p/nonsense?language={language}")
        look()
        page.goto(f"{address}/?language={language}")
        look()
        page.goto(f"{address}/p/{token}/not-me?language={language}")
        look()
        page.goto(f"{address}/p/{token}?language={language}")
        look()
        page.locator(".primary").click()
        look()
        for screen in ("review", "waiting"):
            page.evaluate(SHOW, screen)
            look()
        page.reload()
        page.locator(".primary:visible").click()
        expect(page.get_by_role("alert")).to_be_visible()
        look()
        page.get_by_role("button", name="Lämna tomt" if language == "sv" else "Leave blank").click()
        page.locator(".option:visible").nth(2).click()
        look()
        page.goto(f"{address}/form/30")
        look()
        page.goto(f"{address}/form/review")
        look()
        page.goto(f"{address}/accessibility")
        look()
        page.goto(f"{address}/form/review")
        page.locator(".primary").click()
        look()
        page.goto(f"{address}/no-such-page")
        look()


def test_the_whole_form_can_be_filled_in_by_keyboard_alone(browser, link):
    with phone(browser, viewport={"width": 1280, "height": 800}) as page:
        page.goto(link)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page).to_have_title("Fråga 1 av 30")
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page).to_have_title("Fråga 2 av 30")
        assert page.evaluate("document.activeElement.tagName") == "H1"
        page.keyboard.press("Shift+Tab")
        assert page.evaluate("document.activeElement.textContent") == "Tillbaka"
        page.keyboard.press("Enter")
        expect(page).to_have_title("Fråga 1 av 30")
        assert page.locator(".item:visible input:checked").count() == 1


def test_without_javascript_everything_works(browser, link):
    with phone(browser, java_script_enabled=False) as page:
        page.goto(link)
        page.locator(".primary").click()
        page.locator(".option:visible").nth(1).click()
        page.locator(".primary:visible").click()
        expect(page).to_have_title("Fråga 2 av 30")
        page.goto(page.url.replace("/form/2", "/form/review"))
        page.locator(".primary").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Tack, ditt formulär är sparat")
