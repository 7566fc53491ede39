"""How a patient comes to her form, and what becomes of a link that came to somebody else."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from epro.acts import cards, patients
from epro.acts.enrolment import Enrolment
from epro.protocol import protocol_of, read_document
from epro.queries.worklist import worklist
from epro.refusals import Refusal
from epro.settings import DEFAULT_TRIAL
from epro.store import facts
from epro.store.database import reading, writing
from epro.store.models import AuditValue, Contact, Form, SecondStep
from epro.web.app import create_app
from questionnaires.located import Refused
from tests.epro.conftest import NOW, NURSE
from tests.web.conftest import Browser, rows_of
from tests.web.staffing import Staff


def with_trial(house, **changes):
    """The same house, its trial file changed in [trial]."""
    protocol = house.protocol
    trial = protocol.trial.model_copy(update=changes)
    return replace(house, protocol=replace(protocol, sections=protocol.sections.model_copy(update={"trial": trial})))


def enrol(house, **changes):
    asked = Enrolment(
        **{
            "subject": "UME-001",
            "site": "UME",
            "language": "sv",
            "strata": {"er": "pos", "metastases": "1"},
            "consented_on": NOW.date(),
            "eligible": True,
            "texts_allowed": True,
            "phone": "070-174 06 05",
            **changes,
        }
    )
    with writing(house.engine) as connection:
        patients.enrol(connection, house.protocol, house.cipher, asked, by=NURSE, now=NOW)


# ---- start


def test_start_leads_to_an_address_without_the_token_or_where_a_script_will_clear_it_to_the_form_at_once(app, token):
    plain, scripted = Browser(app), Browser(app)

    assert plain.begin(token).path == "/form/1"
    at_once = scripted.client.post(f"/p/{token}", data={**scripted.open(f"/p/{token}").fields, "whole": "1"})
    assert at_once.status_code == 200
    assert token not in at_once.text
    assert at_once.text.count('<form class="item') == 30
    assert scripted.open("/form").path == "/form/1"  # the same sitting: it can be opened again by its own address


# ---- somebody else has the phone


@pytest.mark.parametrize(("why", "kind"), [("not_me", facts.NOT_ME), ("wrong_number", facts.WRONG_NUMBER)])
def test_whoever_says_that_the_form_is_not_for_him_closes_the_link_and_the_desk_is_told(
    house, browser, token, why, kind
):
    page = browser.open(f"/p/{token}/not-me")
    assert PHONE_OF_UMEA in page.words
    said = browser.press(page, why=why)

    assert said.heading == "Tack för att du sa till"
    assert Browser(browser.client.application).open(f"/p/{token}").status == 404
    with reading(house.engine) as connection:
        (line,) = worklist(connection, house.protocol, NOW).unreachable
        still_used = connection.execute(select(Contact.until_at)).scalar_one() is None
    assert (line.form.subject, line.why) == ("UME-001", (kind,))
    assert still_used == (why == "not_me")


PHONE_OF_UMEA = "070-174 06 95"


def test_to_look_at_the_page_for_strangers_or_to_post_to_it_without_its_token_changes_nothing(house, browser, token):
    before = rows_of(house)

    browser.open(f"/p/{token}/not-me")
    browser.client.post(f"/p/{token}/not-me", data={"why": "wrong_number"})

    assert rows_of(house) == before
    assert browser.open(f"/p/{token}").status == 200


def test_a_new_number_or_a_word_with_her_takes_the_line_off_the_worklist(house, desk, browser, token):
    browser.press(browser.open(f"/p/{token}/not-me"), why="not_me")
    desk.act(patients.record, "UME-001", kind=facts.SEEN_ALIVE, on=NOW.date())

    with reading(house.engine) as connection:
        assert worklist(connection, house.protocol, NOW).unreachable == ()


# ---- the card


@pytest.fixture
def code(house, desk):
    desk.enrol()
    with writing(house.engine) as connection:
        cards.issue(connection, house.cipher, "UME-001", by=NURSE, now=NOW)
    return code_of(house)


def code_of(house):
    with reading(house.engine) as connection:
        return cards.code_of(connection, house.cipher, "UME-001")


def test_the_code_of_a_card_leads_to_the_start_page_however_it_is_typed(browser, code):
    for typed in (code, code.replace("-", ""), f" {code.upper()} "):
        page = browser.press(browser.open("/"), code=typed)
        assert page.heading == "Ett formulär väntar på dig"
    assert browser.press(page).path == "/form/1"


def test_a_card_that_is_replaced_opens_nothing(house, browser, code):
    with writing(house.engine) as connection:
        cards.issue(connection, house.cipher, "UME-001", by=NURSE, now=NOW)

    assert browser.press(browser.open("/"), code=code).status == 404
    assert browser.press(browser.open("/"), code=code_of(house)).status == 200


def test_a_right_code_without_the_token_of_its_page_opens_nothing(house, browser, code):
    browser.open("/")

    answered = browser.client.post("/", data={"code": code, "csrf_token": "another"})

    assert (answered.status_code, answered.headers.get("Location")) == (404, None)


def test_a_right_code_without_an_open_form_looks_like_a_wrong_one(clock, browser, code):
    clock.wait(days=40)

    right, wrong = (browser.press(browser.open("/"), code=typed) for typed in (code, "aaaa-aaaa"))

    assert (right.status, right.words) == (wrong.status, wrong.words)


def test_who_guesses_codes_is_told_to_wait_and_then_not_even_the_right_one_opens(clock, browser, code):
    statuses = [browser.press(browser.open("/"), code=f"{n:08d}").status for n in range(11)]
    assert statuses == [404] * 10 + [429]
    assert browser.press(browser.open("/"), code=code).status == 429

    clock.wait(hours=1)
    assert browser.press(browser.open("/"), code=code).status == 200


@pytest.mark.requirement("abuse-13")
def test_who_guesses_links_is_told_to_wait(clock, browser, token):
    statuses = [browser.client.get(f"/p/{n:026d}").status_code for n in range(31)]

    assert statuses == [404] * 30 + [429]
    clock.wait(hours=1)
    assert browser.open(f"/p/{token}").status == 200


@pytest.mark.requirement("abuse-13")
def test_two_hundred_guessed_links_in_an_hour_from_wherever_are_an_alarm_and_no_illness(clock, app, caplog):
    guesser = app.test_client()

    def guess(times):
        for n in range(times):
            guesser.get(f"/p/{n:026d}", environ_overrides={"REMOTE_ADDR": f"192.0.2.{n // 20}"})

    def alarm():
        return guesser.get("/health").json["alarm"]

    guess(199)
    assert alarm() is None
    assert [record for record in caplog.records if "guessed" in record.message] == []
    status = guesser.get("/health").json["status"]
    guess(1)
    assert alarm() == "links are being guessed: 200 in the last hour"
    assert len([record for record in caplog.records if "guessed" in record.message]) == 1
    assert guesser.get("/health").json["status"] == status
    clock.wait(hours=1)
    assert alarm() is None


def test_the_desk_prints_the_card_in_the_patients_language_and_the_trail_holds_no_code(house, app, desk):
    desk.enrol(language="sv")
    nurse = Staff(app, house)
    nurse.record("card")
    page = nurse.open("/desk/patients/UME-001/card")

    code = code_of(house)
    assert page.path == "/desk/patients/UME-001/card"
    assert page.language == "sv"
    for word in (code, "070-174 06 95", "127.0.0.1:8000", "<svg"):
        assert word in page.html
    assert "UME-001" not in page.html.split("<h1>")[1]
    with reading(house.engine) as connection:
        told = " ".join(connection.execute(select(AuditValue.value)).scalars())
    assert code.replace("-", "") not in told


def test_the_language_that_was_chosen_goes_along_to_the_page_for_strangers_and_from_the_card(browser, link, code):
    token = link()
    english = browser.open(f"/p/{token}?language=en")

    assert f"/p/{token}/not-me?language=en" in english.html
    assert f"/p/{token}?language=en" in browser.open(f"/p/{token}/not-me?language=en").html
    assert browser.press(browser.open("/?language=en"), "/?language=en", code=code).language == "en"


# ---- the second step


def test_a_trial_file_that_does_not_choose_the_second_step_is_refused_by_line(tmp_path):
    lines = [line for line in DEFAULT_TRIAL.read_text().splitlines() if not line.startswith("identity_step")]
    (tmp_path / "trial.toml").write_text("\n".join(lines))

    with pytest.raises(Refused, match=r"trial\.toml:\d+: .*identity_step"):
        protocol_of(read_document(tmp_path / "trial.toml"))


@pytest.fixture
def careful(house, clock):
    """A house whose trial asks for the year of birth."""
    return replace(with_trial(house, identity_step="birth_year"), clock=clock)


def test_where_the_year_of_birth_is_asked_for_the_link_alone_begins_nothing(careful, link):
    enrol(careful, second_step="1958")
    token, browser = link(), Browser(create_app(careful))
    before = rows_of(careful)["form"]

    refused = browser.press(browser.open(f"/p/{token}"), second_step="1959")

    assert refused.status == 422
    assert "Det stämmer inte" in refused.words
    assert rows_of(careful)["form"] == before
    assert browser.press(refused, second_step=" 1958 ").path == "/form/1"


def test_after_five_misses_even_the_right_year_waits_a_quarter_of_an_hour_on_any_phone(careful, clock, link):
    enrol(careful, second_step="1958")
    token, app = link(), create_app(careful)
    for year in range(1960, 1965):
        browser = Browser(app)
        browser.press(browser.open(f"/p/{token}"), second_step=str(year))
    browser = Browser(app)

    refused = browser.press(browser.open(f"/p/{token}"), second_step="1958")
    assert "Vänta en kvart" in refused.words
    clock.wait(minutes=15)
    assert browser.press(refused, second_step="1958").path == "/form/1"


def test_who_passes_it_on_another_phone_is_shown_what_she_answered_before(careful, clock, link):
    enrol(careful, second_step="1958")
    token, app = link(), create_app(careful)
    first, other = Browser(app), Browser(app)
    first.press(first.press(first.open(f"/p/{token}"), second_step="1958"), value="4")

    other.press(other.open(f"/p/{token}"), second_step="1958")
    assert other.open("/form/1").chosen == "4"
    clock.wait(minutes=61)
    assert other.open("/form/1").chosen is None


def test_the_second_step_is_agreed_on_at_enrolment_and_kept_as_a_keyed_hash(careful):
    for typed in (None, "58", "2020", "abcd", "195 8 0"):
        with pytest.raises(Refusal, match="second_step"):
            enrol(careful, second_step=typed)
    enrol(careful, second_step="1958")

    with reading(careful.engine) as connection:
        kept = connection.execute(select(SecondStep.hash)).scalar_one()
        told = " ".join(connection.execute(select(AuditValue.value)).scalars())
    assert len(kept) == 64
    assert "1958" not in told


@pytest.mark.parametrize("pin", ["123", "1111", "1234", "98765", "123456789"])
def test_a_pin_that_everybody_guesses_is_refused(house, pin):
    careful = with_trial(house, identity_step="pin")

    with pytest.raises(Refusal, match="second_step"):
        enrol(careful, second_step=pin)


def test_the_nurse_gives_a_new_pin_and_the_old_one_passes_no_more(house, clock, link):
    careful = replace(with_trial(house, identity_step="pin"), clock=clock)
    enrol(careful, second_step="2580")
    app = create_app(careful)
    Staff(app, careful).record("second-step", second_step="7391")
    token, browser = link(), Browser(app)

    refused = browser.press(browser.open(f"/p/{token}"), second_step="2580")
    assert refused.status == 422
    assert browser.press(refused, second_step="7391").path == "/form/1"


# ---- who answers


def modes(house):
    with reading(house.engine) as connection:
        return connection.execute(select(Form.mode)).scalars().all()


@pytest.mark.parametrize(
    ("said", "mode"),
    [({"who": "self"}, "self"), ({"who": "self_helped"}, "self_helped"), ({"who": "proxy"}, "proxy"), ({}, "not_said")],
)
def test_who_answered_is_asked_when_the_form_is_sent_and_never_inferred(house, browser, token, said, mode):
    browser.begin(token)
    review = browser.open("/form/review")
    assert "Vem fyller i formuläret?" in review.words

    browser.press(review, "/form/submit", **said)

    assert modes(house) == [mode]


def test_who_answers_is_asked_at_the_start_where_the_trial_says_so(house, clock, token):
    app = create_app(replace(with_trial(house, who_answers="start"), clock=clock))
    browser = Browser(app)
    page = browser.press(browser.open(f"/p/{token}"), who="proxy")

    assert modes(house) == ["proxy"]
    assert "Vem fyller i" not in browser.open("/form/review").words
    assert page.path == "/form/1"


def test_on_the_clinics_tablet_neither_who_answers_nor_a_second_step_is_asked(careful, link):
    enrol(careful, second_step="1958")
    browser = Browser(create_app(careful))
    page = browser.open(f"/p/{link(mode='tablet')}")

    assert "not-me" not in page.html
    assert browser.press(page).path == "/form/1"
    assert "Vem fyller i" not in browser.open("/form/review").words


# ---- an answer by itself


def fields_of(page, **said):
    words = page.html.split('id="words">')[1].split("</script>")[0]
    ticket = words.split('"ticket": "')[1].split('"')[0]
    return {"ticket": ticket, "name": "qlq-c30.q1", "value": "3", "key": "a" * 32, **said}


def test_an_answer_is_kept_by_its_ticket_alone_and_once(app, browser, token):
    fields = fields_of(browser.press(browser.open(f"/p/{token}")))
    stranger = app.test_client()

    replies = [stranger.post("/form/answer", data=fields) for _ in range(2)]

    assert [reply.json for reply in replies] == [{"key": "a" * 32, "kept": True, "gone": False}] * 2
    assert browser.open("/form/1").chosen == "3"


@pytest.mark.parametrize(
    "wrong",
    [
        {"ticket": "x"},
        {"ticket": "WzEsMl0.x"},
        {"key": "short"},
        {"name": "qlq-c30.q99"},
        {"name": "no"},
        {"value": "9"},
        {"value": "²"},
        {"value": "1" * 5000},
    ],
)
def test_what_is_no_answer_of_hers_is_not_kept_and_says_so(house, app, browser, token, wrong):
    fields = fields_of(browser.press(browser.open(f"/p/{token}")))
    before = rows_of(house)

    reply = app.test_client().post("/form/answer", data={**fields, **wrong})

    assert reply.status_code in (400, 422)
    assert reply.json["kept"] is False
    assert rows_of(house) == before


def test_a_ticket_dies_with_its_link(desk, app, browser, token):
    fields = fields_of(browser.press(browser.open(f"/p/{token}")))
    desk.act(patients.withdraw, "UME-001", on=NOW.date(), reason="her wish")

    reply = app.test_client().post("/form/answer", data=fields)

    assert (reply.status_code, reply.json["gone"]) == (410, True)


@pytest.mark.parametrize("claimed", ["", "soon", "2027-03-01", "9999-12-31T23:59:59Z", "2027-03-01T12:00:00+99:00"])
def test_a_clock_that_makes_no_sense_is_not_believed_and_loses_no_answer(app, browser, token, claimed):
    fields = fields_of(browser.press(browser.open(f"/p/{token}")), said_at=claimed)

    assert app.test_client().post("/form/answer", data=fields).json["kept"] is True


def test_sent_by_ticket_twice_it_is_one_form(app, browser, token):
    fields = fields_of(browser.press(browser.open(f"/p/{token}")), send="1", who="self")
    stranger = app.test_client()

    assert [stranger.post("/form/answer", data=fields).json["kept"] for _ in range(2)] == [True, True]
    assert browser.open("/form").status == 404


def test_the_language_is_changed_on_any_page_of_the_form_that_of_the_questions_until_the_first_answer(browser, token):
    page = browser.begin(token)
    english = browser.press(page, "/form/language", language="en")
    assert english.language == "en"
    assert "Question 1 of 30" in english.words
    browser.press(english, value="1")

    back = browser.press(browser.open("/form/2"), "/form/language", language="sv")
    assert back.language == "sv"
    assert "Fråga 2 av 30" in back.words
    assert 'lang="en"' in back.html  # the questions stay in the language that they were begun in


def test_the_copy_for_the_phone_holds_no_answer_and_the_page_is_small_when_packed(browser, token):
    browser.press(browser.begin(token), value="4")

    copy = browser.client.get("/form/copy", headers={"Accept-Encoding": "gzip"})

    assert " checked" in browser.open("/form").html or browser.open("/form/1").chosen == "4"
    assert copy.headers["Content-Encoding"] == "gzip"
    assert len(copy.data) < 15_000
    assert " checked" not in browser.client.get("/form/copy").text


def test_a_window_that_has_closed_while_the_phone_was_in_a_tunnel_says_so(clock, app, browser, token):
    fields = fields_of(browser.press(browser.open(f"/p/{token}")))
    clock.now += timedelta(days=60)

    assert app.test_client().post("/form/answer", data=fields).json == {"key": "a" * 32, "kept": False, "gone": True}
