"""The screens of a trial that asks more, of the clinic's tablet and of whoever is not meant: for everybody too."""

from dataclasses import replace
from threading import Thread

import pytest
from playwright.sync_api import expect
from werkzeug.serving import make_server

from epro.acts import cards, first_texts
from epro.store.database import writing
from epro.web.app import create_app
from tests.epro.conftest import NOW, NURSE
from tests.journeys.browsing import chromium, hold_to_the_rules, needs_chromium, phone
from tests.journeys.patient import await_script
from tests.web.conftest import clock, desk, house, link
from tests.web.test_arriving import code_of, enrol, with_trial

__all__ = ["clock", "desk", "house", "link"]  # fixtures of the pages' own tests

pytestmark = [needs_chromium, pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)]

SIZES = [(320, 640), (1280, 800)]
CODE_FIELD = "input[name=code]"


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def served(house, clock):
    """A house whose trial asks for a PIN, and who answers before anything else; and where it is served."""
    careful = replace(with_trial(house, identity_step="pin", who_answers="start"), clock=clock)
    server = make_server("127.0.0.1", 0, create_app(careful), threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    yield careful, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.mark.parametrize("language", ["sv", "en"])
def test_what_a_careful_trial_shows_before_during_and_after_is_for_everybody(browser, served, link, language):
    house, address = served
    enrol(house, second_step="7294")
    with writing(house.engine) as connection:
        cards.issue(connection, house.cipher, "UME-001", by=NURSE, now=NOW)
    asked = f"?language={language}"
    with phone(browser) as page:

        def look() -> None:
            hold_to_the_rules(page, SIZES)

        page.goto(f"{address}/{asked}")
        page.fill(CODE_FIELD, "wrong-code")
        page.locator(".primary").click()
        look()
        page.goto(f"{address}/{asked}")
        page.fill(CODE_FIELD, code_of(house))
        page.locator(".primary").click()
        expect(page.locator("html")).to_have_attribute("lang", language)
        look()
        page.fill("input[name=second_step]", "1111")
        page.locator(".who .option").first.click()
        page.locator(".primary").click()
        expect(page.locator("#wrong")).to_be_focused()
        look()
        page.fill("input[name=second_step]", "7294")
        page.locator(".primary").click()
        await_script(page)
        look()

        page.goto(f"{address}/p/{link(mode='tablet')}{asked}")
        look()
        page.locator(".primary").click()
        await_script(page)
        page.goto(f"{address}/form/review")
        page.locator("#send .primary").click()
        expect(page.locator(".tick")).to_be_visible()
        look()


@pytest.mark.parametrize("nth", [0, 1])
def test_whoever_is_not_meant_is_thanked_on_a_page_for_everybody(browser, served, link, nth):
    house, address = served
    enrol(house, second_step="7294")
    with phone(browser) as page:
        page.goto(f"{address}/p/{link()}?language=en")
        page.get_by_role("link", name="Is this not for you?").click()
        page.locator("main button").nth(nth).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Thank you for telling us")
        hold_to_the_rules(page, SIZES)


def test_what_the_link_in_a_test_text_leads_to_is_for_everybody(browser, served):
    house, address = served
    enrol(house, second_step="7294")
    with writing(house.engine) as connection:
        _, letter = first_texts.begin(
            connection, house.protocol, house.cipher, "UME-001", address=address, by=NURSE, now=NOW
        )
    with phone(browser) as page:
        page.goto(next(word for word in letter.body.split() if word.startswith(address)))
        hold_to_the_rules(page, SIZES)
        page.locator(".primary").click()
        expect(page.locator(".tick")).to_be_visible()
        hold_to_the_rules(page, SIZES)
