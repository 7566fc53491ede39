"""How a member of staff becomes signed in, stays so, and ceases to be: at the pages, on both databases."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Event

import pytest
from passlib.context import CryptContext
from sqlalchemy import func, select

from epro.acts import guessing, passwords, sessions, users
from epro.store.database import reading, writing
from epro.store.models import Audit, StaffDraft, StaffSession, StaffTry, User
from epro.web.app import create_app
from tests.epro.conftest import NOW, NURSE
from tests.web.conftest import Browser
from tests.web.staffing import PASSWORD, Staff, code_of, sign_in, with_authenticator

EMAIL = "nurse0@example.org"


@pytest.fixture
def nurse(app, house):
    return Staff(app, house)


@pytest.fixture
def strict(house, clock):
    """The service of a trial that requires a second step."""
    trial = house.protocol.trial.model_copy(update={"second_step": "required"})
    sections = house.protocol.sections.model_copy(update={"trial": trial})
    return create_app(replace(house, clock=clock, protocol=replace(house.protocol, sections=sections)))


def told(house):
    with reading(house.engine) as connection:
        asked = select(Audit.action, Audit.actor, Audit.reason).where(Audit.chain == "accounts").order_by(Audit.seq)
        return [tuple(row) for row in connection.execute(asked)]


def actions(house):
    return [action for action, _, _ in told(house)]


def change(house, act, email=EMAIL, **asked):
    with writing(house.engine) as connection:
        return act(
            connection,
            *([house.protocol] if act is users.change_access else []),
            users.id_of(connection, email),
            by=NURSE,
            now=NOW,
            **asked,
        )


# ---- sessions


@pytest.mark.requirement("trust-25")
def test_a_session_ends_after_a_quarter_of_an_hour_of_silence(nurse, clock, house):
    clock.wait(minutes=14, seconds=59)
    assert nurse.open("/desk").path == "/desk"
    clock.wait(minutes=15)

    assert nurse.open("/desk").path == "/desk/login"
    assert told(house)[-1] == ("session ended", EMAIL, "idle")


@pytest.mark.requirement("trust-25")
def test_a_session_ends_after_eight_hours_of_work(nurse, clock, house):
    for _ in range(47):
        clock.wait(minutes=10)
        assert nurse.open("/desk").path == "/desk"
    clock.wait(minutes=10)

    assert nurse.open("/desk").path == "/desk/login"
    assert told(house)[-1] == ("session ended", EMAIL, "absolute")


@pytest.mark.requirement("abuse-16")
def test_a_session_seen_before_signing_in_or_after_signing_out_is_worthless(app, house, nurse):
    """Abuse case 16."""
    anonymous = Browser(app)
    page = anonymous.open("/desk/login")
    before = anonymous.client.get_cookie("epro").value
    sign_in(anonymous, EMAIL)
    during = anonymous.client.get_cookie("epro").value
    anonymous.press(anonymous.open("/desk"), "/desk/logout")

    for stolen in (before, during):
        thief = Browser(app)
        thief.client.set_cookie("epro", stolen)
        assert thief.open("/desk").path == "/desk/login"
    assert page.fields["csrf_token"] != anonymous.open("/desk/login").fields["csrf_token"]


def test_only_the_hash_of_a_session_is_kept(app, house, nurse):
    with nurse.client.session_transaction() as cookie:
        token = cookie["staff"]
    with reading(house.engine) as connection:
        kept = connection.execute(select(StaffSession.token_hash)).scalars().all()

    assert token not in kept
    assert sessions.hash_of(token) in kept


@pytest.mark.requirement("trust-21", "abuse-16")
def test_who_is_disabled_is_out_at_the_next_click(nurse, house):
    change(house, users.disable)

    assert nurse.open("/desk").path == "/desk/login"
    change(house, users.enable)
    assert nurse.open("/desk").path == "/desk/login"  # the old session does not come back
    assert told(house)[-2:] == [
        ("session ended", EMAIL, "access changed"),
        ("account enabled", "nurse@example.org", None),
    ]


@pytest.mark.requirement("trust-21", "abuse-17")
def test_a_site_or_role_taken_away_is_felt_by_a_form_that_is_open_already(app, house, desk):
    """Abuse case 17."""
    desk.enrol("UME-001")
    umea = Staff(app, house, sites=["UME"])
    with writing(house.engine) as connection:
        user = users.id_of(connection, umea.email)
        users.change_access(connection, house.protocol, user, role="nurse", sites=["GBG"], by=NURSE, now=NOW)

    assert umea.record("death", happened_on="2027-03-01").status_code == 303
    assert sign_in(umea, umea.email).path == "/desk/patients/UME-001"
    assert umea.open("/desk/patients/UME-001").status == 404
    with reading(house.engine) as connection:
        assert connection.execute(select(func.count()).where(Audit.action == "death recorded")).scalar_one() == 0


def test_a_nurse_without_a_site_sees_nobody(app, house, desk):
    desk.enrol("UME-001")
    umea = Staff(app, house, sites=["UME"])
    with writing(house.engine) as connection:
        users.change_access(
            connection, house.protocol, users.id_of(connection, umea.email), role="nurse", sites=[], by=NURSE, now=NOW
        )
    sign_in(umea, umea.email)

    assert umea.open("/desk/patients/UME-001").status == 404
    assert "UME-001" not in umea.open("/desk").html


# ---- a form that was sent too late


@pytest.mark.requirement("trust-25")
def test_a_half_written_form_comes_back_filled_after_signing_in_again(nurse, house, desk, clock):
    desk.enrol()
    clock.wait(minutes=16)
    late = nurse.record("withdrawal", happened_on="2027-03-01", reason='too tired & "far away" <b>')

    assert (late.status_code, late.location) == (303, "/desk/login")
    back = sign_in(nurse, EMAIL)
    assert back.path == "/desk/patients/UME-001"
    assert 'value="too tired &amp; &quot;far away&quot; &lt;b&gt;"' in back.html
    assert re.search(r'<details open class="act grave" id="withdrawal">|id="withdrawal"[^>]* open', back.html)
    assert 'value="too tired' not in nurse.open("/desk/patients/UME-001").html  # once


def test_what_was_typed_is_stored_encrypted_and_for_nobody_else(app, nurse, house, desk, clock):
    desk.enrol()
    other = Staff(app, house, "investigator")
    clock.wait(minutes=16)
    nurse.record("withdrawal", happened_on="2027-03-01", reason="too tired")

    with reading(house.engine) as connection:
        assert "too tired" not in connection.execute(select(StaffDraft.body)).scalar_one()
    with nurse.client.session_transaction() as cookie:
        assert "too tired" not in str(dict(cookie))
    assert "too tired" not in sign_in(nurse, other.email).html
    assert "too tired" not in nurse.open("/desk/patients/UME-001").html


def test_what_was_typed_is_not_kept_for_long(nurse, desk, clock):
    desk.enrol()
    clock.wait(minutes=16)
    nurse.record("withdrawal", happened_on="2027-03-01", reason="too tired")
    clock.wait(minutes=31)

    assert sign_in(nurse, EMAIL).path == "/desk"


def test_a_new_number_asks_again_who_is_sitting_there_and_keeps_what_was_typed(nurse, desk, clock, house):
    desk.enrol()
    clock.wait(minutes=6)
    asked = nurse.record("number", phone="070-174 06 06", phone_again="070-174 06 06")
    assert (asked.status_code, asked.location) == (303, "/desk/again")

    back = nurse.press(nurse.open("/desk/again"), password=PASSWORD)

    assert (back.path, back.html.count('value="070-174 06 06"')) == ("/desk/patients/UME-001", 2)
    assert nurse.record("number", phone="070-174 06 06", phone_again="070-174 06 06").location.endswith("UME-001")


# ---- misses


@pytest.mark.requirement("trust-24", "abuse-14")
def test_a_hundred_wrong_passwords_in_a_quarter_of_an_hour_are_judged_ten_times_at_most(app, house, nurse, clock):
    """Abuse case 14: from one address or from many, and the owner still gets in."""
    for n in range(100):
        stranger = Browser(app, **{"X-Nobody": "1"})
        stranger.client.environ_base["REMOTE_ADDR"] = f"192.0.2.{n % 7}"
        sign_in(stranger, EMAIL, "wrong password of mine")
        clock.wait(seconds=9)

    with reading(house.engine) as connection:
        assert 5 <= connection.execute(select(func.count()).where(StaffTry.missed)).scalar_one() <= 10
    nurse.press(nurse.open("/desk"), "/desk/logout")
    assert sign_in(nurse, EMAIL).path == "/desk"  # on the device she has signed in from before
    assert "10 times" in nurse.open("/desk").words or actions(house).count("sign-in missed") == 10


@pytest.mark.requirement("trust-24", "abuse-14")
def test_one_address_cannot_lock_another_out(app, house, nurse):
    stranger, elsewhere = Browser(app), Browser(app)
    elsewhere.client.environ_base["REMOTE_ADDR"] = "198.51.100.7"
    answers = [sign_in(stranger, EMAIL, "wrong password of mine") for _ in range(20)]

    assert [page.status for page in answers] == [200] * 5 + [429] * 15
    assert answers[-1].headers["Retry-After"] == "61"
    assert sign_in(stranger, EMAIL).status == 429  # not even the right one
    assert sign_in(elsewhere, EMAIL).path == "/desk"
    assert actions(house).count("sign-in slowed down") == 1


@pytest.mark.requirement("trust-24", "abuse-14")
def test_the_delay_grows_and_never_beyond_a_quarter_of_an_hour(app, nurse, clock):
    stranger = Browser(app)
    waits = []
    for _ in range(12):
        page = sign_in(stranger, EMAIL, "wrong password of mine")
        if page.status == 429:
            waits.append(int(page.headers["Retry-After"]) // 60)
            clock.wait(minutes=waits[-1], seconds=1)

    assert waits == [1, 2, 4, 8][: len(waits)]
    assert guessing.delay(50) == timedelta(minutes=15)


@pytest.mark.requirement("trust-24")
def test_many_tries_at_once_are_judged_no_oftener(app, house, nurse):
    """Each is counted before it is judged."""
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: sign_in(Browser(app), EMAIL, "wrong password of mine").status, range(16)))

    assert statuses.count(200) == 5
    assert statuses.count(429) == 11


def test_nothing_that_was_typed_for_an_unknown_account_is_kept(app, house):
    sign_in(Browser(app), "secret-typed-in-the-wrong-field", "wrong password of mine")

    assert told(house)[-1] == ("sign-in missed", "unknown", "password")


def test_the_owner_is_told_of_misses_when_she_signs_in(app, house, nurse, clock):
    clock.wait(minutes=1)
    sign_in(Browser(app), EMAIL, "wrong password of mine")
    nurse.press(nurse.open("/desk"), "/desk/logout")

    assert "somebody gave a wrong password or code 1 time" in " ".join(sign_in(nurse, EMAIL).words.split())


# ---- passwords


@pytest.mark.requirement("trust-22")
@pytest.mark.parametrize("password", ["short", "x" * 129, "password1234", "aaaaaaaaaaaaaaaa", "qwertyuiop12"])
def test_a_password_that_is_short_or_common_is_refused(password):
    assert [wrong.field for wrong in passwords.wrongs_of(password)] == ["password"]


@pytest.mark.requirement("trust-22")
@pytest.mark.parametrize("password", ["violet anchor tandem", "ljus havre bänk tolv", "k" + "9fQz" * 16 + "é"])
def test_any_long_password_will_do_whatever_it_is_composed_of(password):
    assert list(passwords.wrongs_of(password)) == []
    assert passwords.is_right(password, passwords.hash_of(password))


@pytest.mark.requirement("trust-22")
def test_a_password_of_ones_own_name_is_refused():
    assert list(
        passwords.wrongs_of("anna.svensson", about=("anna.svensson@example.org", "Anna Svensson", "anna.svensson"))
    )


@pytest.mark.requirement("trust-22", "abuse-30")
def test_however_many_ask_at_once_two_passwords_are_judged_in_one_process(monkeypatch):
    """Each takes 46 MiB: a crowd before the door must not take the memory that saves need."""
    stored, asked, inside, most = passwords.hash_of("seven purple walruses"), [], [], []
    all_ask, verify = Event(), CryptContext.verify

    def watched(context, *given, **more):
        inside.append(1)
        most.append(len(inside))
        assert all_ask.wait(60)
        try:
            return verify(context, *given, **more)
        finally:
            inside.pop()

    def ask(_):
        asked.append(1)
        if len(asked) == 8:
            all_ask.set()
        return passwords.is_right("seven purple walruses", stored)

    monkeypatch.setattr(CryptContext, "verify", watched)
    with ThreadPoolExecutor(8) as pool:
        right = list(pool.map(ask, range(8)))

    assert right == [True] * 8
    assert max(most) == passwords.AT_ONCE == 2


# ---- second step


@pytest.mark.requirement("trust-23")
def test_with_an_authenticator_the_password_alone_opens_no_page(app, house, nurse, clock):
    with_authenticator(nurse)
    other = Browser(app)
    page = sign_in(other, EMAIL)

    assert page.path == "/desk/login/code"
    for path in ("/desk", "/desk/completion", "/desk/account", "/desk/patients/new", "/desk/again"):
        assert other.open(path).path in ("/desk/login", "/desk/login/code"), path


@pytest.mark.requirement("trust-23")
def test_one_code_opens_one_session(app, house, nurse, clock):
    secret, _ = with_authenticator(nurse)
    clock.wait(minutes=2)
    code, first, second = code_of(secret, clock.now), Browser(app), Browser(app)
    assert first.press(sign_in(first, EMAIL), code=code).path == "/desk"

    assert second.press(sign_in(second, EMAIL), code=code).path == "/desk/login/code"
    clock.wait(seconds=60)
    assert second.press(second.open("/desk/login/code"), code=code_of(secret, clock.now)).path == "/desk"


def test_one_code_opens_one_session_also_for_two_at_once(app, house, nurse, clock):
    secret, _ = with_authenticator(nurse)
    clock.wait(minutes=2)
    code, browsers = code_of(secret, clock.now), [Browser(app) for _ in range(4)]
    pages = [sign_in(each, EMAIL) for each in browsers]

    with ThreadPoolExecutor(4) as pool:
        reached = list(pool.map(lambda pair: pair[0].press(pair[1], code=code).path, zip(browsers, pages, strict=True)))

    assert sorted(reached) == ["/desk", *["/desk/login/code"] * 3]


def test_the_code_that_set_the_authenticator_up_opens_nothing_else(app, nurse, clock):
    secret, _ = with_authenticator(nurse)
    other = Browser(app)

    assert other.press(sign_in(other, EMAIL), code=code_of(secret, NOW)).path == "/desk/login/code"


@pytest.mark.requirement("trust-23")
def test_a_recovery_code_works_once(app, house, nurse):
    _, codes = with_authenticator(nurse)
    assert len(set(codes)) == 10
    first, second = Browser(app), Browser(app)

    assert first.press(sign_in(first, EMAIL), code=codes[3].upper()).path == "/desk"
    assert second.press(sign_in(second, EMAIL), code=codes[3]).path == "/desk/login/code"


def test_codes_are_slowed_down_like_passwords(app, nurse):
    with_authenticator(nurse)
    thief = Browser(app)
    page = sign_in(thief, EMAIL)

    assert [thief.press(page, "/desk/login/code", code=f"{n:06}").status for n in range(8)] == [200] * 5 + [429] * 3


@pytest.mark.requirement("trust-23")
def test_a_trial_that_requires_a_second_step_opens_the_desk_after_it_is_set_up(strict, house, clock):
    one = Staff(strict, house)
    assert one.open("/desk").path == "/desk/account"
    assert one.open("/desk/patients/new").path in ("/desk/account", "/desk/login")

    with_authenticator(one)

    assert one.open("/desk").path == "/desk"
    assert one.open("/desk/account").path == "/desk/account"


def test_a_changed_second_step_ends_the_other_sessions(app, house, nurse):
    other = Browser(app)
    sign_in(other, EMAIL)
    with_authenticator(nurse)

    assert other.open("/desk").path == "/desk/login"
    assert nurse.open("/desk").path == "/desk"


def test_each_step_stands_in_the_trail(app, house, nurse, clock):
    secret, _ = with_authenticator(nurse)
    clock.wait(minutes=2)
    other = Browser(app)
    other.press(sign_in(other, EMAIL), code=code_of(secret, clock.now))
    other.press(other.open("/desk"), "/desk/logout")

    assert actions(house) == [
        "account added",
        "signed in",
        "authenticator set up",
        "signed in",
        "recovery codes made",
        "first step given",
        "code used",
        "signed in",
        "signed out",
    ]


# ---- invitations


def test_a_set_up_link_works_once_and_opening_it_changes_nothing(app, house, browser):
    with writing(house.engine) as connection:
        user = users.add(
            connection, house.protocol, email="new@example.org", name="New", role="monitor", sites=[], by=NURSE, now=NOW
        )
        token = users.setup_link(connection, user, by=NURSE, now=NOW)
    path = f"/desk/setup/{token}"
    assert sign_in(browser, "new@example.org", "").path == "/desk/login"  # no password opens it before
    for _ in range(3):
        page = browser.open(path)
    weak = browser.press(page, path, password="password1234", password_again="password1234")
    assert weak.status == 422

    assert browser.press(weak, path, password=PASSWORD, password_again=PASSWORD).path == "/desk"
    assert Browser(app).open(path).status == 404


@pytest.mark.requirement("trust-19")
def test_a_retired_name_is_never_used_again(house, nurse):
    change(house, users.disable)

    with pytest.raises(users.Refusal) as refusal, writing(house.engine) as connection:
        users.add(
            connection,
            house.protocol,
            email="NURSE0@example.org ",
            name="Other",
            role="monitor",
            sites=[],
            password=PASSWORD,
            by=NURSE,
            now=NOW,
        )

    assert "not used again" in str(refusal.value)


def test_the_last_administrator_stays(app, house):
    Staff(app, house, "administrator")

    with pytest.raises(users.Refusal):
        change(house, users.disable, "administrator0@example.org")
    with pytest.raises(users.Refusal):
        change(house, users.change_access, "administrator0@example.org", role="nurse", sites=["UME"])


def test_the_administrator_invites_changes_and_closes_at_the_desk(app, house, browser):
    boss = Staff(app, house, "administrator")
    invited = boss.post("/desk/accounts", email="new@example.org", name="New", role="nurse", sites="UME")
    link = re.search(r'class="link">http://[^/]+(/desk/setup/[^<]+)<', invited.text)[1]
    page = browser.open(link)
    assert browser.press(page, link, password=PASSWORD, password_again=PASSWORD).path == "/desk"
    with reading(house.engine) as connection:
        user = users.id_of(connection, "new@example.org")

    assert boss.post(f"/desk/accounts/{user}/disable").status_code == 303
    assert browser.open("/desk").path == "/desk/login"
    assert boss.post("/desk/accounts", email="new@example.org", name="New", role="nurse").status_code == 422
    assert boss.open(f"/desk/accounts/{2**63}").status == 404
    with reading(house.engine) as connection:
        assert connection.execute(select(User.active).where(User.id == user)).scalar_one() is False


@pytest.mark.parametrize(
    "credential",
    ["", "{", "1", "null", "[]", '{"id": 5}', '{"response": 1}', '{"response": {"clientDataJSON": "MQ"}}', "[" * 5_000],
)
def test_a_passkey_that_cannot_be_read_does_not_fit(app, credential):
    stranger = Browser(app)
    page = stranger.open("/desk/login")

    assert stranger.press(page, "/desk/login/passkey", credential=credential).status == 200


@pytest.mark.parametrize(
    "wanted", ["//[", "http://[a", "https://a.example/desk", "//a.example", "/desk//a", "/desk\\a"]
)
def test_signing_in_leads_to_a_page_of_the_desk_alone_whatever_was_asked_for(app, nurse, wanted):
    stranger = Browser(app)
    page = stranger.open("/desk/login")
    data = {**page.fields, "next": wanted, "email": EMAIL, "password": PASSWORD}
    arrived = stranger.client.post("/desk/login", data=data)

    assert (arrived.status_code, arrived.headers["Location"]) == (303, "/desk")
