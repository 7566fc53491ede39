"""A desk in a real browser over two hundred patients in mid-trial: served by this process, at an hour that stands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Browser, Locator, Page
from twilio.request_validator import RequestValidator
from werkzeug.serving import WSGIRequestHandler, make_server

from benchmarks.wards import BASE_SITES, NOW, fill, house_of
from epro.acts import users
from epro.house import House
from epro.rehearsal.numbers import fictional_e164, fictional_mobile
from epro.settings import Settings
from epro.store.database import reading, writing
from epro.web.app import create_app
from scheduler import ledger
from tests.epro.conftest import NURSE, Desk
from tests.journeys.conftest import free_port
from tests.queries.conftest import Course
from tests.web.conftest import Clock
from tests.web.staffing import PASSWORD, quick_passwords

OWN, OTHER = "SAB", "SAC"  # the site of our nurse, and another's
TODAY = NOW.date()
SECRET, PUBLIC = "the carrier's secret", "https://forms.example.org"
TWILIO = {
    "carrier": "twilio",
    "twilio_account_sid": "AC" + "0" * 32,
    "twilio_auth_token": SECRET,
    "twilio_sender": fictional_e164(1),
    "public_url": PUBLIC,
}


class Quietly(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@dataclass
class Ward:
    """The house, its clock, and what happens to its patients outside of the browser."""

    house: House
    clock: Clock
    address: str

    @contextmanager
    def staff(self, browser: Browser, role: str = "nurse", site: str = OWN, **traits: Any) -> Iterator[Page]:
        """A page of somebody who has just signed in, in English."""
        email = f"{role}.{site.lower()}@example.org"
        self._known(email, role, [site] if role in users.AT_OWN_SITES else [])
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "locale": "en-GB", **traits})
        page = context.new_page()
        page.goto(f"{self.address}/desk")
        sign_in(page, email)
        yield page
        context.close()

    def enrol(self, subject: str, on: date, **changes: object) -> str:
        """A patient who was randomised on that day, and has a phone of her own."""
        asked = {
            "consented_on": on,
            "randomised_on": on,
            "arm": "surgery",
            "phone": fictional_mobile(int(subject[-3:])),
        }
        return self.then(on).enrol(subject, **{**asked, **changes})

    def then(self, on: date) -> Desk:
        """The acts of a nurse at noon of a day."""
        return Desk(self.house, datetime.combine(on, time(12), UTC))

    def send_what_was_due(self, subject: str) -> Course:
        """Every text of hers that was due by now has left, each at its hour. Returns whoever carried them."""
        course = Course(self.house)
        with reading(self.house.engine) as connection:
            due = sorted(text.send_at for text in ledger.rows(connection, subject) if text.send_at)
        for at in due:
            if at <= NOW:
                course.tick(at)
        return course

    def carrier_says(self, token: str, status: str, code: int) -> int:
        """One signed callback about the text that left under this token. Returns the status of our answer."""
        settings = Settings(**{**self.house.settings.model_dump(), **TWILIO})
        client = create_app(replace(self.house, settings=settings, clock=self.clock)).test_client()
        path = "/webhooks/twilio/receipt?" + urlencode({"attempt": token})
        told = {"MessageSid": "SM1", "MessageStatus": status, "ErrorCode": str(code), "To": fictional_e164(2)}
        signature = RequestValidator(SECRET).compute_signature(PUBLIC + path, told)
        return client.post(path, data=told, headers={"X-Twilio-Signature": signature}).status_code

    @contextmanager
    def later(self, **span: int) -> Iterator[None]:
        """Meanwhile the clock stands later."""
        self.clock.now = NOW + timedelta(**span)
        yield
        self.clock.now = NOW

    def _known(self, email: str, role: str, sites: list[str]) -> None:
        with quick_passwords(), writing(self.house.engine) as connection:
            if email not in [account.email for account in users.accounts(connection)]:
                asked = {"email": email, "name": "Some One", "role": role, "sites": sites, "password": PASSWORD}
                users.add(connection, self.house.protocol, **asked, by=NURSE, now=NOW)  # type: ignore[arg-type]


@contextmanager
def ward_in(home: Path) -> Iterator[Ward]:
    """The ward of the desk's benchmark, served until the block ends."""
    clock = Clock()
    house = replace(house_of(f"sqlite:///{home / 'epro.db'}", home, BASE_SITES, durable=False), clock=clock)
    fill(house, 1)
    port = free_port()
    server = make_server("127.0.0.1", port, create_app(house), threaded=True, request_handler=Quietly)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield Ward(house, clock, f"http://127.0.0.1:{port}")
    server.shutdown()
    thread.join()
    house.engine.dispose()


def sign_in(page: Page, email: str) -> None:
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Sign out").wait_for()


def rows(page: Page, subject: str, section: str = "main") -> Locator:
    return page.locator(section).get_by_role("row").filter(has_text=subject)
