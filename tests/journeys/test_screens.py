"""What the patient's screens hold to, beyond the rules that a machine knows."""

import pytest
from playwright.sync_api import expect

from tests.journeys.browsing import chromium, needs_chromium, phone, sticking_out

pytestmark = [needs_chromium, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

FIRST_SCREEN_BYTES, FIRST_SCREEN_REQUESTS = 15_000, 3


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def link(service):
    known = service.__dict__.setdefault("patients", [])
    known.append(service.enrol(f"UME-{len(known) + 1:03d}"))
    (path,) = service.tick(service.first_text_is_due_at(known[-1]))
    return service.address + path


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


@pytest.mark.parametrize("language", ["sv", "en"])
def test_every_question_shows_all_it_asks_and_continue_without_scrolling(browser, link, language):
    with phone(browser) as page:
        page.goto(f"{link}?language={language}")
        page.locator(".primary").click()
        place = {"sv": "Fråga {} av 30", "en": "Question {} of 30"}[language]
        for n in range(1, 31):
            expect(page).to_have_title(place.format(n))
            assert page.locator(".place").inner_text() == place.format(n)
            options = page.locator(".option:visible")
            for shown in (options.first, options.last, page.locator(".primary:visible")):
                box = shown.bounding_box()
                assert box["y"] >= 0
                assert box["y"] + box["height"] <= 740
            assert options.count() == (7 if n > 28 else 4)
            if n > 5:
                assert page.locator(".recall:visible").count() == 1
            options.nth(1).click()
            expect(page).to_have_title(place.format(n))  # a choice does not go on by itself
            page.locator(".primary:visible").click()


def test_nothing_of_who_she_is_stands_in_what_the_phone_is_given(browser, link):
    with phone(browser) as page:
        said = []
        page.on("response", lambda reply: said.append((reply.url, reply.headers)))
        page.goto(link)
        page.get_by_role("button", name="Börja").click()
        page.locator(".option:visible").first.click()
        page.get_by_role("button", name="Fortsätt").click()
        expect(page.locator(".saved")).to_have_text("Sparat")

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


def test_a_language_that_runs_from_right_to_left_sticks_out_nowhere(browser, link):
    with phone(browser, viewport={"width": 320, "height": 640}) as page:
        page.goto(link)
        page.get_by_role("button", name="Börja").click()
        page.evaluate("document.documentElement.dir = 'rtl'")
        page.locator(".option:visible").first.click()
        page.get_by_role("button", name="Fortsätt").click()

        assert sticking_out(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        back, saved = page.locator(".back").bounding_box(), page.locator(".place").bounding_box()
        assert back["x"] > saved["x"]


def test_with_less_motion_or_forced_colours_the_choice_is_still_seen(browser, link):
    with phone(browser, reduced_motion="reduce", forced_colors="active") as page:
        page.goto(link)
        page.get_by_role("button", name="Börja").click()
        page.locator(".option:visible").first.click()
        outline = page.locator(".option:has(:checked)").evaluate("each => getComputedStyle(each).outlineStyle")
        assert outline == "solid"
        assert page.evaluate("getComputedStyle(document.body).animationName") == "none"
