"""A nurse enters a form from the phone or from paper. On both databases."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select

from epro.acts import calls, entering, patients
from epro.acts.answers import Said
from epro.acts.entering import PAPER, PHONE, Entered
from epro.queries.export import export
from epro.queries.timeline import timeline
from epro.refusals import Refusal
from epro.store.database import reading, writing
from epro.store.models import Answer, Assessment, Form
from tests.epro.conftest import NOW, NURSE, Desk
from tests.queries.conftest import ITEMS, Course, later, on


@pytest.fixture
def course(house):
    return Course(house)


@pytest.fixture
def enter(house):
    def enter(mode, *, visit="BL", at=NOW, said=30, value=3, on=None, start=0):
        values = [None] * start + [value] * (said - start) + [None] * (30 - said)
        answers = [Said("qlq-c30", item, value, key="") for item, value in zip(ITEMS, values, strict=True)]
        with writing(house.engine) as connection:
            entering.enter(connection, house.protocol, "UME-001", visit, Entered(mode, answers, on), by=NURSE, now=at)

    return enter


def rows(house, table):
    with reading(house.engine) as connection:
        return connection.execute(select(table.__table__).order_by(table.id)).all()


def test_what_is_said_on_the_phone_completes_the_form_and_is_marked_with_who_entered_it(house, desk, enter):
    desk.enrol()

    enter(PHONE, at=later(days=1), said=28)

    answers = rows(house, Answer)
    assert {(row.by, row.mode) for row in answers} == {(NURSE.name, "phone")}
    assert [row.state for row in answers] == ["answered"] * 28 + ["skipped"] * 2
    assert [row.mode for row in rows(house, Form)] == ["phone"]
    with reading(house.engine) as connection:
        shown = timeline(connection, house.protocol, "UME-001", later(days=1))
    assert shown.visits[0].completed_at == later(days=1)
    assert shown.patient.last_call.value == calls.ANSWERED
    assert shown.pending == 0


def test_a_paper_form_is_complete_on_the_day_that_stands_on_it_however_late_it_comes(house, desk, enter):
    desk.enrol()

    enter(PAPER, at=later(days=60), on=date(2027, 3, 5))

    [assessment] = [row for row in rows(house, Assessment) if row.visit == "BL"]
    assert assessment.completed_at == datetime(2027, 3, 5, 11, tzinfo=UTC)  # noon in Stockholm
    assert {row.received_at for row in rows(house, Answer)} == {later(days=60)}


def test_the_paper_of_a_visit_before_the_system_can_be_entered_and_is_exported_as_paper(house, desk, enter, tmp_path):
    desk.enrol(consented_on=date(2026, 9, 1), randomised_on=date(2026, 9, 1), arm="control")

    enter(PAPER, visit="M3", on=date(2026, 12, 2))

    forms = export(house, tmp_path / "trial", now=NOW).forms.set_index("visit")
    assert (forms.loc["M3", "state"], forms.loc["M3", "mode"]) == ("completed", "paper")
    assert forms.loc["M1.5", "state"] == "before_system"


def test_what_she_answered_herself_stays_where_the_nurse_leaves_it_blank(house, desk, course, enter):
    desk.enrol()
    course.answer("UME-001", "BL", NOW, said=12, submit=False)

    enter(PHONE, at=later(days=1), start=12)

    answers = rows(house, Answer)
    assert [(row.item, row.mode) for row in answers] == [
        (item, "tablet" if n < 12 else "phone") for n, item in enumerate(ITEMS)
    ]


@pytest.mark.parametrize(
    "asked",
    [
        {"mode": PHONE, "at": later(days=40)},  # the days for it are over
        {"mode": PAPER},  # no day
        {"mode": PAPER, "on": date(2027, 3, 2)},  # tomorrow
        {"mode": PAPER, "on": date(2027, 2, 1)},  # before consent
        {"mode": PHONE, "said": 0},
        {"mode": PHONE, "value": 9},
        {"mode": PHONE, "visit": "M3"},
    ],
)
def test_a_form_that_cannot_be_is_refused_and_nothing_is_kept(house, desk, enter, asked):
    desk.enrol()

    with pytest.raises(Refusal):
        enter(**asked)

    assert rows(house, Form) == rows(house, Answer) == []


def test_a_form_is_entered_once(house, desk, enter):
    desk.enrol()
    enter(PHONE)

    with pytest.raises(Refusal):
        enter(PAPER, on=date(2027, 3, 1))


def test_a_paper_filled_in_before_a_death_can_be_entered_after_it_and_none_of_a_later_day(house, desk, enter):
    desk.enrol()
    Desk(house, on(3, 10)).act(patients.record_death, "UME-001", on=date(2027, 3, 9))

    with pytest.raises(Refusal):
        enter(PAPER, at=on(3, 12), on=date(2027, 3, 10))
    enter(PAPER, at=on(3, 12), on=date(2027, 3, 8))

    assert len(rows(house, Answer)) == 30
