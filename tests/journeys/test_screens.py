"""What the patient's screens hold to, beyond the rules that a machine knows."""

import pytest
from playwright.sync_api import expect

from tests.journeys.browsing import chromium, needs_chromium, phone, sticking_out
from tests.journeys.patient import ITEMS, PLACE, Patient, begin, saved

pytestmark = needs_chromium

FIRST_SCREEN_BYTES, FIRST_SCREEN_REQUESTS = 15_000, 3


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def link(on_sqlite):
    return Patient(on_sqlite).link


def test_from_start_to_the_first_question_goes_little_and_only_to_this_host(browser, link):
    with phone(browser) as page:
        page.goto(link)
        line = page.context.new_cdp_session(page)
        arrived, asked = [], []
        line.on("Network.loadingFinished", lambda event: arrived.append(event["encodedDataLength"]))
        line.on("Network.requestWillBeSent", lambda event: asked.append(event["request"]["url"]))
        line.send("Network.enable")
        page.get_by_role("button", name="Börja").click()
        expect(page.locator(".option:visible").first).to_be_visible()

        asked = [url for url in asked if not url.startswith("data:")]
        assert len(asked) <= FIRST_SCREEN_REQUESTS
        assert sum(arrived) <= FIRST_SCREEN_BYTES
        assert {url.split("/")[2] for url in asked} == {link.split("/")[2]}


SHOWN = """() => {
    const form = [...document.querySelectorAll('.item')].find(each => each.checkVisibility())
    const boxes = [...form.querySelectorAll('.option, .primary')].map(each => each.getBoundingClientRect())
    return {
        options: form.querySelectorAll('.option').length,
        chosen: form.querySelectorAll(':checked').length,
        recall: form.querySelectorAll('.recall').length,
        top: Math.min(...boxes.map(box => box.top)),
        bottom: Math.max(...boxes.map(box => box.bottom)),
        place: document.querySelector('.place').textContent,
    }
}"""


@pytest.mark.parametrize("language", ["sv", "en"])
def test_every_question_shows_all_it_asks_and_continue_without_scrolling(browser, link, language):
    with phone(browser) as page:
        begin(page, f"{link}?language={language}")
        for n in range(1, ITEMS + 1):
            place = PLACE[language].format(n)
            expect(page).to_have_title(place)
            shown = page.evaluate(SHOWN)
            assert shown["place"] == place
            assert shown["options"] == (7 if n > 28 else 4)
            assert shown["chosen"] == 0
            assert shown["recall"] == int(n > 5)
            assert shown["top"] >= 0
            assert shown["bottom"] <= 740
            page.locator(".option:visible").nth(1).click()
            assert page.title() == place  # a choice does not go on by itself
            page.locator(".primary:visible").click()


def test_nothing_of_who_she_is_stands_in_what_the_phone_is_given(browser, link):
    with phone(browser) as page:
        said = []
        page.on("response", lambda reply: said.append((reply.url, reply.headers)))
        begin(page, link)
        page.locator(".option:visible").first.click()
        page.get_by_role("button", name="Fortsätt").click()
        saved(page)

        assert link.rpartition("/")[2] not in page.url
        for text in (
            page.content(),
            page.title(),
            page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})"),
        ):
            for word in ("UME-", "0701740605", "70-174 06 05", "+4670", "surgery", "control", "BRECLIM", "BreCLIM"):
                assert word not in text
        for url, headers in said:
            assert headers["cache-control"] in ("no-store", "no-cache"), url
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]


TOPS = """texts => texts.map(text => {
    document.querySelector('.saved').textContent = text
    return document.querySelector('.item:not([hidden]) .option').getBoundingClientRect().top
})"""


@pytest.mark.parametrize("width", [320, 390])
def test_what_is_said_of_saving_never_moves_what_she_is_about_to_tap(browser, link, width):
    with phone(browser, viewport={"width": width, "height": 740}) as page:
        begin(page, link)
        page.evaluate("document.querySelector('.back').hidden = false")

        tops = page.evaluate(TOPS, ["", "Sparar", "Sparat", "Väntar på nät (26)"])

        assert len(set(tops)) == 1, tops


def test_a_language_that_runs_from_right_to_left_sticks_out_nowhere(browser, link):
    with phone(browser, viewport={"width": 320, "height": 640}) as page:
        begin(page, link)
        page.evaluate("document.documentElement.dir = 'rtl'")
        page.locator(".option:visible").first.click()
        page.get_by_role("button", name="Fortsätt").click()

        assert sticking_out(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        back, saved = page.locator(".back").bounding_box(), page.locator(".place").bounding_box()
        assert back["x"] > saved["x"]


def test_with_less_motion_or_forced_colours_the_choice_is_still_seen(browser, link):
    with phone(browser, reduced_motion="reduce", forced_colors="active") as page:
        begin(page, link)
        page.locator(".option:visible").first.click()
        outline = page.locator(".option:has(:checked)").evaluate("each => getComputedStyle(each).outlineStyle")
        assert outline == "solid"
        assert page.evaluate("getComputedStyle(document.body).animationName") == "none"
