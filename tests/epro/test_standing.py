"""Pauses, late numbers, signs of life, and what is taken back: the plan follows; nothing of the past comes again."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from epro.acts import patients, pauses, reaching
from epro.acts.amendments import Amendment, amend
from epro.acts.letters import Letters
from epro.acts.replanning import differing
from epro.acts.undoing import undo
from epro.protocol import read_protocol
from epro.queries.alive import MOST, silent
from epro.queries.stopped import proof
from epro.queries.timeline import timeline
from epro.refusals import Refusal
from epro.store import facts
from epro.store.database import reading, writing
from epro.store.models import Assessment, PatientEvent
from scheduler import ledger
from tests.epro.conftest import NOW, NURSE
from tests.queries.conftest import Course

DAY = timedelta(days=1)
ARM = {"arm": "surgery", "randomised_on": date(2027, 3, 1)}
M1_5 = NOW.replace(hour=8, minute=0) + 46 * DAY  # 16 April, 10:00 in Stockholm: its invitation


@pytest.fixture
def course(house):
    return Course(house)


def texts(house, visit="M1.5"):
    """step → state, of the texts of one visit"""
    with reading(house.engine) as connection:
        return {one.step: one.state for one in ledger.rows(connection, "UME-001") if one.visit == visit}


def due(house, visit="M1.5", step="invite"):
    with reading(house.engine) as connection:
        rows = ledger.rows(connection, "UME-001")
    return next(one.send_at for one in rows if (one.visit, one.step, one.state) == (visit, step, "planned"))


def what_differs(house, now):
    with reading(house.engine) as connection:
        return differing(connection, house.protocol, now)


def event_of(house, kind):
    with reading(house.engine) as connection:
        ids = select(PatientEvent.id).where(PatientEvent.kind == kind).order_by(PatientEvent.id.desc())
        return connection.execute(ids).scalars().first()


@pytest.fixture
def enrolled(desk):
    desk.enrol(**ARM)
    return desk


def test_a_text_that_falls_into_a_pause_goes_when_it_ends(house, enrolled, course):
    enrolled.now = M1_5 + 4 * DAY
    until = (M1_5 + 10 * DAY).date()  # a Monday; the second reminder would go on the Friday before
    enrolled.act(pauses.pause, "UME-001", until=until, reason="in hospital")
    assert due(house, step="reminder-2").date() == until
    assert what_differs(house, enrolled.now) == []

    for hours in range(24 * 8):
        course.tick(enrolled.now + timedelta(hours=hours))

    assert len(course.post.attempts) == 1
    assert what_differs(house, enrolled.now + 8 * DAY) == []


def test_a_text_moved_by_a_pause_gives_way_to_the_rung_of_that_day(house, enrolled, course):
    """The invitation would go on the Monday on which the first reminder goes: one text, and it is the later rung."""
    enrolled.now = M1_5 - DAY
    enrolled.act(pauses.pause, "UME-001", until=(M1_5 + 2 * DAY).date(), reason="in hospital")
    for hours in range(24 * 5):
        course.tick(M1_5 + timedelta(hours=hours))

    assert len(course.post.attempts) == 1
    assert texts(house)["reminder-1"] == "accepted"


def test_a_pause_that_is_longer_than_the_window_leaves_the_visit_to_the_nurse(house, enrolled, course):
    enrolled.now = M1_5 - DAY
    enrolled.act(pauses.pause, "UME-001", until=(M1_5 + 60 * DAY).date(), reason="palliative care")
    for days in range(60):
        course.tick(M1_5 + days * DAY)

    assert course.post.attempts == []
    assert set(texts(house).values()) == {"not_sendable"}


def test_a_pause_ended_early_brings_one_text_and_not_those_that_it_held_back(house, enrolled, course):
    enrolled.now = M1_5 - DAY
    enrolled.act(pauses.pause, "UME-001", until=(M1_5 + 60 * DAY).date(), reason="in hospital")
    enrolled.now = M1_5 + 8 * DAY  # every rung was held back
    enrolled.act(pauses.end_pause, "UME-001")
    for hours in range(72):
        course.tick(enrolled.now + timedelta(hours=hours))

    assert len(course.post.attempts) == 1
    assert texts(house)["reminder-2"] == "accepted"
    assert what_differs(house, enrolled.now + 3 * DAY) == []


@pytest.mark.parametrize(
    ("until", "reason", "field"),
    [(date(2027, 3, 1), "x", "until"), (date(2029, 3, 1), "x", "until"), (date(2027, 4, 1), " ", "reason")],
)
def test_a_pause_needs_a_day_to_come_and_a_reason(enrolled, until, reason, field):
    with pytest.raises(Refusal) as refusal:
        enrolled.act(pauses.pause, "UME-001", until=until, reason=reason)
    assert [wrong.field for wrong in refusal.value.wrongs] == [field]


def test_a_number_added_late_sends_the_open_form_once_and_nothing_historic(house, desk, course):
    """Also long after the text was due: nobody was late, the patient could not be reached."""
    desk.enrol(phone=None, **ARM)
    desk.now = M1_5 + 12 * DAY
    with writing(house.engine) as connection:
        asked = {"phone": "070-174 06 05", "by": NURSE, "now": desk.now}
        reaching.change_number(connection, house.protocol, house.cipher, "UME-001", **asked)
    for hours in range(72):
        course.tick(desk.now + timedelta(hours=hours))

    assert len(course.post.attempts) == 1
    assert texts(house)["reminder-2"] == "accepted"
    assert "accepted" not in texts(house, "BL").values()
    assert what_differs(house, desk.now + 3 * DAY) == []


def test_a_death_that_was_recorded_wrongly_is_taken_back_and_nothing_of_the_past_is_sent(house, enrolled, course):
    course.tick(M1_5)
    enrolled.now = M1_5 + timedelta(hours=1)
    enrolled.act(patients.record_death, "UME-001", on=M1_5.date())
    with reading(house.engine) as connection:
        assert proof(connection, "UME-001").pending == 0
        (visit,) = [
            one for one in timeline(connection, house.protocol, "UME-001", enrolled.now).visits if one.code == "M1.5"
        ]
    assert (visit.state, visit.open) == ("excused", False)

    enrolled.now = M1_5 + 20 * DAY
    enrolled.act(undo, "UME-001", event=event_of(house, facts.DEATH), reason="another patient")
    course.tick(enrolled.now)

    assert len(course.post.attempts) == 1
    assert texts(house, "M3") == dict.fromkeys(("invite", "reminder-1", "reminder-2"), "planned")
    with reading(house.engine) as connection:
        assert connection.execute(select(Assessment.expected).where(Assessment.visit == "M36")).scalar_one() is True
        recorded = timeline(connection, house.protocol, "UME-001", enrolled.now).recorded
    assert [(one.kind, one.reason) for one in recorded[:2]] == [("undone", "another patient"), ("death", None)]
    assert what_differs(house, enrolled.now) == []


def test_after_an_undone_death_another_may_be_recorded(house, enrolled):
    enrolled.act(patients.record_death, "UME-001", on=date(2027, 3, 1))
    enrolled.act(undo, "UME-001", event=event_of(house, facts.DEATH), reason="wrong line")
    enrolled.act(patients.record_death, "UME-001", on=date(2027, 3, 1))
    with reading(house.engine) as connection:
        assert patients.known_patient(connection, "UME-001").ended.on == date(2027, 3, 1)


def test_the_patients_own_stop_and_her_place_in_the_trial_cannot_be_taken_back(house, enrolled):
    enrolled.act(reaching.opt, "UME-001", out=True)
    for kind in (facts.OPTED_OUT, facts.CONSENT, facts.RANDOMISATION):
        with pytest.raises(Refusal):
            enrolled.act(undo, "UME-001", event=event_of(house, kind), reason="a mistake")


def test_an_undone_surgery_takes_its_visits_out_of_the_plan(house, enrolled, tmp_path):
    """Visits hang on randomisation, surgery and discharge, each from its own day."""
    text = house.protocol.document.text
    text = text.replace(
        'randomisation = "the day', 'surgery = "the day"\ndischarge = "the day"\nrandomisation = "the day'
    )
    for code, anchor, after in (("S1", "surgery", 40), ("D1", "discharge", 70)):
        text = text.replace(
            "[ladder]",
            f'[visit.{code}]\ntitle = {{ sv = "{code}", en = "{code}" }}\nmonth = 1\nanchor = "{anchor}"\n'
            f'offset = {{ n = {after}, unit = "day" }}\nopens_before = 0\ncloses_after = 7\n'
            'instruments = ["eq-5d-5l"]\n\n[ladder]',
            1,
        )
    text = text.replace('\nqlq-c30 = "demo"', '\nqlq-c30 = "demo"\neq-5d-5l = "demo"')
    (tmp_path / "anchors.toml").write_text(text, encoding="utf-8")
    protocol = read_protocol(tmp_path / "anchors.toml")
    with writing(house.engine) as connection:
        amend(connection, Amendment(protocol, "amendment", NOW.date() + DAY), by=NURSE, now=NOW)
    enrolled.house = replace(house, protocol=protocol)
    enrolled.now = NOW + 10 * DAY
    enrolled.act(patients.record, "UME-001", kind=facts.SURGERY, on=date(2027, 3, 5))
    enrolled.act(patients.record, "UME-001", kind=facts.DISCHARGE, on=date(2027, 3, 9))

    with reading(house.engine) as connection:
        days = dict(connection.execute(select(Assessment.visit, Assessment.due_on)).all())
    assert (days["M3"], days["S1"], days["D1"]) == (date(2027, 6, 1), date(2027, 4, 14), date(2027, 5, 18))
    assert set(texts(house, "S1").values()) == {"planned"}

    enrolled.act(undo, "UME-001", event=event_of(house, facts.SURGERY), reason="not operated")

    assert set(texts(house, "S1").values()) == {"cancelled"}
    with reading(house.engine) as connection:
        s1 = connection.execute(select(Assessment.__table__).where(Assessment.visit == "S1")).one()
    assert (s1.expected, s1.opens_at == s1.closes_at) == (False, True)
    assert what_differs(house, enrolled.now) == []


@pytest.fixture
def strict(house, enrolled, tmp_path):
    """The same trial, in which a text waits for a sign of life; the house and the desk on it."""
    text = house.protocol.document.text.replace('without = "send"', 'without = "hold"')
    (tmp_path / "strict.toml").write_text(text, encoding="utf-8")
    protocol = read_protocol(tmp_path / "strict.toml")
    with writing(house.engine) as connection:
        amend(connection, Amendment(protocol, "amendment", NOW.date() + DAY), by=NURSE, now=NOW)
    enrolled.house = replace(house, protocol=protocol)
    return enrolled


M6 = NOW.replace(hour=8, minute=0) + 184 * DAY  # 1 September, 10:00 in Stockholm


def asked_about(desk, now):
    with reading(desk.house.engine) as connection:
        return [(one.subject, one.visit, one.waits) for one in silent(connection, desk.house.protocol, now)[0]]


def test_soon_after_enrolment_nobody_has_to_say_that_a_patient_is_alive(strict, course, house):
    course.tick(M1_5)
    assert asked_about(strict, M1_5) == []
    assert texts(house)["invite"] == "accepted"


def test_after_a_long_silence_a_text_waits_until_the_nurse_confirms_and_then_goes(strict, course, house):
    assert asked_about(strict, M6 - 3 * DAY) == [("UME-001", "M6", True)]
    for hours in range(24 * 8):
        course.tick(M6 + timedelta(hours=hours))
    assert course.post.attempts == []  # each rung waits
    assert what_differs(house, M6 + 8 * DAY) == []
    assert asked_about(strict, M6 + 8 * DAY) == [("UME-001", "M6", True)]

    strict.now = M6 + 9 * DAY
    strict.act(patients.record, "UME-001", kind=facts.SEEN_ALIVE, on=strict.now.date())
    for hours in range(72):
        course.tick(strict.now + timedelta(hours=hours))

    assert len(course.post.attempts) == 1  # one text and not three
    assert asked_about(strict, strict.now) == []
    assert what_differs(house, strict.now + 3 * DAY) == []


def test_many_silent_patients_stand_on_the_list_however_many_texts_of_each_wait(strict):
    early, late = [f"UME-0{n}" for n in range(11, 28)], "UME-030"
    for subject in early:  # by the day of the last one's first text each of these has had three
        strict.enrol(subject, consented_on=date(2027, 2, 25), randomised_on=date(2027, 3, 1), arm="surgery")
    strict.now = NOW + 8 * DAY
    strict.enrol(late, consented_on=date(2027, 3, 8), randomised_on=date(2027, 3, 9), arm="surgery")

    assert {subject for subject, *_ in asked_about(strict, M6 + 8 * DAY)} == {"UME-001", *early, late}


def test_a_list_of_silent_patients_that_is_cut_says_that_more_may_be(strict):
    for n in range(11, 11 + MOST):
        strict.enrol(f"UME-0{n}", consented_on=date(2027, 2, 25), randomised_on=date(2027, 3, 1), arm="surgery")
    with reading(strict.house.engine) as connection:
        found, more = silent(connection, strict.house.protocol, M6 + 8 * DAY)

    assert (len(found), more) == (MOST, True)


def test_a_word_given_before_lets_the_text_go_on_its_day(strict, course, house):
    strict.now = M6 - 3 * DAY
    strict.act(patients.record, "UME-001", kind=facts.SEEN_ALIVE, on=strict.now.date())
    course.tick(M6)
    assert len(course.post.attempts) == 1
    assert what_differs(house, M6) == []


def test_where_the_trial_file_says_so_the_text_goes_and_the_nurse_is_asked_all_the_same(enrolled, course, house):
    assert asked_about(enrolled, M6 - 3 * DAY) == [("UME-001", "M6", False)]
    course.tick(M6)
    assert len(course.post.attempts) == 1


def test_the_last_look_reads_the_silence_anew(strict, house):
    from tests.epro.test_letters import due_text

    letters = Letters(house.engine, house.protocol, house.cipher, "https://forms.example.org")
    text, at = due_text(house, "M6")
    (held,) = letters.write([text], at)
    assert held.why == "the plan no longer holds this message"
