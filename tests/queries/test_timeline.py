"""One patient's plan and what became of it, on both databases."""

from datetime import date

import pytest

from epro.acts import patients
from epro.queries.timeline import arm_of, subjects_like, timeline
from epro.refusals import NoSuchPatient
from epro.store.database import reading
from tests.epro.conftest import NOW, Desk
from tests.queries.conftest import RANDOMISED, later, statements


def seen(house, now=NOW, subject="UME-001"):
    with reading(house.engine) as connection:
        return timeline(connection, house.protocol, subject, now)


def visit(house, code, now=NOW):
    return next(visit for visit in seen(house, now).visits if visit.code == code)


def test_the_whole_plan_stands_there_as_soon_as_a_patient_is_enrolled(house, desk):
    desk.enrol(**RANDOMISED)

    found = seen(house)

    assert [visit.code for visit in found.visits] == list(house.protocol.schedule.visits)
    assert len(visit(house, "M3").texts_told) == 3
    assert found.pending == sum(len(visit.texts_told) for visit in found.visits)


def test_after_a_death_no_text_is_pending_and_an_open_form_is_asked_no_longer(house, desk):
    desk.enrol(**RANDOMISED)
    desk.act(patients.record_death, "UME-001", on=date(2027, 3, 1))

    found = seen(house)

    assert found.pending == 0
    assert (found.visits[0].state, found.visits[0].open) == ("excused", False)
    assert {visit.state for visit in found.visits[1:]} == {"excused"}


def test_a_baseline_that_was_answered_after_randomisation_is_marked_so(house, desk, course):
    desk.enrol("UME-001", **RANDOMISED)
    desk.enrol("UME-002", **RANDOMISED)
    course.answer("UME-001", "BL", NOW)
    course.answer("UME-002", "BL", later(days=1))

    assert not visit(house, "BL", later(days=2)).after_randomisation
    assert seen(house, later(days=2), "UME-002").visits[0].after_randomisation


def test_a_corrected_date_stands_beside_the_first_one(house, desk):
    desk.enrol(consented_on=date(2027, 2, 1), randomised_on=date(2027, 2, 1), arm="surgery")
    desk.act(patients.correct_randomisation, "UME-001", on=date(2027, 2, 2), reason="typing error")

    newest, *older = seen(house).recorded

    assert (newest.happened_on, newest.reason) == (date(2027, 2, 2), "typing error")
    assert newest.corrects in {one.id for one in older if one.happened_on == date(2027, 2, 1)}


def test_the_arm_is_told_only_to_whoever_asks_for_it(house, desk):
    desk.enrol(**RANDOMISED)

    assert "surgery" not in repr(seen(house))
    with reading(house.engine) as connection:
        assert arm_of(connection, "UME-001") == "surgery"


def test_a_longer_history_takes_no_more_statements(house, desk, course):
    desk.enrol()
    with statements(house.engine) as few:
        seen(house)
    Desk(house).act(patients.randomise, "UME-001", on=date(2027, 3, 1), arm="surgery")
    course.tick(NOW)
    course.answer("UME-001", "BL", NOW)

    with statements(house.engine) as many:
        seen(house)

    assert len(many) == len(few)


def test_nobody_else_has_this_id(house):
    with pytest.raises(NoSuchPatient):
        seen(house, subject="UME-404")


def test_a_search_takes_what_was_typed_literally_and_stays_at_ones_sites(house, desk):
    for subject in ("UME-001", "UME-011", "GBG-001"):
        desk.enrol(subject)

    with reading(house.engine) as connection:
        assert subjects_like(connection, "01", None) == ["GBG-001", "UME-001", "UME-011"]
        assert subjects_like(connection, "ume-0", None) == ["UME-001", "UME-011"]
        assert subjects_like(connection, "001", {"GBG"}) == ["GBG-001"]
        assert subjects_like(connection, "%", None) == []
