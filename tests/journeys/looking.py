"""Every screen of a patient as a picture, for people to look at: each width, light and dark, each language.

python -m tests.journeys.looking FOLDER
"""

import sys
import tempfile
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser

from epro.store.database import open_engine
from epro.store.migrating import migrate
from tests.journeys.browsing import chromium
from tests.journeys.conftest import Service, serving
from tests.journeys.patient import ITEMS, answer, begin

SIZES = ((320, 640), (390, 844), (1280, 800))
LONGEST = 29  # the first question with seven answers


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, chromium() as browser:
        url = f"sqlite:///{home}/epro.db"
        engine = open_engine(url)
        migrate(engine)
        engine.dispose()
        with serving(url, Path(home)) as running:
            for n, (size, scheme, language) in enumerate(product(SIZES, ("light", "dark"), ("sv", "en")), 1):
                look(browser, running, n, size, scheme, language, folder)


def look(
    browser: Browser, running: Service, n: int, size: tuple[int, int], scheme: str, language: str, folder: Path
) -> None:
    """One patient's way through all screens."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        locale={"sv": "sv-SE", "en": "en-GB"}[language],
    )
    page, shown = context.new_page(), []

    def keep(name: str, *, whole: bool = False) -> None:
        shown.append(name)
        page.screenshot(path=folder / f"{len(shown):02}-{name}-{width}-{scheme}-{language}.png", full_page=whole)

    (link,) = running.tick(running.first_text_is_due_at(running.enrol(f"UME-{n:03d}")))
    for name, path in (("card", "/"), ("accessibility", "/accessibility"), ("not-me", f"{link}/not-me")):
        page.goto(f"{running.address}{path}?language={language}")
        keep(name, whole=True)
    page.goto(f"{running.address}{link}?language={language}")
    keep("start", whole=True)
    begin(page, f"{running.address}{link}?language={language}")
    keep("item")
    page.locator(".primary:visible").click()
    keep("skip")
    page.locator("#skip button").last.click()
    answer(page, 2, LONGEST - 1, language=language)
    page.locator(".option:visible").nth(2).click()
    keep("seven")
    page.locator(".primary:visible").click()
    answer(page, ITEMS, ITEMS, language=language)
    page.locator("#send").wait_for()
    keep("review")
    keep("review-whole", whole=True)
    page.locator("#send .primary").click()
    page.wait_for_url("**/form/done")
    keep("done", whole=True)
    page.goto(f"{running.address}{link}")
    keep("closed", whole=True)
    (other,) = running.tick(running.first_text_is_due_at(running.enrol(f"GBG-{n:03d}")))
    page.goto(f"{running.address}{other}/not-me?language={language}")
    page.locator("main button").last.click()
    keep("denied", whole=True)
    context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
