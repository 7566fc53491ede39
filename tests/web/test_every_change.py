"""Every route that can change something, asked with values that make it succeed: the trail tells what changes."""

import copy
import json
from dataclasses import replace
from datetime import date
from io import BytesIO
from urllib.parse import urlencode

import pytest
from sqlalchemy import select
from twilio.request_validator import RequestValidator

from epro.acts import patients, users
from epro.acts.alerts import CLOCK
from epro.acts.amendments import Amendment, amend
from epro.opening import OUTBOX, in_force, letters_of
from epro.protocol import read_protocol
from epro.queries.alerts import open_alerts
from epro.settings import Settings
from epro.store import facts
from epro.store.audit import entry
from epro.store.database import reading, writing
from epro.store.models import Passkey, PatientEvent
from epro.web.app import create_app
from epro.web.desk.acts import ACTS
from epro.web.desk.gate import ROLES_WITH
from scheduler.dispatch import tick
from tests.epro.conftest import NOW, NURSE, Desk
from tests.queries.conftest import RANDOMISED, Course, Post
from tests.web.changes import untold
from tests.web.conftest import Browser, contents_of
from tests.web.passkey import SoftPasskey
from tests.web.staffing import ENROLMENT, PASSWORD, Staff, code_of, quick_passwords, ticked, with_authenticator

DAY = "2027-03-01"
PUBLIC, SECRET = "https://forms.example.org", "the carrier's secret"
CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
SCENES = {}


def scene(endpoint):
    """A scene prepares what its route takes and returns the request itself, to be made afterwards."""

    def keep(prepare):
        SCENES[endpoint] = prepare
        return prepare

    return keep


class World:
    """A small house, and whoever acts in it."""

    def __init__(self, house, app, clock, link, folder):
        self.house, self.app, self.clock, self.link, self.folder = house, app, clock, link, folder
        self.desk, self.course = Desk(house), Course(house)

    def staff(self, role="nurse", app=None):
        return Staff(app or self.app, self.house, role, ["UME"] if role in users.AT_OWN_SITES else [])

    def browser(self):
        return Browser(self.app)

    def user(self, email="other@example.org", role="monitor", password=PASSWORD):
        asked = {"email": email, "name": "Other", "role": role, "sites": [], "password": password}
        with quick_passwords(), writing(self.house.engine) as connection:
            return users.add(connection, self.house.protocol, **asked, by=NURSE, now=NOW)

    def do(self, act, *asked, **more):
        with writing(self.house.engine) as connection:
            return act(connection, *asked, **more, by=NURSE, now=NOW)

    def sitting(self):
        """A patient's browser that has begun her form, and that form's page."""
        self.desk.enrol()
        browser = self.browser()
        return browser, browser.begin(self.link())


@pytest.fixture
def world(house, app, clock, link, tmp_path):
    return World(house, app, clock, link, tmp_path)


def mutating(app):
    return {rule.endpoint for rule in app.url_map.iter_rules() if rule.methods & CHANGING}


# ---- the desk: of one patient


def of_patient(what, role="nurse", prepare=lambda world: world.desk.enrol(), **fields):
    def prepared(world):
        prepare(world)
        one = world.staff(role)
        return lambda: one.record(what, **fields)

    return prepared


def enrolled_earlier(world):
    world.desk.enrol(consented_on=date(2027, 2, 20), **RANDOMISED)


def paused(world):
    world.desk.enrol()
    world.staff("investigator").record("pause", until="2027-03-20", reason="on a journey")


CORRECTED = {"randomised_on": "2027-02-25", "reason": "read wrongly", "confirmed": "yes"}
ENTERED = {f"qlq-c30.q{n}": "2" for n in range(1, 31)}
NEW_NUMBER = {"phone": "070-174 06 07", "phone_again": "070-174 06 07"}
SCENES |= {
    "desk.randomise": of_patient("randomisation", randomised_on=DAY, arm="surgery"),
    "desk.correct_randomisation": of_patient("randomisation/correction", prepare=enrolled_earlier, **CORRECTED),
    "desk.record_surgery": of_patient("surgery", prepare=enrolled_earlier, happened_on=DAY),
    "desk.record_progression": of_patient("progression", prepare=enrolled_earlier, happened_on=DAY),
    "desk.record_discharge": of_patient("discharge", prepare=enrolled_earlier, happened_on=DAY),
    "desk.record_seen": of_patient("seen", happened_on=DAY),
    "desk.record_death": of_patient("death", prepare=enrolled_earlier, happened_on=DAY),
    "desk.withdraw": of_patient("withdrawal", happened_on=DAY, reason="own wish", erase="yes"),
    "desk.change_number": of_patient("number", **NEW_NUMBER),
    "desk.change_email": of_patient("email", email="her@example.org"),
    "desk.change_permission": of_patient("permission", texts_allowed="no"),
    "desk.issue_card": of_patient("card"),
    "desk.send_first_text": of_patient("first-text"),
    "desk.hand_over": of_patient("tablet/BL"),
    "desk.pause": of_patient("pause", until="2027-03-20", reason="on a journey"),
    "desk.end_pause": of_patient("pause/end", prepare=paused),
    "desk.confirm_alive": of_patient("alive"),
    "desk.change_zone": of_patient("zone", zone="Europe/London", reason="moved"),
    "desk.call": of_patient("call", visit="BL"),
    "desk.log_call": of_patient("called", outcome="will_answer", note="in the evening"),
    "desk.send_again": of_patient("visits/BL/again"),
    "desk.give_reason": of_patient("visits/BL/reason", reason="too_ill"),
    "desk.enter_paper": of_patient("visits/BL/paper", on=DAY, **ENTERED),
    "desk.enter_phone": of_patient("visits/BL/phone", **ENTERED),
    "desk.review_trail": of_patient("trail/review", role="monitor", found="nothing to remark"),
}


def of_calendar(what):
    def prepared(world):
        nurse = world.staff()
        nurse.post("/desk/calendar")
        return lambda: nurse.post(what)

    return prepared


SCENES |= {
    "desk.make_calendar": of_calendar("/desk/calendar"),
    "desk.end_calendar": of_calendar("/desk/calendar/end"),
}


@scene("desk.acknowledge")
def _(world):
    world.desk.enrol()
    nurse = world.staff()
    with (
        writing(world.house.engine) as connection,
        entry(connection, chain="UME", action="alert raised", by=CLOCK, at=NOW) as opened,
    ):
        patients.happened(opened, "UME-001", facts.ALERT_RAISED, date(2027, 3, 1), value="fatigue:BL")
    with reading(world.house.engine) as connection:
        [alert] = open_alerts(connection)
    return lambda: nurse.record(f"alerts/{alert.id}", note="called her, the ward knows")


@scene("desk.undo")
def _(world):
    world.desk.enrol()
    world.desk.act(patients.record_death, "UME-001", on=date(2027, 3, 1))
    with reading(world.house.engine) as connection:
        event = connection.execute(select(PatientEvent.id).where(PatientEvent.kind == "death")).scalar_one()
    nurse = world.staff()
    return lambda: nurse.record("undo", event=str(event), reason="another patient's")


@scene("desk.consent_anew")
def _(world):
    world.desk.enrol(**RANDOMISED)
    app = create_app(in_force(replace(world.house, clock=world.clock)))
    text = world.house.protocol.document.text.replace("[visit.M9]", "[visit.M10]").replace(
        "n = 9, unit", "n = 10, unit"
    )
    (world.folder / "amended.toml").write_text(text, encoding="utf-8")
    world.do(amend, Amendment(read_protocol(world.folder / "amended.toml"), "consent", date(2027, 3, 2)))
    world.clock.wait(days=2)
    nurse = world.staff(app=app)
    return lambda: nurse.record("consent", happened_on="2027-03-03")


@scene("desk.change_second_step")
def _(world):
    trial = world.house.protocol.trial.model_copy(update={"identity_step": "pin"})
    sections = world.house.protocol.sections.model_copy(update={"trial": trial})
    world.desk.enrol()
    protocol = replace(world.house.protocol, sections=sections)
    nurse = world.staff(app=create_app(replace(world.house, protocol=protocol, clock=world.clock)))
    return lambda: nurse.record("second-step", second_step="7391")


# ---- the desk: enrolment, answers, signatures, export, accounts


@scene("desk.enrol")
def _(world):
    fields, nurse = {**ENROLMENT, **ticked(world.house), "email": "her@example.org"}, world.staff()
    return lambda: nurse.post("/desk/patients/new", **fields)


def sends_a_file(path):
    """The page that shows what a file would do, and the one that does it."""

    def prepared(world):
        head = "subject;site;language;consented_on;eligible;texts_allowed;er;metastases;phone"
        rows = "UME-001;UME;sv;2027-03-01;yes;yes;pos;1;070-174 06 05\nUME-002;UME;en;2027-03-01;yes;no;neg;2-4;\n"
        office = world.staff("trial_office")

        def tried():
            file = (BytesIO(f"{head}\n{rows}".encode()), "patients.csv")
            return office.post("/desk/imports", kind="patients", file=file)

        if path == "/desk/imports":
            return tried
        carried = tried().text.split('name="carried" value="')[1].split('"')[0]
        return lambda: office.post(path, kind="patients", carried=carried)

    return prepared


SCENES |= {
    "desk.try_file": sends_a_file("/desk/imports"),
    "desk.import_file": sends_a_file("/desk/imports/confirmed"),
}


@scene("desk.preview_dates")
def _(world):
    nurse = world.staff()
    return lambda: nurse.post("/desk/patients/new/dates", **ENROLMENT)


@scene("desk.search")
def _(world):
    world.desk.enrol()
    nurse = world.staff()
    return lambda: nurse.post("/desk/patients/search", subject="UME-001")


@scene("desk.correct_answer")
def _(world):
    world.desk.enrol()
    world.course.answer("UME-001", "BL", NOW)
    why = {"reason": "source", "words": "paper says otherwise", "originator": "paper"}
    nurse = world.staff()
    return lambda: nurse.record("visits/BL/qlq-c30/q12", value="3", **why)


def signs(path, **fields):
    def prepared(world):
        world.desk.enrol()
        world.course.answer("UME-001", "BL", NOW)
        one = world.staff("investigator")
        given = {"email": one.email, "password": PASSWORD, "meaning": "confirmed"}
        if path.endswith("unlock"):
            one.post("/desk/signing/UME", cut_on=DAY, lock="yes", **given)
        return lambda: one.post(path, **given, **fields)

    return prepared


SCENES |= {
    "desk.sign_record": signs("/desk/patients/UME-001/signatures"),
    "desk.sign_cut": signs("/desk/signing/UME", cut_on=DAY, lock="yes"),
    "desk.unlock": signs("/desk/signing/UME/unlock", reason="a question of the sponsor"),
}


@scene("desk.export_data")
def _(world):
    world.desk.enrol()
    analyst = world.staff("analyst")
    return lambda: analyst.post("/desk/export")


def of_account(what, prepare=lambda world, user: None, **fields):
    def prepared(world):
        boss, user = world.staff("administrator"), world.user()
        prepare(world, user)
        return lambda: boss.post(f"/desk/accounts/{user}/{what}", **fields)

    return prepared


def with_second_step(world, user):
    with_authenticator(Staff.signed_in(world.app, "other@example.org"))


SCENES |= {
    "desk.change_access": of_account("access", role="trial_office"),
    "desk.disable": of_account("disable"),
    "desk.enable": of_account("enable", prepare=lambda world, user: world.do(users.disable, user)),
    "desk.reset_second_step": of_account("second-step", prepare=with_second_step),
    "desk.new_link": of_account("link"),
}


@scene("desk.invite")
def _(world):
    boss = world.staff("administrator")
    return lambda: boss.post("/desk/accounts", email="new@example.org", name="New", role="nurse", sites="UME")


# ---- accounts


@scene("accounts.give_password")
def _(world):
    world.user()
    browser = world.browser()
    page = browser.open("/desk/login")
    return lambda: sent(browser, "/desk/login", page, email="other@example.org", password=PASSWORD)


@scene("accounts.give_code")
def _(world):
    one = world.staff()
    secret, _ = with_authenticator(one)
    world.clock.wait(minutes=2)
    browser = world.browser()
    page = browser.press(browser.open("/desk/login"), email=one.email, password=PASSWORD)
    return lambda: sent(browser, "/desk/login/code", page, code=code_of(secret, world.clock.now))


def asked(one, path):
    """What a browser is told when it asks for a challenge."""
    return json.loads(one.post(path).text)


def with_passkey(world):
    one, key = world.staff(), SoftPasskey(world.house.settings.address)
    made = key.made_for(asked(one, "/desk/account/passkey/options"))
    assert one.post("/desk/account/passkey", credential=made, name="desk").status_code < 400
    one.token = one.open("/desk/account").fields["csrf_token"]
    return one, key


@scene("accounts.passkey_options")
def _(world):
    browser = world.browser()
    page = browser.open("/desk/login")
    return lambda: sent(browser, "/desk/login/passkey/options", page)


@scene("accounts.give_passkey")
def _(world):
    _, key = with_passkey(world)
    browser = world.browser()
    page = browser.open("/desk/login")
    options = json.loads(sent(browser, "/desk/login/passkey/options", page).text)
    return lambda: sent(browser, "/desk/login/passkey", page, credential=key.signed_for(options))


@scene("accounts.show_again")
def _(world):
    one = world.staff()
    return lambda: one.post("/desk/again", password=PASSWORD)


@scene("accounts.choose_first_password")
def _(world):
    token = world.do(users.setup_link, world.user(password=None))
    browser, new = world.browser(), "seven purple walruses"
    page = browser.open(f"/desk/setup/{token}")
    return lambda: sent(browser, f"/desk/setup/{token}", page, password=new, password_again=new)


@scene("accounts.logout")
def _(world):
    one = world.staff()
    return lambda: one.post("/desk/logout")


@scene("accounts.keep_authenticator")
def _(world):
    one = world.staff()
    page = one.open("/desk/account/authenticator")
    secret = page.html.split('class="secret">')[1].split("<")[0].replace(" ", "").replace("-", "")
    code = code_of(secret, world.clock.now)
    return lambda: sent(one, "/desk/account/authenticator", page, code=code)


@scene("accounts.new_recovery_codes")
def _(world):
    one = world.staff()
    with_authenticator(one)
    return lambda: one.post("/desk/account/recovery")


@scene("accounts.new_passkey_options")
def _(world):
    one = world.staff()
    return lambda: one.post("/desk/account/passkey/options")


@scene("accounts.keep_passkey")
def _(world):
    one, key = world.staff(), SoftPasskey(world.house.settings.address)
    made = key.made_for(asked(one, "/desk/account/passkey/options"))
    return lambda: one.post("/desk/account/passkey", credential=made, name="desk")


@scene("accounts.remove_passkey")
def _(world):
    one, _ = with_passkey(world)
    with reading(world.house.engine) as connection:
        key = connection.execute(select(Passkey.id)).scalar_one()
    return lambda: one.post(f"/desk/account/passkey/{key}/remove")


@scene("accounts.change_password")
def _(world):
    one, new = world.staff(), "seven purple walruses"
    return lambda: one.post("/desk/account/password", password=new, password_again=new)


# ---- a patient


def sent(browser, path, page, **fields):
    """The answer itself, without going where it leads."""
    return browser.client.post(path, data={**page.fields, **fields}, headers=browser.headers)


@scene("arriving.enter")
def _(world):
    world.desk.enrol()
    nurse = world.staff()
    nurse.record("card")
    card = nurse.open("/desk/patients/UME-001/card").html
    code = card.split('class="code">')[1].split("<")[0]
    browser = world.browser()
    page = browser.open("/")
    return lambda: sent(browser, "/", page, code=code)


@scene("arriving.opened_first_text")
def _(world):
    world.desk.enrol()
    world.staff().record("first-text")
    (text,) = (world.house.settings.home / OUTBOX).glob("*.txt")
    path = "/t/" + text.read_text(encoding="utf-8").split("/t/")[1].split()[0]
    browser = world.browser()
    page = browser.open(path)
    return lambda: sent(browser, path, page)


@scene("arriving.begin")
def _(world):
    world.desk.enrol()
    browser, token = world.browser(), world.link()
    page = browser.open(f"/p/{token}")
    return lambda: sent(browser, f"/p/{token}", page)


@scene("arriving.deny")
def _(world):
    world.desk.enrol()
    browser, token = world.browser(), world.link()
    page = browser.open(f"/p/{token}/not-me")
    return lambda: sent(browser, f"/p/{token}/not-me", page, why="wrong_number")


@scene("saving.save")
def _(world):
    browser, _ = world.sitting()
    ticket = browser.open("/form").html.split('"ticket": "')[1].split('"')[0]
    said = {"ticket": ticket, "name": "qlq-c30.q1", "value": "3", "key": "a" * 32}
    return lambda: browser.client.post("/form/answer", data=said)


@scene("patient.change_language")
def _(world):
    browser, page = world.sitting()
    return lambda: sent(browser, "/form/language", page, language="en")


@scene("patient.answer")
def _(world):
    browser, page = world.sitting()
    return lambda: sent(browser, "/form/1", page, value="2")


@scene("patient.submit")
def _(world):
    browser, _ = world.sitting()
    browser.answer(1, 30)
    page = browser.open("/form/review")
    return lambda: sent(browser, "/form/submit", page)


# ---- the carrier


def called(world, path, fields):
    twilio = {"carrier": "twilio", "twilio_account_sid": "AC" + "0" * 32, "twilio_auth_token": SECRET}
    settings = {**world.house.settings.model_dump(), **twilio, "twilio_sender": "+46701740699", "public_url": PUBLIC}
    app = create_app(replace(world.house, settings=Settings(**settings), clock=world.clock))
    headers = {"X-Twilio-Signature": RequestValidator(SECRET).compute_signature(PUBLIC + path, fields)}
    return lambda: app.test_client().post(path, data=fields, headers=headers)


@scene("webhooks.reply")
def _(world):
    world.desk.enrol()
    text = {"MessageSid": "SM1", "From": "+46701740605", "To": "+46701740699", "Body": "STOP"}
    return called(world, "/webhooks/twilio/reply", text)


@scene("webhooks.receipt")
def _(world):
    world.desk.enrol()
    world.clock.wait(days=1)
    post = Post()
    tick(world.house.engine, world.clock.now, letters_of(world.house), post)
    path = "/webhooks/twilio/receipt?" + urlencode({"attempt": post.attempts[0]})
    told = {"MessageSid": "SM1", "To": "+46701740605", "From": "+46701740699"}
    return called(world, path, {**told, "MessageStatus": "undelivered", "ErrorCode": "30005"})


# ---- what holds for all of them


def test_every_route_that_can_change_something_is_asked_here(app):
    assert mutating(app) == set(SCENES)


@pytest.mark.requirement("trust-1", "trust-2", "abuse-8")
@pytest.mark.parametrize("endpoint", sorted(SCENES))
def test_what_a_route_changes_is_exactly_what_the_trail_tells(world, endpoint):
    ask = SCENES[endpoint](world)
    before = contents_of(world.house)

    response = ask()

    assert response.status_code < 400, response.text
    after = contents_of(world.house)
    assert untold(before, after) == []
    if endpoint not in ONLY_ASK:
        assert len(after["audit"]) > len(before["audit"])
    of_patients = {row["action"] for row in after["audit"].values() if row["subject"]}
    assert of_patients <= set(ACTS), "an act without words for the page of the trail: epro/web/desk/acts.py"


ONLY_ASK = {
    "accounts.passkey_options",
    "accounts.new_passkey_options",
    "desk.call",  # a look, which has a table of its own
    "desk.search",  # likewise
    "desk.preview_dates",  # writes nothing
    "desk.try_file",  # carried out and undone
    "webhooks.receipt",  # the ledger's events tell
}


def test_a_change_that_nobody_tells_of_is_seen(world):
    """The comparison itself: one bent cell, one bent entry, one row too many."""
    ask = SCENES["desk.record_death"](world)
    before = contents_of(world.house)
    ask()
    after = contents_of(world.house)
    assert untold(before, after) == []

    bent = copy.deepcopy(after)
    bent["patient"][("UME-001",)]["language"] = "en"
    assert untold(before, bent) == ["patient UME-001 language: changed otherwise than told"]
    bent = copy.deepcopy(after)
    (last,) = [row for key, row in bent["audit"].items() if key not in before["audit"]]
    last["changes"] = last["changes"][1:]
    assert untold(before, bent) != []
    bent = copy.deepcopy(after)
    (contact,) = bent["contact"].values()
    bent["contact"][(0,)] = {**contact, "id": 0}
    assert untold(before, bent) != []


@pytest.mark.requirement("abuse-29", "trust-13", "trust-39")
def test_an_analyst_changes_no_value_and_sees_no_contact_data(world):
    world.desk.enrol()
    world.course.answer("UME-001", "BL", NOW)
    analyst = world.staff("analyst")
    values = {"subject": "UME-001", "visit": "BL", "instrument": "qlq-c30", "item": "q12", "site": "UME"} | {
        "user": 1,
        "alert": 1,
        "file": 1,
    }
    for rule in world.app.url_map.iter_rules():
        ability = getattr(world.app.view_functions[rule.endpoint], "ability", None)
        if not ability or rule.endpoint == "desk.export_data":
            continue
        with world.app.test_request_context():
            path = rule.build({name: values[name] for name in rule.arguments})[1]
        before = contents_of(world.house)
        if "GET" in rule.methods:
            page = analyst.client.get(path)
            assert "0740605" not in page.text.replace("-", "").replace(" ", ""), path
        else:
            page = analyst.post(path, happened_on=DAY, value="3", reason="source", words="x", originator="paper")
            assert page.status_code == 403, path
        assert (page.status_code == 403) == ("analyst" not in ROLES_WITH[ability]), path
        after = contents_of(world.house)
        changed = {name for name in after if after[name] != before[name]}
        assert changed <= {"access", "staff_session"}, path
