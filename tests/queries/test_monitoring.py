"""How many of the expected forms came? On both databases."""

from datetime import date

import pytest

from analysis.compliance import rates
from epro.acts import patients
from epro.queries.export import export
from epro.queries.monitoring import Count, completion
from epro.store.database import reading
from tests.epro.conftest import NOW, Desk
from tests.queries.conftest import RANDOMISED, later, on, statements

AFTER_M3 = on(6, 16)  # M3 is due on 1 June and closes after the 15th


def table(house, now, **narrowed):
    with reading(house.engine) as connection:
        return completion(connection, house.protocol, now, **narrowed)


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

    assert found == Count(expected=2, complete=1, unfinished=1)
    assert (found.received, found.percent) == (2, 100)


def test_sums_over_sites_and_visits_add_up(house, two_sites):
    found = table(house, AFTER_M3)

    assert found.of_visit("BL") == Count(3, 1, 0)
    assert found.of_site("UME") == Count(6, 3, 1)
    assert found.of_site("GBG") == Count(3, 0, 0)
    assert found.total == Count(9, 3, 1)
    assert found.total.percent == 44


def test_a_form_that_can_still_be_answered_counts_only_once_it_is_submitted(house, desk, course):
    desk.enrol("UME-001")
    desk.enrol("UME-002")
    course.answer("UME-001", "BL", NOW)
    course.answer("UME-002", "BL", NOW, said=29, submit=False)

    assert table(house, NOW).at("BL", "UME") == Count(1, 1, 0)
    assert table(house, later(days=29)).at("BL", "UME") == Count(2, 1, 1)


def test_a_form_that_was_submitted_without_an_answer_was_not_received(house, desk, course):
    desk.enrol()
    course.answer("UME-001", "BL", NOW, said=0, blank=30)

    assert table(house, NOW).at("BL", "UME") == Count(1, 0, 0)


def test_nothing_is_expected_after_a_death(house, desk):
    desk.enrol(**RANDOMISED)
    Desk(house, on(5, 21)).act(patients.record_death, "UME-001", on=date(2027, 5, 20))

    found = table(house, on(1, 1, year=2031))

    assert [visit for visit in found.visits if found.of_visit(visit).expected] == ["BL", "M1.5"]


def test_a_window_that_closed_before_its_patient_was_in_the_system_counts_nowhere(house, desk):
    desk.enrol(consented_on=date(2026, 9, 1), randomised_on=date(2026, 9, 1), arm="control")

    found = table(house, NOW)

    assert found.total == Count()


def test_a_nurse_sees_the_columns_of_her_own_sites(house, two_sites):
    found = table(house, AFTER_M3, sites={"GBG"})

    assert found.sites == ("GBG",)
    assert found.total == Count(3, 0, 0)


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
