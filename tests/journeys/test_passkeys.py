"""Passkeys in a real browser with a virtual authenticator, and the pages of signing in at two sizes."""

import os
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import select
from werkzeug.serving import make_server

from epro.acts import passkeys
from epro.store.database import writing
from epro.store.models import Passkey
from epro.web.app import create_app
from tests.epro.conftest import NOW, NURSE, house
from tests.journeys.browsing import chromium, needs_chromium
from tests.journeys.conftest import free_port
from tests.web.staffing import PASSWORD, Staff

__all__ = ["house"]

pytestmark = needs_chromium
PICTURES = os.environ.get("PICTURES")
SIZES = [("phone", 360, 740), ("desk", 1280, 800)]


@pytest.fixture
def strict_service(house):
    """The service of a trial that requires a second step, at an address that passkeys accept."""
    trial = house.protocol.trial.model_copy(update={"second_step": "required"})
    sections = house.protocol.sections.model_copy(update={"trial": trial})
    settings = house.settings.model_copy(update={"public_url": f"http://localhost:{free_port()}"})
    standing = replace(house, settings=settings, protocol=replace(house.protocol, sections=sections))
    app = create_app(standing)
    Staff(app, standing, "administrator")
    server = make_server("127.0.0.1", int(settings.address.rpartition(":")[2]), app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield standing
    server.shutdown()
    thread.join()


def look(page, name):
    for size, width, height in SIZES if PICTURES else []:
        page.set_viewport_size({"width": width, "height": height})
        page.screenshot(path=Path(PICTURES) / f"{name}-{size}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def device(context, page):
    """An authenticator of the browser's own, which its person has unlocked."""
    devtools = context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )


def test_a_passkey_is_set_up_at_the_first_sign_in_and_opens_the_desk_by_itself_afterwards(strict_service):
    address = strict_service.settings.address
    with chromium() as browser:
        context = browser.new_context(locale="sv-SE")
        page = context.new_page()
        device(context, page)
        page.goto(f"{address}/desk/accounts")
        look(page, "login")
        page.get_by_label("E-post").fill("administrator0@example.org")
        page.get_by_label("Lösenord").fill(PASSWORD)
        page.get_by_role("button", name="Logga in").click()
        page.wait_for_url("**/desk/account")
        look(page, "own-must")
        page.goto(f"{address}/desk/account/authenticator")
        look(page, "authenticator")
        page.goto(f"{address}/desk/account")
        page.get_by_label("Namn på enheten").fill("Testdatorn")
        page.get_by_role("button", name="Lägg till en nyckel").click()
        page.get_by_role("heading", name="Reservkoder").wait_for()
        look(page, "codes")
        page.goto(f"{address}/desk/accounts")
        look(page, "accounts")
        page.get_by_role("link", name="administrator0@example.org").click()
        look(page, "account")
        page.goto(f"{address}/desk/account")
        look(page, "own")
        page.goto(f"{address}/desk/accounts")
        page.get_by_role("button", name="Logga ut").click()
        page.get_by_role("button", name="Använd en nyckel").click()
        page.wait_for_url("**/desk/completion")
        page.get_by_role("button", name="Logga ut").click()
        page.get_by_label("E-post").fill("administrator0@example.org")
        page.get_by_label("Lösenord").fill(PASSWORD)
        page.get_by_role("button", name="Logga in").click()
        page.wait_for_url("**/desk/login/code")
        look(page, "second-step")
        page.get_by_role("button", name="Använd en nyckel").click()
        page.wait_for_url("**/desk/completion")
        with writing(strict_service.engine) as connection:
            (key,) = connection.execute(select(Passkey.id, Passkey.user_id)).all()
            passkeys.remove(connection, key.user_id, key.id, by=NURSE, now=NOW)
        page.get_by_role("button", name="Logga ut").click()
        page.get_by_role("button", name="Använd en nyckel").click()
        page.get_by_role("alert").get_by_text("Nyckeln passar inte").wait_for()
        context.close()
