"""Passkeys in a real browser with a virtual authenticator, and the pages of signing in at two sizes."""

import os
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
from axe_playwright_python.sync_playwright import Axe
from sqlalchemy import select
from werkzeug.serving import make_server

from epro.acts import passkeys
from epro.store.database import writing
from epro.store.models import Passkey, Signature
from epro.web.app import create_app
from tests.epro.conftest import NOW, NURSE, Desk, house
from tests.journeys.browsing import RULES, chromium, needs_chromium
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
    for role in ("administrator", "investigator"):
        Staff(app, standing, role, ["UME"] if role == "investigator" else [])
    Desk(standing).enrol()
    server = make_server("127.0.0.1", int(settings.address.rpartition(":")[2]), app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield standing
    server.shutdown()
    thread.join()


def look(page, name):
    """No rule of accessibility is broken, and nothing sticks out on a phone or at a desk."""
    violations = Axe().run(page, options={"runOnly": [rule for rule in RULES if rule != "wcag2aaa"]}).response
    assert [(name, each["id"], each["nodes"][0]["html"]) for each in violations["violations"]] == []
    for size, width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        if PICTURES:
            page.screenshot(path=Path(PICTURES) / f"{name}-{size}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0, name


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
        page.goto(f"{address}/desk/setup/no-such-link")
        look(page, "setup-gone")
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
        page.wait_for_url("**/desk/accounts/*")
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


WORDS = {  # what a person reads and presses, by language
    "sv-SE": {
        **{"mail": "E-post", "password": "Lösenord", "sign in": "Logga in", "device": "Namn på enheten"},
        **{"add": "Lägg till en nyckel", "codes": "Reservkoder", "meaning": "Vad betyder underskriften?"},
        **{"mine": "Din e-postadress, en gång till", "again": "Ditt lösenord, en gång till", "sign": "Skriv under"},
    },
    "en-GB": {
        **{"mail": "E-mail", "password": "Password", "sign in": "Sign in", "device": "Name of this device"},
        **{"add": "Add a passkey", "codes": "Recovery codes", "meaning": "What does the signature mean?"},
        **{"mine": "Your e-mail, once more", "again": "Your password, once more", "sign": "Sign"},
    },
}


@pytest.mark.requirement("trust-26", "trust-28")
@pytest.mark.parametrize("language", WORDS)
def test_an_investigator_signs_locks_and_unlocks_with_password_and_passkey(strict_service, language):
    address, words = strict_service.settings.address, WORDS[language]
    email = "investigator1ume@example.org"
    with chromium() as browser:
        context = browser.new_context(locale=language)
        page = context.new_page()
        device(context, page)
        page.goto(f"{address}/desk/patients/UME-001/signatures")
        page.get_by_label(words["mail"]).fill(email)
        page.get_by_label(words["password"]).fill(PASSWORD)
        page.get_by_role("button", name=words["sign in"], exact=True).click()
        page.get_by_label(words["device"]).fill("Reading room")
        page.get_by_role("button", name=words["add"]).click()
        page.get_by_role("heading", name=words["codes"]).wait_for()

        def sign(form, rows):
            form.get_by_label(words["mine"]).fill(email)
            form.get_by_label(words["again"]).fill(PASSWORD)
            form.locator("button.main").click()
            page.locator("table tbody th").nth(rows - 1).wait_for()

        page.goto(f"{address}/desk/patients/UME-001/signatures")
        look(page, f"sign-{language}")
        page.get_by_label(words["meaning"]).select_option("confirmed")
        sign(page.locator("form.passkey"), 1)
        look(page, f"signed-{language}")

        page.goto(f"{address}/desk/signing")
        page.locator("summary").first.click()
        look(page, f"cut-{language}")
        form = page.locator("form[action$='/UME']")
        form.locator("[name=cut_on]").fill("2027-02-28")
        form.locator("[name=meaning]").select_option("confirmed")
        form.locator("[name=lock]").check()
        sign(form, 1)
        page.locator("details.grave summary").click()
        look(page, f"locked-{language}")
        form = page.locator("form[action$='/unlock']")
        form.locator("[name=reason]").fill("a question")
        sign(form, 2)

        page.goto(f"{address}/desk/patients/UME-001/trail")
        look(page, f"trail-{language}")
        page.goto(f"{address}/desk/patients/UME-001/looks")
        look(page, f"looks-{language}")
        page.goto(f"{address}/desk/accounts")  # which she may not open
        look(page, f"denied-{language}")
        page.goto(f"{address}/desk/patients/GBG-404")
        look(page, f"gone-{language}")
        context.close()
    with writing(strict_service.engine) as connection:
        kept = connection.execute(select(Signature.meaning, Signature.email).order_by(Signature.id)).all()
    assert [row.email for row in kept] == [email] * 3
