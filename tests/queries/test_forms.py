"""What has become of every form? On both databases."""

from datetime import date

import pytest

from epro.acts import calls, patients
from epro.queries.forms import SORTS, Wanted, first_forms, forms
from epro.store.database import reading
from tests.epro.conftest import NOW, Desk
from tests.queries.conftest import RANDOMISED, later, on, statements


def lines(house, now=NOW, sites=None, **wanted):
    with reading(house.engine) as connection:
        return forms(connection, house.protocol, now, Wanted(**wanted), sites=sites)


def states(house, now, subject="UME-001"):
    return {line.visit: line.state for line in lines(house, now) if line.subject == subject}


def test_a_form_goes_from_scheduled_over_sent_opened_and_partly_to_answered(house, desk, course):
    desk.enrol()
    assert states(house, NOW) == {"BL": "scheduled"}
    course.tick(NOW)
    assert states(house, NOW) == {"BL": "sent"}
    course.answer("UME-001", "BL", NOW, said=0, submit=False)
    assert states(house, NOW) == {"BL": "opened"}
    course.answer("UME-001", "BL", NOW, said=1, submit=False)
    assert states(house, NOW) == {"BL": "partly"}
    course.answer("UME-001", "BL", NOW, said=2)
    assert states(house, NOW) == {"BL": "answered"}


def test_what_nobody_answered_is_missed_and_after_a_death_excused(house, desk, course):
    desk.enrol(**RANDOMISED)
    Desk(house, on(6, 2)).act(patients.record_death, "UME-001", on=date(2027, 6, 1))

    found = states(house, on(7, 1))

    assert (found["BL"], found["M1.5"], found["M3"], found["M36"]) == ("missed", "missed", "excused", "excused")


def test_a_window_before_the_system_is_told_apart(house, desk):
    desk.enrol(consented_on=date(2026, 9, 1), randomised_on=date(2026, 9, 1), arm="control")

    assert states(house, NOW)["M3"] == "before_system"


@pytest.fixture
def three(desk, course, house):
    for subject in ("UME-001", "UME-002", "GBG-003"):
        desk.enrol(subject, **RANDOMISED)
    course.answer("UME-001", "BL", NOW)
    desk.act(calls.give_reason, "UME-002", visit="BL", reason="refused")


def test_site_visit_and_state_narrow_the_list_and_no_site_shows_what_is_not_ones_own(house, three):
    assert {line.subject for line in lines(house, visit="BL")} == {"UME-001", "UME-002", "GBG-003"}
    assert [line.subject for line in lines(house, visit="BL", state="answered")] == ["UME-001"]
    assert {line.site for line in lines(house, site="GBG")} == {"GBG"}
    assert lines(house, sites={"UME"}, site="GBG") == []
    assert [line.reason for line in lines(house, visit="BL") if line.subject == "UME-002"] == ["refused"]


def test_a_column_sorts_both_ways_and_ties_stand_by_subject(house, three):
    assert [line.subject for line in lines(house, visit="BL", sort="site")] == ["GBG-003", "UME-001", "UME-002"]
    assert [line.subject for line in lines(house, visit="BL", sort="-subject")] == ["UME-002", "UME-001", "GBG-003"]


def test_the_first_lines_are_those_of_the_whole_list_and_their_count_is_of_all(house, three):
    narrowed = [{}, {"visit": "M3"}, {"state": "scheduled"}]
    ways = [Wanted(**more, sort=way + column) for more in narrowed for column in SORTS for way in ("", "-")]
    with reading(house.engine) as connection:
        for wanted in ways:
            first, count = first_forms(connection, house.protocol, NOW, wanted, sites=["UME"], most=4)
            whole = forms(connection, house.protocol, NOW, wanted, sites=["UME"])
            assert (first, count) == (whole[:4], len(whole)), wanted


def test_more_patients_take_no_more_statements(house, three, desk):
    with statements(house.engine) as few:
        lines(house, later(days=1))
    for n in range(10, 15):
        desk.enrol(f"UME-{n:03d}", **RANDOMISED)

    with statements(house.engine) as many:
        lines(house, later(days=1))

    assert len(many) == len(few)
