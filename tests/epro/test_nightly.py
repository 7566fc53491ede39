"""Each night every plan is made anew: what is written must be what follows from the facts."""

from datetime import date, timedelta

import pytest
from sqlalchemy import update

from epro.acts import patients, reaching
from epro.acts.replanning import differing
from epro.opening import check_plans
from epro.store.database import reading, writing
from epro.store.models import Assessment
from scheduler.tables import message
from tests import databases
from tests.epro.conftest import NOW, NURSE
from tests.queries.conftest import statements

RANDOMISED = {"randomised_on": date(2027, 3, 1), "arm": "control"}


def differ(house, now=NOW):  # type: ignore[no-untyped-def]
    with reading(house.engine) as connection:
        return differing(connection, house.protocol, now)


def test_nothing_differs_after_any_act(house, desk):  # type: ignore[no-untyped-def]
    for n in range(1, 6):
        desk.enrol(f"UME-00{n}", **RANDOMISED)
    desk.act(patients.record_death, "UME-001", on=date(2027, 3, 1))
    desk.act(patients.withdraw, "UME-002", on=date(2027, 3, 1), reason="own wish")
    desk.act(reaching.allow_texts, "UME-003", allowed=False)
    desk.act(reaching.opt, "UME-004", out=True)

    assert differ(house) == []
    assert differ(house, NOW + timedelta(hours=13)) == []
    assert check_plans(house, NOW) is None


def test_more_patients_take_no_more_statements(house, desk):  # type: ignore[no-untyped-def]
    for n in range(1, 5):
        desk.enrol(f"UME-00{n}", **RANDOMISED)
        if n == 1:
            with statements(house.engine) as of_one:
                differ(house)

    with statements(house.engine) as of_four:
        differ(house)

    assert len(of_four) == len(of_one)


def test_a_text_that_was_moved_by_no_act_is_found(house, desk):  # type: ignore[no-untyped-def]
    desk.enrol("UME-001", **RANDOMISED)
    desk.enrol("UME-002", **RANDOMISED)
    with writing(house.engine) as connection:
        mine = (message.c.subject == "UME-002") & (message.c.visit == "M12")
        connection.execute(update(message).where(mine).values(send_at=NOW))

    assert differ(house) == ["UME-002"]
    assert check_plans(house, NOW) == "the nightly check found 1 patients whose plan differs from what is written"


@pytest.mark.bends_the_record
def test_a_window_that_was_moved_by_no_act_is_found(house, desk):  # type: ignore[no-untyped-def]
    desk.enrol("UME-001", **RANDOMISED)
    with databases.unsealed(house.engine) as connection:
        connection.execute(update(Assessment).where(Assessment.visit == "M12").values(due_on=date(2027, 1, 1)))

    assert differ(house) == ["UME-001"]


def test_a_preview_tells_what_the_correction_then_does(house, desk):  # type: ignore[no-untyped-def]
    desk.enrol("UME-001", consented_on=date(2027, 2, 1), **{**RANDOMISED, "randomised_on": date(2027, 2, 15)})
    asked = {"on": date(2027, 3, 1), "reason": "typing error", "now": NOW}

    with reading(house.engine) as connection:
        told = patients.preview_correction(connection, house.protocol, "UME-001", **asked)
    with writing(house.engine) as connection:
        done = patients.correct_randomisation(connection, house.protocol, "UME-001", by=NURSE, **asked)

    assert {move.key for move in told.moved} == {move.key for move in done.moved}
    assert (set(told.added), set(told.dropped)) == (set(done.added), set(done.dropped))
    assert differ(house) == []
