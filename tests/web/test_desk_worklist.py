"""The landing page, the search and the completion table as staff see them."""

from datetime import date

import pytest

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

    assert ">call<" in row


def test_a_search_leads_to_the_patient_and_what_was_typed_stands_in_no_address(nurse, desk):
    desk.enrol("UME-001")
    desk.enrol("UME-002")
    page = nurse.open("/desk")

    assert nurse.press(page, "/desk/patients/search", subject=" ume-001 ").path == "/desk/patients/UME-001"
    assert "UME-002" in nurse.press(page, "/desk/patients/search", subject="UME").words
    nobody = nurse.press(page, "/desk/patients/search", subject="19121212-1212")
    assert "No patient of yours" in nobody.words
    assert "19121212" not in nobody.path + nobody.html


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


@pytest.mark.parametrize("path", ["/desk", "/desk/completion"])
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
