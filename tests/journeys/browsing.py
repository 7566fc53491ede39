"""A real browser, and what every page that it shows must hold to."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
QUIETLY = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking"]
RULES = ["wcag2a", "wcag2aa", "wcag2aaa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RULES_OF_COLOUR = ["color-contrast", "color-contrast-enhanced"]
SMALLEST_TARGET_PX = 44
TWICE_AS_LARGE = "237.5%"  # of the browser's 16 px; ours are 19

expect.set_options(timeout=60_000)  # of waiting for a state, on a machine with other things to do

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed on this machine")


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIETLY)
        yield browser
        browser.close()


@contextmanager
def phone(browser: Browser, **traits: Any) -> Iterator[Page]:
    """A page on a phone of its own; an error on its console fails the test."""
    context = browser.new_context(**{"viewport": {"width": 360, "height": 740}, "locale": "sv-SE", **traits})
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: said.append(request.url) if "127.0.0.1" not in request.url else None)
    yield page
    context.close()
    assert [line for line in said if not line.startswith("data:") and "responded with a status of 4" not in line] == []


def hold_to_the_rules(page: Page, sizes: Sequence[tuple[int, int]]) -> None:
    """No accessibility rule is broken, light or dark; at each size targets are large, and nothing sticks out, twice as
    large too."""
    assert broken(page, "tag", RULES) == []
    page.emulate_media(color_scheme="dark")
    assert broken(page, "rule", RULES_OF_COLOUR) == []
    page.emulate_media(color_scheme="light")
    for width, height in sizes:
        page.set_viewport_size({"width": width, "height": height})
        assert small_targets(page) == []
        assert sticking_out(page) == []
        page.evaluate("size => { document.documentElement.style.fontSize = size }", TWICE_AS_LARGE)
        assert sticking_out(page) == []
        page.evaluate("document.documentElement.style.fontSize = ''")


def broken(page: Page, kind: str, values: Sequence[str]) -> list[tuple[str, str]]:
    """Each of axe's rules that the page breaks, and where first. kind: whether values name "tag" or "rule"."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found: list[tuple[str, str]] = page.evaluate(
        """async only => (await axe.run({runOnly: only, resultTypes: ['violations']})).violations
            .map(each => [each.id, each.nodes[0].html])""",
        {"type": kind, "values": list(values)},
    )
    return found


def sticking_out(page: Page) -> list[str]:
    """What reaches past the side of the screen, and would make it scroll sideways."""
    wide: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('body *')]
            .filter(each => each.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
            .map(each => each.outerHTML.slice(0, 200))"""
    )
    return wide


def small_targets(page: Page) -> list[str]:
    """What can be tapped and is less than 44 px high or wide."""
    small: list[str] = page.evaluate(
        """smallest => [...document.querySelectorAll('a, button, label')]
            .filter(each => each.checkVisibility())
            .filter(each => { const box = each.getBoundingClientRect();
                              return box.height < smallest || box.width < smallest })
            .map(each => each.outerHTML)""",
        SMALLEST_TARGET_PX,
    )
    return small
