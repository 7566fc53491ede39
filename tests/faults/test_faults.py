"""What a phone was told is kept is kept, whatever breaks; and nothing is kept twice, half, or without its entry.

A few turns here; `python -m tests.faults` and the slow tests take as many as the plan asks.
"""

from pathlib import Path

import pytest

from tests.faults.__main__ import TIMES, run

KINDS = ["sqlite", "postgresql"]
pytestmark = pytest.mark.timeout(600)


@pytest.mark.requirement("trust-16", "fault-F1")
@pytest.mark.parametrize("kind", KINDS)
def test_the_web_group_may_be_killed_at_any_moment(kind):
    found = run("f1", kind, 3)

    assert found.is_well, found


@pytest.mark.requirement("fault-F6")
def test_the_database_may_crash_under_load():
    found = run("f6", "postgresql", 2)

    assert found.is_well, found


@pytest.mark.requirement("fault-F9")
@pytest.mark.parametrize("kind", KINDS)
def test_a_reply_that_is_lost_on_the_way_makes_no_second_answer(kind):
    found = run("f9", kind, 5)

    assert found.is_well, found
    assert found.kept == found.told == 40


@pytest.mark.requirement("fault-F10")
@pytest.mark.parametrize("kind", KINDS)
def test_an_orderly_stop_cuts_no_save(kind):
    found = run("f10", kind, 1)

    assert found.is_well, found


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(("fault", "kind"), [("f1", "sqlite"), ("f1", "postgresql"), ("f6", "postgresql")])
def test_as_often_as_the_plan_asks(fault, kind):
    found = run(fault, kind, TIMES[fault])

    assert found.is_well, found


def test_a_verdict_that_holds_nothing_against_anything_is_not_well(tmp_path: Path):
    """A run in which no phone was told anything has shown nothing."""
    from tests.faults.place import Verdict

    assert not Verdict(0, 0, 0, 0, 0, 0, ()).is_well
    assert Verdict(1, 1, 0, 0, 0, 0, ()).is_well
    assert not Verdict(1, 0, 1, 0, 0, 0, ()).is_well
