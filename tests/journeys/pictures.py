"""Make the README's pictures from a fresh demo: a question on a phone, the desk, a survival curve.

python -m tests.journeys.pictures
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from epro.cli.demo import DEMO_EMAIL, LOGIN_FILE
from epro.rehearsal.places import REPORT_FOLDER
from tests.journeys.browsing import chromium
from tests.journeys.conftest import free_port
from tests.journeys.patient import answer, begin

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
ANSWERED_FIRST = 8  # the question shown is the ninth


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        home, address = Path(folder), f"http://127.0.0.1:{free_port()}"
        environment = {**os.environ, "EPRO_HOME": folder, "EPRO_PORT": address.rpartition(":")[2]}
        demo = subprocess.Popen(
            [sys.executable, "-m", "epro", "demo"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )
        try:
            link = _link_of(demo)
            with chromium() as browser:
                _phone(browser, link)
                _desk(browser, address, (home / LOGIN_FILE).read_text())
            shutil.copyfile(home / REPORT_FOLDER / "figures" / "os.svg", PICTURES / "survival.svg")
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(timeout=60)


def _link_of(demo: "subprocess.Popen[str]") -> str:
    """The patient's link that the demo prints, once the service listens."""
    assert demo.stdout is not None
    link = ""
    for line in demo.stdout:
        if found := re.search(r"http\S+/p/\S+", line):
            link = found[0]
        if "Listening at" in line:
            return link
    raise SystemExit("The demo ended before it served anything.")


def _phone(browser: Browser, link: str) -> None:
    page = browser.new_context(viewport={"width": 360, "height": 740}, locale="en-GB").new_page()
    begin(page, f"{link}?language=en")
    answer(page, 1, ANSWERED_FIRST, nth=0, language="en")
    page.locator(".option:visible").nth(1).click()
    page.screenshot(path=PICTURES / "phone.png")


def _desk(browser: Browser, address: str, password: str) -> None:
    page = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB").new_page()
    page.goto(f"{address}/desk/login?language=en")
    page.fill("input[name=email]", DEMO_EMAIL)
    page.fill("input[name=password]", password)
    page.locator("main form button").first.click()
    page.wait_for_url(lambda url: "/login" not in url)
    page.screenshot(path=PICTURES / "desk.png")


if __name__ == "__main__":
    main()
