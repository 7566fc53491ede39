"""The patient's phone."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from epro.acts import links, patients
from epro.store.codewords import code_word_of
from epro.store.database import reading
from epro.store.models import Answer, Assessment, Audit, Form
from tests.web.conftest import Browser, rows_of

PHONE_OF_UMEA = "070-174 06 95"


def answers_of(house):
    with reading(house.engine) as connection:
        rows = connection.execute(select(Answer.item, Answer.value, Answer.state).order_by(Answer.id))
        return [tuple(row) for row in rows]


def test_looking_at_a_link_any_number_of_times_changes_nothing(house, browser, token):
    before = rows_of(house)

    for _ in range(10):
        assert browser.open(f"/p/{token}").status == 200
        assert browser.client.head(f"/p/{token}").status_code == 200

    assert rows_of(house) == before
    assert browser.begin(token).path == "/form/1"


def test_the_start_page_says_whom_to_call_and_nothing_about_who_she_is(browser, token):
    page = browser.open(f"/p/{token}")

    assert PHONE_OF_UMEA in page.html
    assert "läser dina svar direkt" in page.words
    for word in ("UME-001", "BreCLIM", "BRECLIM", "cancer", "Umeå", "studie"):
        assert word not in page.html


def test_a_start_without_the_pages_own_token_begins_nothing(house, browser, token):
    before = rows_of(house)

    assert browser.client.post(f"/p/{token}").status_code == 404
    assert rows_of(house) == before


def test_after_the_start_neither_address_nor_page_holds_the_token(browser, token):
    page = browser.begin(token)

    assert page.path == "/form/1"
    assert token not in page.html
    assert links.hash_of(token) not in page.html


def test_a_question_shows_its_number_its_period_every_option_and_the_banner_and_chooses_nothing(browser, token):
    browser.begin(token)

    page = browser.open("/form/29")

    assert "Fråga 29 av 30" in page.words
    assert "senaste sju dagarna" in page.words
    assert page.options == ["1", "2", "3", "4", "5", "6", "7"]
    assert page.chosen is None
    assert "inte EORTC:s frågeformulär" in page.words


def test_each_answer_is_kept_at_once_with_its_own_audit_entry(house, browser, token):
    page = browser.press(browser.begin(token), value="3")

    assert page.path == "/form/2"
    assert "Sparat" in page.words
    assert answers_of(house) == [("q1", 3, "answered")]
    with reading(house.engine) as connection:
        latest = connection.execute(select(Audit.action, Audit.actor).order_by(Audit.seq.desc()).limit(1)).one()
    assert tuple(latest) == ("answers saved", "UME-001")


def test_back_shows_the_answer_of_this_sitting_and_a_change_is_added_to_it(house, browser, token):
    browser.press(browser.begin(token), value="3")

    page = browser.open("/form/1")
    assert page.chosen == "3"
    browser.press(page, value="4")

    assert answers_of(house) == [("q1", 3, "answered"), ("q1", 4, "answered")]


def test_the_same_tap_twice_is_one_answer(house, browser, token):
    page = browser.begin(token)

    assert browser.press(page, value="3").path == "/form/2"
    assert browser.press(page, value="3").path == "/form/2"

    assert answers_of(house) == [("q1", 3, "answered")]


def test_another_choice_on_a_view_that_the_phone_kept_is_a_change_of_mind(house, browser, token):
    page = browser.begin(token)
    browser.press(page, value="3")

    browser.press(page, value="4")

    assert answers_of(house) == [("q1", 3, "answered"), ("q1", 4, "answered")]


def test_passing_a_question_by_is_asked_about_once_and_a_chosen_blank_is_kept(house, browser, token):
    asked = browser.press(browser.begin(token))
    assert asked.path == "/form/1"
    assert "inte valt något svar" in asked.words
    assert answers_of(house) == []

    assert browser.press(asked, blank="1").path == "/form/2"
    assert answers_of(house) == [("q1", None, "skipped")]

    again = browser.press(browser.open("/form/1"))
    assert again.path == "/form/2"
    assert len(answers_of(house)) == 1


def test_she_goes_on_where_she_stopped_on_another_phone_too_which_is_shown_no_answer(app, browser, token):
    browser.begin(token)
    browser.answer(1, 12, value="4")
    other = Browser(app)

    assert other.begin(token).path == "/form/13"
    before = other.open("/form/12")
    assert before.chosen is None
    assert "svarat på frågan tidigare" in before.words
    review = other.open("/form/review")
    assert review.words.count("Besvarad tidigare") == 12
    assert "Väldigt mycket" not in review.words
    assert "Väldigt mycket" in browser.open("/form/review").words


def test_a_question_answered_in_another_sitting_may_be_left_as_it_is(house, app, browser, token):
    browser.press(browser.begin(token), value="4")
    other = Browser(app)
    other.begin(token)

    assert other.press(other.open("/form/1")).path == "/form/2"
    assert answers_of(house) == [("q1", 4, "answered")]


def test_after_an_hour_of_silence_the_form_goes_on_and_shows_no_earlier_answer(house, clock, browser, token):
    browser.press(browser.begin(token), value="4")
    clock.wait(minutes=59)
    assert browser.open("/form/1").chosen == "4"

    clock.wait(minutes=61)
    page = browser.open("/form/1")

    assert page.chosen is None
    browser.press(browser.open("/form/2"), value="2")
    assert browser.open("/form/2").chosen == "2"
    assert [item for item, _, _ in answers_of(house)] == ["q1", "q2"]


def test_the_last_question_leads_to_a_look_over_all_of_them_and_each_can_be_changed_from_there(browser, token):
    browser.begin(token)
    browser.answer(1, 28)

    assert "Frågor utan svar: 2" in browser.open("/form/review").words
    assert browser.press(browser.press(browser.open("/form/29")), blank="1").path == "/form/30"
    review = browser.press(browser.open("/form/30"), value="7")

    assert review.path == "/form/review"
    assert review.words.count("Lite grann") == 28
    assert "Lämnad tom" in review.words
    assert "7 – riktigt bra" in review.words
    assert 'href="/form/30?then=review"' in review.html
    changed = browser.press(browser.open("/form/30?then=review"), "/form/30?then=review", value="1")
    assert changed.path == "/form/review"
    assert "1 – riktigt dåligt" in changed.words


def test_a_form_is_sent_once_and_the_second_time_says_thanks_as_the_first(house, app, browser, token):
    browser.begin(token)
    browser.answer(1, 30)
    review = browser.open("/form/review")

    thanks = browser.press(review, "/form/submit")
    sent = rows_of(house)
    again = browser.press(review, "/form/submit")

    assert (thanks.path, again.path) == ("/form/done", "/form/done")
    assert "Tack, ditt formulär är sparat" in again.words
    assert PHONE_OF_UMEA in again.words
    assert rows_of(house) == sent
    with reading(house.engine) as connection:
        assert connection.execute(select(Assessment.completed_at)).scalar_one() is not None
    assert browser.open("/form/5").path == "/form/done"
    assert Browser(app).open(f"/p/{token}").status == 404


def test_a_double_tap_whose_second_request_still_holds_the_sitting_says_thanks(app, browser, token):
    browser.begin(token)
    browser.answer(1, 2)
    review = browser.open("/form/review")
    as_it_was = browser.client.get_cookie("epro").value
    browser.press(review, "/form/submit")
    second = Browser(app)
    second.client.set_cookie("epro", as_it_was)

    assert second.press(review, "/form/submit").path == "/form/done"


def test_an_answer_after_the_form_was_sent_is_not_kept(house, app, browser, token):
    browser.begin(token)
    other = Browser(app)
    other.begin(token)
    left_open = other.open("/form/3")
    browser.answer(1, 1)
    browser.send()

    assert other.press(left_open, value="1").status == 404
    assert [item for item, _, _ in answers_of(house)] == ["q1"]


@pytest.mark.requirement("abuse-13")
def test_unknown_expired_used_and_revoked_links_are_one_and_the_same_page(desk, clock, app, link):
    desk.enrol("UME-001")
    desk.enrol("UME-002")
    desk.enrol("UME-003", consented_on=date(2027, 2, 10))
    used, revoked, expired = link("UME-001"), link("UME-002"), link("UME-003")
    browser = Browser(app)
    browser.begin(used)
    browser.send()
    desk.act(patients.withdraw, "UME-002", on=date(2027, 3, 1), reason="her wish")
    clock.wait(days=15)

    seen = [Browser(app).client.get(f"/p/{token}") for token in ("a" * 26, used, revoked, expired, "åäö", "x" * 900)]

    assert {response.status_code for response in seen} == {404}
    assert len({response.data for response in seen}) == 1
    assert len({tuple(response.headers) for response in seen}) == 1
    assert PHONE_OF_UMEA in seen[0].text


def test_a_link_that_is_closed_in_the_middle_keeps_nothing_more_and_says_what_to_do(house, desk, browser, token):
    page = browser.press(browser.begin(token), value="2")
    desk.act(patients.withdraw, "UME-001", on=date(2027, 3, 1), reason="her wish")

    closed = browser.press(page, value="2")

    assert closed.status == 404
    assert "Öppna länken i ditt senaste sms igen" in closed.words
    assert answers_of(house) == [("q1", 2, "answered")]


@pytest.mark.parametrize("path", ["/form", "/form/1", "/form/review", "/form/done"])
def test_without_a_sitting_every_page_says_to_open_the_link_again(browser, path):
    page = browser.open(path)

    assert page.status == 404
    assert "Öppna länken i ditt senaste sms igen" in page.words


def test_a_page_that_the_browser_has_forgotten_says_to_open_the_link_again(house, app, browser, token):
    page = browser.begin(token)
    forgetful = Browser(app)

    assert "Öppna länken" in forgetful.press(page, value="2").words
    assert "Öppna länken" in forgetful.press(page, "/form/submit").words
    assert answers_of(house) == []


def test_two_patients_on_one_phone_each_answer_their_own(house, desk, browser, link):
    desk.enrol("UME-001")
    desk.enrol("UME-002")
    one, two = link("UME-001"), link("UME-002")
    browser.press(browser.begin(one), value="1")

    page = browser.begin(two)
    assert page.path == "/form/1"
    assert page.chosen is None
    browser.press(page, value="4")

    with reading(house.engine) as connection:
        rows = connection.execute(
            select(Assessment.subject, Answer.value)
            .join(Form, Form.assessment == Assessment.id)
            .join(Answer, Answer.form == Form.id)
            .order_by(Answer.id)
        )
        assert [tuple(row) for row in rows] == [("UME-001", 1), ("UME-002", 4)]


def test_a_tablet_ends_by_being_handed_back_and_remembers_nobody(house, desk, browser, link):
    desk.enrol()
    page = browser.begin(link(mode=links.TABLET))
    with browser.client.session_transaction() as session:
        session["_user_id"] = "whoever signed in before"

    browser.press(page, value="1")
    thanks = browser.send()

    assert "Lämna tillbaka surfplattan" in thanks.words
    with browser.client.session_transaction() as session:
        assert "_user_id" not in session
        assert "sitting" not in session
    with reading(house.engine) as connection:
        assert connection.execute(select(Form.mode)).scalars().all() == ["tablet"]


def test_an_answer_that_is_not_among_the_options_is_refused(house, browser, token):
    page = browser.begin(token)

    refused = browser.press(page, value="9")
    assert refused.status == 422
    assert "Välj ett av svaren som visas" in refused.words
    assert browser.press(page, value="1; drop table answer").status == 400
    assert browser.press(page, value="1", key="x" * 5000).status == 400
    assert browser.open("/form/31").status == 404
    assert browser.open("/form/0").status == 404
    assert answers_of(house) == []


def test_the_form_is_asked_in_the_language_chosen_at_the_start(house, app, token):
    browser = Browser(app)
    start = browser.open(f"/p/{token}")
    assert start.language == "sv"
    assert "English" in start.words
    english = browser.open(f"/p/{token}?language=en")
    assert english.heading == "A form is waiting for you"

    page = browser.press(english, f"/p/{token}?language=en")

    assert page.language == "en"
    assert "not the EORTC questionnaire" in page.words
    with reading(house.engine) as connection:
        form = connection.execute(select(Form.language, Form.wording_sha256)).one()
    assert tuple(form) == ("en", house.protocol.wordings["qlq-c30", "en"].sha256)


def test_the_language_may_be_chosen_anew_until_the_first_answer(house, browser, token):
    english = f"/p/{token}?language=en"
    browser.begin(token)

    page = browser.press(browser.open(english), english)
    assert page.language == "en"
    browser.press(page, value="1")

    page = browser.begin(token)
    assert page.language == "en"
    with reading(house.engine) as connection:
        assert connection.execute(select(Form.language)).scalars().all() == ["en"]


def test_a_patients_own_language_is_the_first_whatever_the_browser_speaks(app, desk, link):
    desk.enrol(language="en")

    assert Browser(app).open(f"/p/{link()}").language == "en"


def test_a_window_that_closes_while_she_answers_keeps_what_she_said_in_it(house, clock, browser, token):
    with reading(house.engine) as connection:
        closes_at = connection.execute(select(Assessment.closes_at)).scalar_one()
    clock.now = closes_at - timedelta(seconds=1)
    page = browser.press(browser.begin(token), value="2")
    clock.now = closes_at

    assert browser.press(page, value="2").status == 404
    assert answers_of(house) == [("q1", 2, "answered")]


def test_the_start_page_shows_the_code_word_of_her_card(house, browser, token):
    with reading(house.engine) as connection:
        word = code_word_of(connection, house.cipher, "UME-001")

    assert f"Ditt kodord är {word}." in browser.open(f"/p/{token}").words
