"""What a nurse does about a late form: send again, call, say why it is missing. On both databases."""

from datetime import date, timedelta

import pytest

from epro.acts import calls, patients
from epro.queries.brought_in import BroughtIn, brought_in
from epro.queries.timeline import timeline
from epro.queries.worklist import worklist
from epro.refusals import Refusal
from epro.store import facts
from epro.store.database import reading, writing
from tests.epro.conftest import NOW, NURSE
from tests.queries.conftest import Course, later


@pytest.fixture
def course(house):
    return Course(house)


@pytest.fixture
def do(house):
    """An act of the nurse at an instant."""

    def do(verb, *asked, at=NOW, **more):
        with writing(house.engine) as connection:
            return verb(connection, house.protocol, "UME-001", *asked, by=NURSE, now=at, **more)

    return do


def shown(house, at=NOW):
    with reading(house.engine) as connection:
        return timeline(connection, house.protocol, "UME-001", at)


def texts(house, at=NOW):
    [baseline] = [visit for visit in shown(house, at).visits if visit.code == "BL"]
    return {text.step: text.state for text in baseline.texts}


def lists(house, at=NOW):
    with reading(house.engine) as connection:
        return worklist(connection, house.protocol, at)


def test_a_text_sent_again_leaves_at_the_next_tick_as_a_step_of_its_own(house, desk, course, do):
    desk.enrol()
    course.tick(NOW)

    assert do(calls.send_again, "BL", at=later(days=1))
    course.tick(later(days=1, seconds=5))

    assert texts(house) == {
        "invite": "accepted",
        "again-1": "accepted",
        "reminder-1": "planned",
        "reminder-2": "planned",
    }
    assert len(course.post.attempts) == 2


def test_a_second_click_within_a_minute_does_nothing(house, desk, course, do):
    desk.enrol()
    course.tick(NOW)
    do(calls.send_again, "BL", at=later(days=1))
    course.tick(later(days=1, seconds=5))

    assert not do(calls.send_again, "BL", at=later(days=1, seconds=59))
    course.tick(later(days=1, seconds=61))

    assert len(course.post.attempts) == 2
    assert [one.kind for one in shown(house).recorded].count(facts.SENT_AGAIN) == 1


def test_what_is_sent_again_takes_the_place_of_the_reminder_of_that_day(house, desk, course, do):
    desk.enrol()
    course.tick(NOW)

    do(calls.send_again, "BL", at=later(days=3, hours=-5))  # reminder 1 goes on day 3 at 10:00 in Stockholm
    for hours in range(-5, 6):
        course.tick(later(days=3, hours=hours))

    assert texts(house)["again-1"] == "accepted"
    assert texts(house)["reminder-1"] == "superseded"
    assert len(course.post.attempts) == 2


def test_the_later_steps_of_the_ladder_still_go_and_it_can_be_sent_again_another_day(house, desk, course, do):
    desk.enrol()
    course.tick(NOW)
    for day in (1, 2):
        do(calls.send_again, "BL", at=later(days=day))
        course.tick(later(days=day, seconds=5))

    for day in (3, 7):
        course.tick(later(days=day, hours=4))

    assert texts(house) == dict.fromkeys(("invite", "again-1", "again-2", "reminder-1", "reminder-2"), "accepted")


def test_nobody_gets_two_texts_on_one_day(house, desk, course, do):
    desk.enrol()
    course.tick(NOW)

    with pytest.raises(Refusal):
        do(calls.send_again, "BL", at=later(hours=1))


def test_at_night_it_waits_for_the_morning(house, desk, course, do):
    desk.enrol()
    course.tick(NOW)

    do(calls.send_again, "BL", at=later(days=1, hours=9))  # 22:00 in Stockholm
    course.tick(later(days=1, hours=9, seconds=5))

    assert len(course.post.attempts) == 1
    course.tick(later(days=1, hours=20))  # 09:00
    assert len(course.post.attempts) == 2


@pytest.mark.parametrize("known", [{"texts_allowed": False}, {"phone": None}])
def test_nothing_is_sent_again_to_whom_no_text_reaches(house, desk, do, known):
    desk.enrol(**known)

    with pytest.raises(Refusal):
        do(calls.send_again, "BL")


def test_a_form_that_is_not_open_is_not_sent_again(house, desk, do):
    desk.enrol()
    desk.act(patients.record_death, "UME-001", on=date(2027, 3, 1))

    with pytest.raises(Refusal):
        do(calls.send_again, "BL")


def test_a_missing_reason_takes_the_form_off_the_list_and_ends_its_texts(house, desk, course, do):
    desk.enrol()
    course.tick(NOW)

    do(calls.give_reason, "BL", reason="too_ill", at=later(days=1))

    found = lists(house, later(days=1))
    assert (found.overdue, found.due, found.counts["overdue"]) == ((), (), 0)
    assert "planned" not in texts(house).values()

    do(calls.give_reason, "BL", reason="", at=later(days=1))
    assert [row.visit for row in lists(house, later(days=1)).overdue] == ["BL"]
    assert texts(house)["reminder-1"] == "planned"


def test_a_reason_is_one_of_the_list_and_only_for_a_form_that_is_missing(house, desk, course, do):
    desk.enrol()
    with pytest.raises(Refusal):
        do(calls.give_reason, "BL", reason="no idea")
    with pytest.raises(Refusal):
        do(calls.give_reason, "M3", reason="too_ill")
    course.answer("UME-001", "BL", NOW)
    with pytest.raises(Refusal):
        do(calls.give_reason, "BL", reason="too_ill")


def test_a_patient_whose_form_has_a_reason_can_answer_it_all_the_same(house, desk, course, do):
    desk.enrol()
    do(calls.give_reason, "BL", reason="too_ill")

    course.answer("UME-001", "BL", later(days=1))

    assert [row.visit for row in lists(house, later(days=1)).done] == ["BL"]
    assert shown(house).visits[0].reason is None


def test_who_was_spoken_to_is_known_to_be_alive_and_who_was_not_reached_is_not(house, desk, do):
    desk.enrol()

    do(calls.log_call, outcome=calls.NOT_REACHED, note="", at=later(days=1))
    assert facts.SEEN_ALIVE not in shown(house).patient.events
    do(calls.log_call, outcome=calls.WILL_ANSWER, note="", at=later(days=2))

    assert shown(house).patient.events[facts.SEEN_ALIVE].on == date(2027, 3, 3)
    with pytest.raises(Refusal):
        do(calls.log_call, outcome="nonsense", note="")


def test_the_list_says_what_the_calls_brought_in(house, desk, course, do):
    desk.enrol()
    do(calls.log_call, outcome=calls.NOT_REACHED, note="", at=later(days=1))
    do(calls.log_call, outcome=calls.WILL_ANSWER, note="", at=later(days=2))
    with reading(house.engine) as connection:
        assert brought_in(connection, later(days=2)) == BroughtIn(1, 0, 0)

    course.answer("UME-001", "BL", later(days=3))

    with reading(house.engine) as connection:
        assert brought_in(connection, later(days=3)) == BroughtIn(1, 0, 1)
        assert brought_in(connection, later(days=3), sites={"GBG"}) == BroughtIn(0, 0, 0)
        assert brought_in(connection, NOW + timedelta(days=93)) == BroughtIn(0, 0, 0)
