"""Whom do I call today? On both databases."""

from datetime import date

import pytest

from epro.acts import patients, reaching
from epro.queries import reach
from epro.queries.worklist import worklist
from epro.store.database import reading
from scheduler.ports import Refused, Unknown
from tests.epro.conftest import NOW
from tests.queries.conftest import RANDOMISED, later, on, statements


def lists(house, now=NOW, **narrowed):
    with reading(house.engine) as connection:
        return worklist(connection, house.protocol, now, **narrowed)


def named(rows):
    return [(row.subject, row.visit) for row in rows]


def reasons(found):
    return {one.form.subject: one.why for one in found.unreachable}


def test_a_form_is_due_on_its_day_and_overdue_from_the_next(house, desk):
    desk.enrol()

    today, tomorrow = lists(house), lists(house, later(days=1))

    assert named(today.due) == [("UME-001", "BL")]
    assert named(tomorrow.overdue) == [("UME-001", "BL")]
    assert (today.overdue, tomorrow.due) == ((), ())


def test_the_form_whose_window_closes_first_stands_first_and_a_baseline_before_others(house, desk):
    desk.enrol("UME-003", consented_on=date(2027, 2, 20))
    desk.enrol("UME-002", consented_on=date(2027, 2, 27))
    desk.enrol("UME-001", consented_on=date(2027, 2, 20))

    assert [row.subject for row in lists(house).overdue] == ["UME-001", "UME-003", "UME-002"]


def test_the_last_day_of_a_window_has_no_day_left(house, desk):
    desk.enrol()  # closes_after = 28

    [row] = lists(house, later(days=28)).overdue

    assert row.last_on == date(2027, 3, 29)
    assert row.days_left == 0
    assert lists(house, later(days=29)).overdue == ()


def test_a_row_says_how_many_texts_left_what_became_of_the_last_and_when_the_next_goes(house, desk, course):
    desk.enrol()
    course.tick(NOW)
    course.receipt("delivered", NOW)

    [row] = lists(house).due

    assert (row.sending.sent, row.sending.last_state, row.sending.last_at) == (1, "delivered", NOW)
    assert row.sending.next_at == on(3, 4, 9)  # reminder 1: day 3 at 10:00 in Stockholm


def test_answers_are_counted_by_item_and_blanks_apart(house, desk, course):
    desk.enrol()
    course.answer("UME-001", "BL", NOW, said=10, blank=2, submit=False)
    course.answer("UME-001", "BL", NOW, said=11, submit=False)  # the first of the two blanks is answered now

    [row] = lists(house).due

    assert (row.answered.answered, row.answered.skipped, row.items) == (11, 1, 30)


def test_a_submitted_form_is_done_for_fourteen_days(house, desk, course):
    desk.enrol()
    course.answer("UME-001", "BL", NOW)

    assert named(lists(house, later(days=13)).done) == [("UME-001", "BL")]
    assert lists(house, later(days=13)).overdue == ()
    assert lists(house, later(days=14)).done == ()


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ({"texts_allowed": False}, (reach.NO_PERMISSION,)),
        ({"phone": None}, (reach.NO_NUMBER,)),
        ({"texts_allowed": False, "phone": None}, (reach.NO_PERMISSION, reach.NO_NUMBER)),
    ],
)
def test_a_patient_whom_no_text_may_reach_is_unreachable_from_the_first_day(house, desk, known, why):
    desk.enrol(**known)

    assert reasons(lists(house)) == {"UME-001": why}


def test_a_patient_who_replied_stop_is_unreachable_until_she_replies_start(house, desk):
    desk.enrol()
    desk.act(reaching.opt, "UME-001", out=True)
    assert reasons(lists(house)) == {"UME-001": (reach.OPTED_OUT,)}

    desk.act(reaching.opt, "UME-001", out=False)
    assert reasons(lists(house)) == {}


@pytest.mark.parametrize(("outcome", "why"), [(Refused(21211, "never"), "refused"), (Unknown(), "unknown")])
def test_a_patient_whose_last_text_did_not_surely_leave_is_unreachable(house, desk, course, outcome, why):
    desk.enrol()
    course.post.outcome = outcome
    course.tick(NOW)

    found = lists(house)

    assert reasons(found) == {"UME-001": (why,)}


def test_a_patient_whose_last_text_did_not_arrive_is_unreachable_with_the_carriers_code(house, desk, course):
    desk.enrol()
    course.tick(NOW)
    course.receipt("undelivered", NOW, code=30005)

    [one] = lists(house).unreachable

    assert (one.why, one.form.sending.last_code) == (("undelivered",), 30005)


def test_whoever_has_begun_the_form_has_been_reached(house, desk, course):
    desk.enrol(texts_allowed=False)
    course.answer("UME-001", "BL", NOW, said=3, submit=False)

    assert lists(house).unreachable == ()


def test_a_form_that_opens_within_fourteen_days_counts_for_reach_and_not_yet_as_due(house, desk, course):
    desk.enrol(phone=None, **RANDOMISED)
    course.answer("UME-001", "BL", NOW)

    before, soon = lists(house, on(3, 20)), lists(house, on(3, 30))  # M1.5 opens on 9 April

    assert before.unreachable == ()
    assert named([one.form for one in soon.unreachable]) == [("UME-001", "M1.5")]
    assert soon.due == ()


@pytest.mark.parametrize(("verb", "more"), [(patients.record_death, {}), (patients.withdraw, {"reason": "own wish"})])
def test_nobody_calls_a_patient_who_died_or_withdrew(house, desk, verb, more):
    desk.enrol(phone=None)
    desk.act(verb, "UME-001", on=date(2027, 3, 1), **more)

    found = lists(house, later(days=1))

    assert (found.overdue, found.due, found.unreachable) == ((), (), ())


def test_the_lists_hold_the_sites_and_the_visit_that_were_asked_for(house, desk):
    desk.enrol("UME-001")
    desk.enrol("GBG-002")

    assert named(lists(house, sites={"GBG"}).due) == [("GBG-002", "BL")]
    assert lists(house, sites=set()).due == ()
    assert lists(house, visit="M3").due == ()
    assert len(lists(house, visit="BL").due) == 2


def test_more_patients_take_no_more_statements(house, desk, course):
    desk.enrol("UME-001")
    course.tick(NOW)
    with statements(house.engine) as few:
        lists(house)
    for n in range(2, 9):
        desk.enrol(f"UME-{n:03d}")
    course.tick(NOW)
    course.answer("UME-002", "BL", NOW)

    with statements(house.engine) as many:
        found = lists(house)

    assert len(found.due) == 7
    assert len(many) == len(few)
