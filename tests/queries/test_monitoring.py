"""How many of the expected forms came? On both databases."""

from datetime import date

import pytest

from analysis.compliance import rates
from epro.acts import calls, patients
from epro.queries.export import export
from epro.queries.monitoring import completion
from epro.store.database import reading
from tests.epro.conftest import NOW, Desk
from tests.queries.conftest import RANDOMISED, later, on, statements

AFTER_M3 = on(6, 16)  # M3 is due on 1 June and closes after the 15th


def table(house, now, **narrowed):
    with reading(house.engine) as connection:
        return completion(connection, house.protocol, now, **narrowed)


def counted(count):
    """expected, complete, unfinished"""
    return count.expected, count.complete, count.unfinished


@pytest.fixture
def two_sites(house, desk, course):
    """UME-001 answers all; UME-002 begins M1.5 and stops; GBG-003 answers nothing; all randomised on 1 March."""
    for subject in ("UME-001", "UME-002", "GBG-003"):
        desk.enrol(subject, **RANDOMISED)
    for visit, at in (("BL", NOW), ("M1.5", on(4, 16)), ("M3", on(6, 1))):
        course.answer("UME-001", visit, at)
    course.answer("UME-002", "M1.5", on(4, 16), said=12, submit=False)


def test_complete_and_unfinished_are_counted_apart_and_both_are_received(house, two_sites):
    found = table(house, AFTER_M3).at("M1.5", "UME")

    assert counted(found) == (2, 1, 1)
    assert (found.received, found.percent) == (2, 100)


def test_sums_over_sites_and_visits_add_up(house, two_sites):
    found = table(house, AFTER_M3)

    assert counted(found.of_visit("BL")) == (3, 1, 0)
    assert counted(found.of_site("UME")) == (6, 3, 1)
    assert counted(found.of_site("GBG")) == (3, 0, 0)
    assert counted(found.total) == (9, 3, 1)
    assert found.total.percent == 44


def test_a_form_that_can_still_be_answered_counts_only_once_it_is_submitted(house, desk, course):
    desk.enrol("UME-001")
    desk.enrol("UME-002")
    course.answer("UME-001", "BL", NOW)
    course.answer("UME-002", "BL", NOW, said=29, submit=False)

    assert counted(table(house, NOW).at("BL", "UME")) == (1, 1, 0)
    assert counted(table(house, later(days=29)).at("BL", "UME")) == (2, 1, 1)


def test_a_form_that_was_submitted_without_an_answer_was_not_received(house, desk, course):
    desk.enrol()
    course.answer("UME-001", "BL", NOW, said=0, blank=30)

    assert counted(table(house, NOW).at("BL", "UME")) == (1, 0, 0)


def test_nothing_is_expected_after_a_death(house, desk):
    desk.enrol(**RANDOMISED)
    Desk(house, on(5, 21)).act(patients.record_death, "UME-001", on=date(2027, 5, 20))

    found = table(house, on(1, 1, year=2031))

    assert [visit for visit in found.visits if found.of_visit(visit).expected] == ["BL", "M1.5"]


def test_a_window_that_closed_before_its_patient_was_in_the_system_counts_nowhere(house, desk):
    desk.enrol(consented_on=date(2026, 9, 1), randomised_on=date(2026, 9, 1), arm="control")

    found = table(house, NOW)

    assert counted(found.total) == (0, 0, 0)


def test_a_nurse_sees_the_columns_of_her_own_sites(house, two_sites):
    found = table(house, AFTER_M3, sites={"GBG"})

    assert found.sites == ("GBG",)
    assert counted(found.total) == (3, 0, 0)


def test_of_the_randomised_every_form_counts_that_would_have_been_due_also_of_the_dead(house, two_sites):
    Desk(house, on(4, 1)).act(patients.record_death, "GBG-003", on=date(2027, 3, 30))

    found = table(house, AFTER_M3).of_visit("M3")

    assert (found.received, found.expected, found.percent) == (1, 2, 50)
    assert (found.received_of_due, found.due, found.percent_of_due) == (1, 3, 33)


def test_a_patient_who_was_not_randomised_is_none_of_the_randomised(house, desk):
    desk.enrol()

    found = table(house, later(days=29)).at("BL", "UME")

    assert (found.expected, found.due, found.percent_of_due) == (1, 0, None)


def test_the_reasons_of_the_missing_are_counted_and_those_without_one(house, two_sites):
    desk = Desk(house, on(6, 2))
    desk.act(calls.give_reason, "UME-002", visit="M3", reason="too_ill")

    found = table(house, AFTER_M3)

    assert found.missing == {"too_ill": 1, "": 4}
    assert sum(found.missing.values()) == found.total.missing


def test_one_visit_alone_can_be_asked_for(house, two_sites):
    assert table(house, AFTER_M3, visit="BL").visits == ("BL",)
    assert counted(table(house, AFTER_M3, visit="BL").total) == (3, 1, 0)


def test_the_whole_table_is_one_statement(house, two_sites):
    with statements(house.engine) as sent:
        table(house, AFTER_M3)

    assert len([statement for statement in sent if "assessment" in statement]) == 1


def test_the_desk_and_the_analysts_report_count_the_same(house, two_sites, tmp_path):
    found = table(house, AFTER_M3)

    reported = rates(export(house, tmp_path / "trial", now=AFTER_M3)).groupby("visit").sum()

    for visit in ("BL", "M1.5", "M3"):
        ours = found.of_visit(visit)
        theirs = reported.loc[visit]
        assert (ours.expected, ours.received, ours.complete, ours.unfinished) == (
            theirs["expected"],
            theirs["received"],
            theirs["complete"],
            theirs["unfinished"],
        )
        assert ours.due == theirs["randomised"]
