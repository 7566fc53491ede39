"""How soon is the first question there on a slow phone, and how many bytes does a whole form take, beside SurveyJS?

Chromium with an empty cache on Slow 3G (50 kB/s, 2 s latency) and a CPU four times slower, counted from tapping Start
(SurveyJS: from opening its page), gzip, redirect and saves included, the service worker's own file not. The same thirty
questions, one on the screen. SurveyJS is 2.5.38 from npm, from the folder that EPRO_SURVEYJS names or installed anew.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from threading import Thread

from playwright.sync_api import Browser, Page

from benchmarks.measuring import Figure, report
from epro.store.database import open_engine
from epro.store.migrating import migrate
from epro.web.inlined import STATIC
from questionnaires.wording import wording_of
from tests.journeys.browsing import chromium
from tests.journeys.conftest import serving

RUNS, CPU = 3, 4
SLOW_3G = {"offline": False, "latency": 2000, "downloadThroughput": 50_000, "uploadThroughput": 50_000}
PEER = "SurveyJS 2.5.38"
PACKAGES = ("survey-core@2.5.38", "survey-js-ui@2.5.38")
FIRST_BYTES, FIRST_REQUESTS, WHOLE_BYTES, FIRST_SECONDS, NEXT_SECONDS = 15_000, 3, 60_000, 5.0, 0.2
SCRIPT_BYTES, WORKER_BYTES = 4096, 1024


class Line:
    """A slow line to one page, and everything that went over it. bytes: as packed, headers included."""

    def __init__(self, page: Page) -> None:
        self.bytes = self.requests = 0
        self._ours: set[str] = set()
        line = page.context.new_cdp_session(page)
        line.on("Network.requestWillBeSent", self._sent)
        line.on("Network.loadingFinished", self._arrived)
        for command in ("enable", "clearBrowserCache"):
            line.send(f"Network.{command}")
        line.send("Network.emulateNetworkConditions", SLOW_3G)
        line.send("Emulation.setCPUThrottlingRate", {"rate": CPU})

    def _sent(self, event: dict) -> None:  # type: ignore[type-arg]
        if event["request"]["url"].startswith("data:"):
            return
        self._ours.add(event["requestId"])
        self.requests += 1
        if "redirectResponse" in event:
            self.bytes += event["redirectResponse"].get("encodedDataLength", 0)

    def _arrived(self, event: dict) -> None:  # type: ignore[type-arg]
        if event["requestId"] in self._ours:
            self.bytes += event["encodedDataLength"]


@contextmanager
def phone(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 844}, locale="sv-SE")
    yield context.new_page()
    context.close()


def ours(browser: Browser, link: str) -> dict[str, float]:
    """One patient, from the tap on Start to her thanks."""
    with phone(browser) as page:
        page.goto(link)
        line = Line(page)
        began = time.perf_counter()
        page.locator(".primary").click(no_wait_after=True)
        option = page.locator(".option:visible")
        option.first.click()
        seen = {"first": time.perf_counter() - began, "first_bytes": line.bytes, "first_requests": line.requests}
        nexts = []
        for n in range(1, 31):
            option.first.click()
            nexts.append(page.evaluate(TAP_AND_TIME))
            assert n == 30 or page.title() == f"Fråga {n + 1} av 30"
        page.locator("#send .primary").click()
        page.wait_for_url("**/form/done", timeout=200_000)
        return {**seen, "next": max(nexts), "whole_bytes": line.bytes}


TAP_AND_TIME = """() => new Promise(shown => {
    const began = performance.now(), button = [...document.querySelectorAll('.item .primary')]
        .find(each => each.checkVisibility())
    button.click()
    requestAnimationFrame(() => setTimeout(() => shown((performance.now() - began) / 1000)))
})"""


def surveyjs(browser: Browser, address: str) -> dict[str, float]:
    with phone(browser) as page:
        page.goto("about:blank")
        line = Line(page)
        began = time.perf_counter()
        page.goto(address, wait_until="commit", timeout=120_000)
        page.locator(".sd-item").first.click(timeout=120_000)
        return {
            "first": time.perf_counter() - began,
            "first_bytes": line.bytes,
            "first_requests": line.requests,
            "whole_bytes": line.bytes,
        }


@contextmanager
def surveyjs_page() -> Iterator[str | None]:
    """The address of the same questions in SurveyJS; None where it cannot be had."""
    with tempfile.TemporaryDirectory() as folder:
        packages = Path(os.environ.get("EPRO_SURVEYJS", folder))
        if "EPRO_SURVEYJS" not in os.environ:
            install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, *PACKAGES]
            try:
                subprocess.run(install, capture_output=True, check=True, timeout=180)
            except (OSError, subprocess.SubprocessError):
                yield None
                return
        _write_survey(Path(folder), packages / "node_modules")
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Packed, directory=folder))
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/index.html"
        server.shutdown()


def _write_survey(folder: Path, modules: Path) -> None:
    words = wording_of(_c30(), "sv")
    elements = [
        {
            "type": "radiogroup",
            "name": code,
            "title": item.text,
            "description": item.recall or "",
            "choices": [{"value": value, "text": label} for value, label in item.options],
        }
        for code, item in words.items.items()
    ]
    survey = {"questionsOnPageMode": "questionPerPage", "elements": elements}
    for name in (
        "survey-core/survey.core.min.js",
        "survey-js-ui/survey-js-ui.min.js",
        "survey-core/survey-core.min.css",
    ):
        (folder / Path(name).name).write_bytes((modules / name).read_bytes())
    (folder / "index.html").write_text(
        '<!doctype html><html lang="sv"><meta charset="utf-8"><title>Survey</title>'
        '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        '<link rel="stylesheet" href="survey-core.min.css"><script src="survey.core.min.js"></script>'
        '<script src="survey-js-ui.min.js"></script><div id="survey"></div><script>'
        f"const survey = new Survey.Model({json.dumps(survey)})\n"
        "survey.render(document.getElementById('survey'))</script>",
        encoding="utf-8",
    )


def _c30():  # type: ignore[no-untyped-def]
    import questionnaires

    return questionnaires.load("qlq-c30")


class Packed(SimpleHTTPRequestHandler):
    """Files, packed as a careful host would."""

    def do_GET(self) -> None:
        file = Path(self.translate_path(self.path))
        body = gzip.compress(file.read_bytes(), 6)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(file)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def measured(runs: int) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    """Both, taking turns."""
    mine, peers = [], []
    with tempfile.TemporaryDirectory() as folder, chromium() as browser, surveyjs_page() as peer:
        url = f"sqlite:///{folder}/epro.db"
        engine = open_engine(url)
        migrate(engine)
        engine.dispose()
        with serving(url, Path(folder)) as running:
            for n in range(1, runs + 1):
                subject = running.enrol(f"UME-{n:03d}")
                (path,) = running.tick(running.first_text_is_due_at(subject))
                mine.append(ours(browser, running.address + path))
                if peer:
                    peers.append(surveyjs(browser, peer))
    return mine, peers


def figures(runs: int) -> list[Figure]:
    mine, peers = measured(runs)

    def of(seen: list[dict[str, float]], what: str) -> float | None:
        return round(median(one[what] for one in seen), 3) if seen and what in seen[0] else None

    goals = {
        "first": ("s", f"<= {FIRST_SECONDS}", "first question tapped"),
        "first_bytes": ("bytes", f"<= {FIRST_BYTES}", "until the first question is tapped"),
        "first_requests": ("requests", f"<= {FIRST_REQUESTS}", "until the first question is tapped"),
        "next": ("s", f"<= {NEXT_SECONDS}", "the slowest next question of a form"),
        "whole_bytes": (
            "bytes",
            f"<= {WHOLE_BYTES}",
            "whole form of 30 items with 30 saves; SurveyJS without any save",
        ),
    }
    return [
        Figure(
            f"phone.{name}", of(mine, name) or 0, unit, PEER if peers else f"{PEER} absent", of(peers, name), goal, how
        )
        for name, (unit, goal, how) in goals.items()
    ] + [
        Figure(f"phone.{name}", _packed(name), "bytes", "none", None, f"<= {most}", "gzip -9")
        for name, most in (("phone.js", SCRIPT_BYTES), ("worker.js", WORKER_BYTES))
    ]


def _packed(name: str) -> int:
    return len(gzip.compress((STATIC / name).read_bytes(), 9))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.phone", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--check", action="store_true", help="exit with 1 when a goal is missed")
    asked = parser.parse_args()
    return report(figures(asked.runs), check=asked.check)


if __name__ == "__main__":
    sys.exit(main())
