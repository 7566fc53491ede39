"""Signing in and out, and who may do what at the desk."""

import hashlib
import re
import zipfile
from io import BytesIO
from urllib.parse import urljoin, urlsplit

import pytest
from flask import url_for
from passlib.context import CryptContext
from passlib.hash import argon2
from sqlalchemy import select

from epro.acts import users
from epro.refusals import Refusal
from epro.store.database import reading, writing
from epro.store.models import Audit, User
from epro.web.audiences import AUDIENCES, UnlistedRoute, check
from epro.web.desk.gate import ROLES_WITH
from tests.epro.conftest import NOW, NURSE
from tests.web.staffing import PASSWORD, Staff, sign_in

STANDING = {
    "subject": "UME-001",
    "visit": "BL",
    "alert": 1,
    "file": 1,
    "user": 0,
    "instrument": "qlq-c30",
    "item": "q1",
    "site": "UME",
}


def desk_routes(app):
    return [
        (method, rule)
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("desk.")
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"})
    ]


def address(app, rule):
    with app.test_request_context():
        return url_for(rule.endpoint, **{name: STANDING[name] for name in rule.arguments})


def ask(browser, app, method, rule, token):
    if method == "GET":
        return browser.client.get(address(app, rule))
    return browser.client.post(address(app, rule), data={"csrf_token": token})


@pytest.fixture
def nurse(app, house):
    return Staff(app, house)


def test_no_page_of_the_desk_opens_without_signing_in(app, browser, desk):
    desk.enrol()
    token = browser.open("/desk/login").fields["csrf_token"]
    for method, rule in desk_routes(app):
        response = ask(browser, app, method, rule, token)

        assert (response.status_code, response.location.split("?")[0]) == (303, "/desk/login"), rule


def test_every_route_of_the_desk_names_an_ability_that_exists(app):
    abilities = [getattr(app.view_functions[rule.endpoint], "ability", None) for _, rule in desk_routes(app)]

    assert set(abilities) <= set(ROLES_WITH)


def test_a_route_that_names_no_ability_opens_for_nobody(app, nurse, monkeypatch):
    monkeypatch.delattr(app.view_functions["desk.completion_table"], "ability")

    assert nurse.open("/desk/completion").status == 403


@pytest.mark.requirement("trust-13", "trust-20")
@pytest.mark.parametrize("role", users.ROLES)
def test_every_role_reaches_exactly_what_the_table_gives_it(app, house, desk, role):
    desk.enrol()
    one = Staff(app, house, role)
    for method, rule in sorted(desk_routes(app), key=lambda asked: asked[1].endpoint == "desk.hand_over"):
        ability = app.view_functions[rule.endpoint].ability

        response = ask(one, app, method, rule, one.token)  # handing over the tablet, at last, signs out

        assert "/desk/login" not in (response.location or "") or rule.endpoint == "desk.hand_over", (role, rule)
        assert (response.status_code == 403) == (role not in ROLES_WITH[ability]), (role, rule)


@pytest.mark.requirement("trust-20", "abuse-10")
def test_a_nurse_of_one_site_finds_no_patient_of_another(app, house, desk):
    desk.enrol("UME-001")
    desk.enrol("GBG-001")
    umea = Staff(app, house, sites=["UME"])

    assert umea.open("/desk/patients/UME-001").status == 200
    assert umea.open("/desk/patients/GBG-001").status == 404
    assert umea.open("/desk/patients/GBG-404").status == 404
    assert umea.record("death", "GBG-001", happened_on="2027-03-01").status_code == 404
    assert "GBG-001" not in umea.open("/desk").html
    assert umea.open("/desk?site=GBG").status == 404
    assert "GBG-001" not in umea.press(umea.open("/desk"), "/desk/patients/search", subject="001").html


@pytest.mark.requirement("trust-20", "abuse-10")
def test_no_page_of_a_nurse_is_another_when_another_site_has_a_patient(app, house, desk):
    """Not a count, a choice, an order or a word tells that the other patient exists."""
    desk.enrol("UME-001")
    umea = Staff(app, house, sites=["UME"])
    paths = [address(app, rule) for method, rule in desk_routes(app) if method == "GET" and rule.endpoint not in KEPT]
    asked = [path.replace("UME-001", subject) for path in paths for subject in ("UME-001", "GBG-001", "GBG-404")]

    def seen():
        pages = {path: umea.client.get(path) for path in asked}
        return {path: (page.status_code, ONCE.sub("", page.text)) for path, page in pages.items()}

    before = seen()
    desk.enrol("GBG-001", phone="070-174 06 06")

    assert {path for path, page in seen().items() if page != before[path]} == set()


KEPT = {"desk.trail", "desk.looks", "desk.trail_as_csv", "desk.trail_as_json"}  # which tell of each look itself
ONCE = re.compile(r'value="[^"]{60,}"|nonce="[^"]+"|ticket="[^"]+"')  # tokens that each page has of its own


@pytest.mark.requirement("abuse-10")
def test_a_nurse_of_one_site_enrols_at_no_other(app, house):
    umea = Staff(app, house, sites=["UME"])

    response = umea.enrol(house, subject="GBG-001", site="GBG")

    assert response.status_code == 422
    assert "Choose one of your own sites." in response.text


def test_a_wrong_password_an_unknown_account_and_a_closed_one_look_the_same(app, house, browser):
    known = Staff(app, house)
    with writing(house.engine) as connection:
        closed = users.add(
            connection,
            house.protocol,
            email="closed@example.org",
            name="C",
            role="nurse",
            sites=[],
            password=PASSWORD,
            by=NURSE,
            now=NOW,
        )
        users.disable(connection, closed, by=NURSE, now=NOW)
    pages = [
        sign_in(browser, known.email, "wrong"),
        sign_in(browser, "nobody@example.org", "wrong"),
        sign_in(browser, "closed@example.org"),
    ]

    said = {page.words.replace("\n", " ").strip() for page in pages}

    assert len(said) == 1
    assert "Fel e-post eller lösenord" in said.pop()
    assert browser.open("/desk").path == "/desk/login"


@pytest.mark.requirement("trust-24")
def test_whoever_is_asked_for_one_password_is_hashed_and_no_more(app, house, browser, monkeypatch):
    """So that the time of an answer tells nobody which accounts exist, are closed, or have no password yet."""
    known = Staff(app, house)
    for email, password in (("closed@example.org", PASSWORD), ("invited@example.org", None)):
        with writing(house.engine) as connection:
            asked = {"email": email, "name": "C", "role": "monitor", "sites": [], "password": password}
            user = users.add(connection, house.protocol, **asked, by=NURSE, now=NOW)
            if password:
                users.disable(connection, user, by=NURSE, now=NOW)
    hashed = []
    verify = CryptContext.verify

    def counted(context, *asked, **more):
        hashed.append(1)
        return verify(context, *asked, **more)

    monkeypatch.setattr(CryptContext, "verify", counted)
    page = browser.open("/desk/login")
    counts = {}
    for email in (known.email, "closed@example.org", "invited@example.org", "nobody@example.org", "", "x" * 300):
        for password in ("wrong", "", PASSWORD + "!", "x" * 5000):
            before = len(hashed)
            browser.press(page, "/desk/login", email=email, password=password)
            counts[email, password] = len(hashed) - before

    assert set(counts.values()) == {1}


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "https:evil.example"]
)
def test_signing_in_leads_to_no_other_host(app, house, browser, elsewhere):
    known = Staff(app, house)
    page = browser.open("/desk/login")

    data = {**page.fields, "email": known.email, "password": PASSWORD, "next": elsewhere}
    response = browser.client.post("/desk/login", data=data)

    assert urlsplit(urljoin("http://localhost/desk/login", response.location or "")).netloc == "localhost"


def test_signing_in_leads_back_to_the_page_that_was_asked_for(app, house, browser, desk):
    desk.enrol()
    known = Staff(app, house)
    page = browser.open("/desk/patients/UME-001")
    assert page.path == "/desk/login"

    assert browser.press(page, email=known.email, password=PASSWORD).path == "/desk/patients/UME-001"


def test_after_signing_out_the_desk_is_closed(nurse):
    nurse.press(nurse.open("/desk"), "/desk/logout")

    assert nurse.open("/desk").path == "/desk/login"


@pytest.mark.requirement("trust-21")
def test_an_account_that_is_closed_feels_it_at_the_next_request(nurse, house):
    assert nurse.open("/desk").path == "/desk"
    with writing(house.engine) as connection:
        users.disable(connection, users.id_of(connection, nurse.email), by=NURSE, now=NOW)

    assert nurse.open("/desk").path == "/desk/login"


def test_a_form_without_its_token_changes_nothing(nurse, house, desk):
    desk.enrol()

    response = nurse.client.post("/desk/patients/UME-001/death", data={"happened_on": "2027-03-01"})

    assert response.status_code == 400
    assert "died" not in nurse.open("/desk/patients/UME-001").words


@pytest.mark.requirement("trust-20")
def test_every_route_stands_in_the_matrix_and_none_is_a_librarys_own(app):
    assert set(AUDIENCES) == {rule.endpoint for rule in app.url_map.iter_rules()}
    assert {endpoint.split(".")[0] for endpoint in AUDIENCES} == {
        "static",
        "accounts",
        "arriving",
        "patient",
        "saving",
        "calendar",
        "desk",
        "webhooks",
        "health",
    }


@pytest.mark.requirement("trust-20")
@pytest.mark.parametrize(
    ("bend", "said"),
    [
        (lambda app: app.add_url_rule("/desk/new", "desk.planted", lambda: ""), "desk.planted: not listed"),
        (lambda app: app.view_functions.update({"desk.enrol": lambda: ""}), "desk.enrol: listed for 'patients.enrol'"),
    ],
)
def test_a_route_that_is_not_listed_keeps_the_service_from_starting(app, bend, said):
    bend(app)

    with pytest.raises(UnlistedRoute, match=said):
        check(app)


@pytest.mark.requirement("trust-39", "abuse-29")
def test_the_analyst_exports_without_contact_data_and_the_trail_keeps_rows_and_hash(app, house, desk):
    desk.enrol()
    analyst = Staff(app, house, "analyst")

    response = analyst.post("/desk/export")

    with zipfile.ZipFile(BytesIO(response.data)) as archive:
        files = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    assert b"UME-001" in files["subjects.csv"]
    assert not [name for name, body in files.items() if b"0740605" in body or b"+4670" in body]
    sha256 = hashlib.sha256(files["manifest.json"]).hexdigest()
    assert response.headers["X-Manifest-SHA256"] == sha256
    with reading(house.engine) as connection:
        told = connection.execute(select(Audit.actor, Audit.reason).where(Audit.action == "data exported")).one()
    assert told.actor == "analyst0@example.org"
    assert told.reason.startswith("1 subjects, ")
    assert told.reason.endswith(sha256)


def test_an_export_asks_again_who_is_sitting_there(app, house, clock):
    analyst = Staff(app, house, "analyst")
    clock.wait(minutes=6)

    assert analyst.post("/desk/export").location == "/desk/again"


@pytest.mark.requirement("trust-22")
def test_a_password_is_kept_as_argon2id_and_its_hash_stays_out_of_the_trail(house):
    with writing(house.engine) as connection:
        asked = {"email": "a@example.org", "name": "A", "role": "nurse", "sites": ["UME"], "password": PASSWORD}
        users.add(connection, house.protocol, **asked, by=NURSE, now=NOW)
    with reading(house.engine) as connection:
        kept = connection.execute(select(User.password)).scalar_one()
        entry = connection.execute(select(Audit).where(Audit.action == "account added")).one()

    assert kept.startswith("$argon2id$v=19$m=47104,t=2,p=1$")
    assert argon2.verify(PASSWORD, kept)
    assert entry.reason == "role nurse"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "not an address"}, "email"),
        ({"name": " "}, "name"),
        ({"role": "boss"}, "role"),
        ({"sites": ["XXX"]}, "sites"),
        ({"password": "too short"}, "password"),
        ({"email": "NURSE0@example.org"}, "email"),
    ],
)
def test_an_account_that_makes_no_sense_is_refused_by_field(nurse, house, change, field):
    asked = {"email": "new@example.org", "name": "New", "role": "nurse", "sites": [], "password": PASSWORD, **change}

    with pytest.raises(Refusal) as refusal, writing(house.engine) as connection:
        users.add(connection, house.protocol, **asked, by=NURSE, now=NOW)

    assert [wrong.field for wrong in refusal.value.wrongs] == [field]


def test_accounts_are_listed_with_role_and_sites(app, house):
    Staff(app, house, "monitor", ["UME", "GBG"])

    with reading(house.engine) as connection:
        [row] = users.accounts(connection)

    assert (row.email, row.role, row.sites, row.active) == (
        "monitor2umegbg@example.org",
        "monitor",
        ["UME", "GBG"],
        True,
    )
