"""A nurse's calendar: by an address that only she has. On both databases."""

from datetime import date

import pytest
from icalendar import Calendar
from sqlalchemy import select

from epro.acts import users
from epro.store.database import reading, writing
from epro.store.models import Access
from tests.epro.conftest import NURSE
from tests.web.staffing import Staff


@pytest.fixture
def nurse(app, house):
    return Staff(app, house, sites=["UME"])


def address(nurse):
    page = nurse.open("/desk/calendar")
    return nurse.press(page, "/desk/calendar").html.split('class="link">')[1].split("<")[0].split("8000", 1)[1]


def feed(browser, path):
    return browser.client.get(path)


def test_the_calendar_holds_due_and_last_days_of_her_own_patients_by_subject_id(nurse, desk, browser, house):
    desk.enrol("UME-001", consented_on=date(2027, 2, 20))
    desk.enrol("GBG-002")

    answer = feed(browser, address(nurse))

    assert answer.mimetype == "text/calendar"
    days = [(str(event["summary"]), event["dtstart"].dt) for event in Calendar.from_ical(answer.data).walk("VEVENT")]
    assert days == [("UME-001 BL: måldag", date(2027, 2, 20)), ("UME-001 BL: sista dagen", date(2027, 3, 20))]
    with reading(house.engine) as connection:
        looks = connection.execute(select(Access.what, Access.actor, Access.subjects)).all()
    assert ("calendar.feed", nurse.email, ["UME-001"]) in [tuple(look) for look in looks]


def test_an_address_ends_with_the_next_one_when_she_ends_it_and_with_her_account(nurse, desk, browser, house):
    desk.enrol("UME-001")
    first = address(nurse)
    second = address(nurse)
    assert (feed(browser, first).status_code, feed(browser, second).status_code) == (404, 200)

    nurse.press(nurse.open("/desk/calendar"), "/desk/calendar/end")
    assert feed(browser, second).status_code == 404

    third = address(nurse)
    with writing(house.engine) as connection:
        [hers] = [one.id for one in users.accounts(connection) if one.email == nurse.email]
        users.disable(connection, hers, by=NURSE, now=house.clock())
    assert feed(browser, third).status_code == 404


def test_the_address_is_shown_once(nurse):
    shown = address(nurse)

    assert shown not in nurse.open("/desk/calendar").html
    assert "works until" in nurse.open("/desk/calendar").words
