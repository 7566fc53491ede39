"""Everything that happened around one patient, in order of time. On both databases."""

from datetime import date
from itertools import pairwise

import pytest

from epro.acts import calls, entering, patients
from epro.acts.answers import Said
from epro.queries.course import course as course_of
from epro.queries.timeline import timeline
from epro.store.database import reading, writing
from tests.epro.conftest import NOW, NURSE, Desk
from tests.queries.conftest import ITEMS, RANDOMISED, later, on


def moments(house, now):
    with reading(house.engine) as connection:
        shown = timeline(connection, house.protocol, "UME-001", now)
        return course_of(connection, house.protocol, shown, now)


@pytest.fixture
def lived(house, desk, course):
    """Randomised on 1 March; two texts with receipts; a call; a reason that is taken back; paper; a death."""
    desk.enrol(consented_on=date(2027, 2, 25), **RANDOMISED)
    course.tick(NOW)
    course.receipt("undelivered", NOW, code=30005)
    desk = Desk(house, later(days=3))
    desk.act(calls.log_call, "UME-001", outcome=calls.NOT_REACHED, note="no voicemail")
    desk.act(calls.give_reason, "UME-001", visit="BL", reason="too_ill")
    desk.act(calls.give_reason, "UME-001", visit="BL", reason="")
    with writing(house.engine) as connection:
        said = [Said("qlq-c30", item, 2, key="") for item in ITEMS]
        entered = entering.Entered(entering.PAPER, said, date(2027, 3, 2))
        entering.enter(connection, house.protocol, "UME-001", "BL", entered, by=NURSE, now=later(days=4))
    Desk(house, on(4, 2)).act(patients.record_death, "UME-001", on=date(2027, 3, 30), reason="from the register")


def test_windows_texts_receipts_answers_calls_reasons_and_records_all_stand_in_it(house, lived):
    found = moments(house, on(5, 1))

    told = {(one.kind, one.what) for one in found}
    assert {
        ("opens", "BL"),
        ("closes", "completed"),
        ("text", "reminder-1"),
        ("receipt", "undelivered"),
        ("completed", "paper"),
        ("recorded", "called"),
        ("act", "missing reason recorded"),
        ("act", "missing reason taken back"),
        ("act", "answers entered from paper"),
        ("recorded", "death"),
        ("recorded", "randomisation"),
    } <= told
    assert [one.detail for one in found if one.what == "missing reason recorded"] == ["BL: too_ill"]
    assert [one.detail for one in found if one.what == "death"] == ["from the register"]
    assert {one.by for one in found if one.kind == "act"} == {NURSE.name}


def test_the_days_count_from_randomisation_and_the_latest_stands_first_also_over_a_clock_change(house, lived):
    found = moments(house, on(5, 1))

    days = {one.what: one.day for one in found if one.kind == "recorded"}
    assert (days["consent"], days["randomisation"], days["death"]) == (-4, 0, 29)
    assert all(before.on >= after.on for before, after in pairwise(found))


def test_nothing_of_the_future_stands_in_it(house, lived):
    assert all(one.at is None or one.at <= NOW for one in moments(house, NOW))


def test_a_patient_who_is_not_randomised_has_no_days(house, desk):
    desk.enrol()

    assert {one.day for one in moments(house, NOW)} == {None}
