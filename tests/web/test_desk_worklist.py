"""The landing page, the search and the completion table as staff see them."""

from datetime import date

import pytest
from sqlalchemy import select

from epro.acts import replies
from epro.store.database import reading, writing
from epro.store.models import Access
from tests.epro.conftest import NOW
from tests.queries.conftest import RANDOMISED, Course, statements
from tests.web.staffing import Staff


@pytest.fixture
def nurse(app, house):
    return Staff(app, house)


@pytest.fixture
def course(house):
    return Course(house)


def count(page, name):
    return int(page.html.split(f'href="#{name}"')[1].split("<b>")[1].split("</b>")[0])


def test_the_first_page_after_signing_in_counts_who_is_overdue_due_unreachable_and_done(nurse, desk, course, clock):
    desk.enrol("UME-001")
    desk.enrol("UME-002", phone=None)
    desk.enrol("UME-003")
    course.answer("UME-003", "BL", NOW)
    clock.wait(days=1)
    desk.now = clock.now
    desk.enrol("UME-004", consented_on=date(2027, 3, 2))

    page = nurse.sign_in_again("/desk")

    assert {name: count(page, name) for name in ("overdue", "due", "unreachable", "done")} == {
        "overdue": 2,
        "due": 1,
        "unreachable": 1,
        "done": 1,
    }


def test_a_filter_is_an_address_that_opens_the_same_view(nurse, desk):
    desk.enrol("UME-001")
    desk.enrol("GBG-002")

    page = nurse.open("/desk?site=GBG&visit=BL")

    assert "GBG-002" in page.words
    assert "UME-001" not in page.words
    assert '<option value="GBG" selected>' in page.html
    assert nurse.open("/desk?visit=nonsense").status == 404


def test_a_nurse_of_one_site_is_offered_no_choice_of_sites(app, house):
    assert 'id="site"' not in Staff(app, house, sites=["UME"]).open("/desk").html


def test_the_line_above_says_when_the_clock_ran_and_what_waits(nurse, desk, clock):
    assert "has not run yet" in nurse.open("/desk").words
    desk.enrol()
    clock.wait(hours=5)

    assert "The oldest text that waits was due" in nurse.sign_in_again("/desk").words


def test_an_overdue_patient_without_a_text_to_come_is_to_be_called(nurse, desk, course, clock):
    desk.enrol()
    for _ in range(12):
        course.tick(clock.now)
        clock.wait(days=1)

    row = nurse.sign_in_again("/desk").html.split('href="/desk/patients/UME-001"')[1].split("</tr>")[0]

    assert "<b>call</b>" in row


def test_the_list_is_ranked_by_window_then_baseline_then_misses_then_who_asked(app, house, desk, course, clock):
    texter = replies.Incoming("SM1", "+46701740609", "RING")
    long_ago = {"consented_on": date(2027, 1, 1), "randomised_on": date(2027, 1, 4), "arm": "control"}
    desk.enrol("UME-004", **long_ago, phone="070-174 06 08")  # M1.5: due 19 February, closes on 5 March; never missed
    desk.enrol("UME-003", consented_on=date(2027, 2, 5), phone="070-174 06 07")  # BL closes on 5 March
    desk.enrol("UME-005", **long_ago, phone="070-174 06 09")
    desk.enrol("UME-006", consented_on=date(2027, 2, 20), phone="070-174 06 06")
    with writing(house.engine) as connection:
        replies.keep(connection, house.protocol, house.cipher, texter, NOW)

    page = Staff(app, house).open("/desk")

    rows = page.html.split('<section id="overdue"')[1].split("</section>")[0].split('<th scope="row">')[1:]
    assert [row.split("/desk/patients/")[1][:7] for row in rows] == ["UME-003", "UME-005", "UME-004", "UME-006"]
    assert "asks to be called" in rows[1]
    assert "baseline" in rows[0]


def test_an_act_of_the_list_is_said_leads_back_to_the_same_filter_and_a_refusal_says_why(nurse, desk, clock):
    desk.enrol()
    clock.wait(days=1)
    page = nurse.sign_in_again("/desk?site=UME")
    again = page.html.split("/visits/BL/again?at=")[1].split('"')[0]

    done = nurse.press(page, f"/desk/patients/UME-001/visits/BL/again?at={again}")
    assert "the text for Before randomisation goes once more" in done.words
    assert '<option value="UME" selected>' in done.html
    refused = nurse.press(page, "/desk/patients/UME-001/visits/BL/reason", reason="because")
    assert "Choose one of the reasons" in refused.words
    gone = nurse.press(page, "/desk/patients/UME-001/visits/BL/reason", reason="too_ill")
    assert count(gone, "overdue") == 0


def test_the_number_is_shown_on_one_click_as_a_link_to_call_and_the_look_is_kept(nurse, house, desk):
    desk.enrol()
    page = nurse.open("/desk")
    assert "0701740605" not in page.html.replace("-", "").replace(" ", "")

    shown = nurse.press(page, "/desk/patients/UME-001/call", visit="BL")

    assert 'href="tel:+46701740605"' in shown.html
    assert shown.html.count('type="radio"') > 100  # the form to fill in while she speaks
    with reading(house.engine) as connection:
        looks = connection.execute(select(Access.what, Access.subjects)).all()
    assert ("desk.call", ["UME-001"]) in [tuple(look) for look in looks]


def test_a_form_entered_twice_from_paper_shows_what_differs_before_anything_is_kept(nurse, desk):
    desk.enrol()
    page = nurse.open("/desk/patients/UME-001/visits/BL/paper")
    said = {f"qlq-c30.q{n}": "2" for n in range(1, 31)}

    again = nurse.press(page, on="2027-03-01", twice="yes", **said)
    differ = nurse.press(again, on="2027-03-01", **said | {"qlq-c30.q7": "3"})
    assert "The two entries differ in 1 answers" in differ.words
    assert "first 2, now 3" in differ.words
    kept = nurse.press(differ, on="2027-03-01", **said)

    assert "the answers are kept" in kept.words
    assert "on paper, entered by staff" in nurse.open("/desk/patients/UME-001").words


def test_a_blank_on_paper_is_asked_about_once(nurse, desk):
    desk.enrol()
    page = nurse.open("/desk/patients/UME-001/visits/BL/paper")
    said = {f"qlq-c30.q{n}": "2" for n in range(1, 29)}

    asked = nurse.press(page, on="2027-03-01", **said)
    assert (asked.status, "Left blank: 2" in asked.words) == (422, True)

    assert "the answers are kept" in nurse.press(asked, on="2027-03-01", blank="yes", **said).words


def test_the_list_of_forms_as_a_file_holds_what_the_page_holds(app, house, desk, course):
    for subject in ("UME-001", "GBG-002"):
        desk.enrol(subject)
    nurse = Staff(app, house, language="sv")

    page = nurse.open("/desk/forms?site=UME&state=scheduled&sort=-subject")
    file = nurse.client.get("/desk/forms.csv?site=UME&state=scheduled&sort=-subject", headers=nurse.headers)

    assert "UME-001" in page.words
    assert "GBG-002" not in page.words
    assert 'aria-sort="descending"' in page.html
    head, *rows = file.get_data().decode("utf-8-sig").splitlines()
    assert head.split(";")[5] == "Läge"
    assert [row.split(";")[0] for row in rows] == ["UME-001"]
    assert file.get_data().startswith(b"\xef\xbb\xbf")
    assert nurse.open("/desk/forms?sort=arm").status == 404


def test_a_search_leads_to_the_patient_and_what_was_typed_stands_in_no_address(nurse, desk):
    desk.enrol("UME-001")
    desk.enrol("UME-002")
    page = nurse.open("/desk")

    assert nurse.press(page, "/desk/patients/search", subject=" ume-001 ").path == "/desk/patients/UME-001"
    assert "UME-002" in nurse.press(page, "/desk/patients/search", subject="UME").words
    assert "No patient of yours" in nurse.press(page, "/desk/patients/search", subject="UME-999").words
    by_number = nurse.press(page, "/desk/patients/search", subject="19121212-1212")
    assert "personal identity number" in by_number.words
    assert "19121212" not in by_number.path + by_number.html


def test_who_sees_no_patients_lands_on_the_completion_table(app, house, desk):
    desk.enrol()
    analyst = Staff(app, house, "analyst")

    page = analyst.open("/desk")

    assert page.path == "/desk/completion"
    assert "UME-001" not in page.html


def test_the_completion_table_shows_counts_with_their_percentage_and_sums(nurse, desk, course, clock):
    for subject in ("UME-001", "UME-002", "GBG-003"):
        desk.enrol(subject, **RANDOMISED)
    course.answer("UME-001", "BL", NOW)
    clock.wait(days=30)

    page = nurse.sign_in_again("/desk/completion")
    row = page.html.split("<b>BL</b>")[1].split("</tr>")[0]

    for shown in ("1/2", "50 %", "0/1", "0 %", "1/3", "33 %"):
        assert shown in row
    for arm in ("surgery", "control", "Surgical", "Control:"):
        assert arm not in page.html


@pytest.mark.parametrize("path", ["/desk", "/desk/completion", "/desk/forms"])
def test_more_patients_take_no_more_statements(nurse, house, desk, course, path):
    desk.enrol("UME-001", **RANDOMISED)
    with statements(house.engine) as few:
        nurse.open(path)
    for n in range(2, 7):
        desk.enrol(f"UME-{n:03d}", **RANDOMISED)
        course.answer(f"UME-{n:03d}", "BL", NOW)

    with statements(house.engine) as many:
        nurse.open(path)

    assert len(many) == len(few)


def test_the_desk_speaks_swedish(app, house, desk):
    desk.enrol()
    nurse = Staff(app, house, language="sv")

    assert nurse.open("/desk").heading == "Vem ringer jag i dag?"
    assert "3 sms väntar." in nurse.open("/desk/patients/UME-001").words
