"""The worst failures seen in other systems, as stories about messages that cannot be told of this one.

Each is held against random calendars, zones, histories and moments; where processes are killed or race, the same
stories are told of the ledger (`tests/scheduler/fire`, `test_killed.py`, `test_database_killed.py`).
"""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import create_engine

import scheduler
from scheduler import ledger
from scheduler.applying import compare
from scheduler.changes import preview
from scheduler.hours import is_quiet, local_date
from scheduler.messages import TO_SEND, Message, Plan, Sent, Status
from scheduler.schedule import Schedule
from scheduler.waiting import Pause, Sign
from tests.scheduler.house import ladder, schedule, sections, step, visit
from tests.scheduler.stories import story
from tests.scheduler.test_planning_properties import (
    START,
    ZONES,
    clock_times,
    days,
    instants,
    lives,
    plan_of,
    schedules,
)

Life = dict[str, Any]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def going(plan: Plan) -> list[Message]:
    return [message for message in plan.messages if message.action in TO_SEND and message.acts_at is not None]


def played(life: Life, until: int = 40) -> list[Sent]:
    """What leaves, in order, when the clock looks whenever a text is due and nothing else happens."""
    history, now = list(life["history"]), life["now"] or START
    left: list[Sent] = []
    for _ in range(until):
        ahead = going(plan_of({**life, "history": history, "now": now}))
        if not ahead:
            break
        first = min(ahead, key=lambda message: (message.acts_at, message.key))
        assert first.acts_at is not None
        now = max(now, first.acts_at)
        left.append(Sent(first.key, now))
        history = [sent for sent in history if sent.key != first.key] + [left[-1]]
    return left


@story(life=lives())
def test_story_1_a_text_that_one_process_has_sent_no_other_process_sends(life: Life) -> None:
    for message in going(plan_of(life))[:2]:
        left = Sent(message.key, message.acts_at or START)
        others = [sent for sent in life["history"] if sent.key != message.key]

        again = plan_of({**life, "history": [*others, left]})

        step_of = message.key.rpartition("/")[0]
        assert all(one.key.rpartition("/")[0] != step_of for one in going(again))


@story(life=lives(), hours=st.integers(1, 200))
def test_story_2_after_an_outage_what_is_valid_goes_once_and_the_rest_is_named(life: Life, hours: int) -> None:
    before = plan_of({**life, "now": None})
    planned = {message.key: message for message in going(before)}
    if not planned:
        return
    first = min(message.send_at for message in planned.values() if message.send_at is not None)
    back = first + hours * HOUR

    after = {message.key: message for message in plan_of({**life, "now": back}).messages}

    for key, message in planned.items():
        now_is = after[key]
        assert message.send_at is not None
        if message.send_at > back:
            continue
        late = (now_is.acts_at or back) > (now_is.send_at or back)
        assert now_is.action in {"send", "send_late", "expired", "superseded", "cancelled", "not_sendable"} or (
            now_is.action == "sent_after_event"
        )
        if now_is.action == "send_late":
            assert late
            assert now_is.acts_at is not None
            assert now_is.acts_at < now_is.expires_at <= now_is.closes_at
            assert not is_quiet(now_is.acts_at, now_is.zone, now_is.quiet)
    late_days = [local_date(m.acts_at, m.zone) for m in after.values() if m.action == "send_late" and m.acts_at]
    assert len(late_days) == len(set(late_days))


@story(life=lives())
def test_story_3_no_patient_gets_more_than_the_ladder_has_rungs_nor_two_texts_a_day(life: Life) -> None:
    left = played(life)

    rungs = len(life["schedule"].ladder.steps) + (life["status"].later_on is not None)
    for code in life["schedule"].visits:
        assert sum(sent.key.split("/")[1] == code for sent in left) <= rungs
    seen = [local_date(sent.at, life["zone"]) for sent in left]
    earlier = {local_date(sent.at, life["zone"]) for sent in life["history"] if not sent.leaving}
    assert len(seen) == len(set(seen))
    assert not earlier & set(seen)


@story(first=st.integers(-10, 10), back=st.integers(0, 20))
def test_story_4_an_interval_of_nothing_or_less_is_refused(first: int, back: int) -> None:
    with pytest.raises(ValidationError):
        Schedule.of(sections(ladder=ladder(step("invite", first), step("reminder", first - back))))


@pytest.mark.parametrize("blank", ["", None, "3", 1.5, True])
def test_story_4_a_blank_interval_is_refused(blank: Any) -> None:
    with pytest.raises(ValidationError):
        Schedule.of(sections(ladder=ladder(step("invite", 0), {**step("reminder", 3), "day": blank})))


@story(life=lives(), by=st.integers(-30, 30))
def test_story_5_after_a_corrected_date_the_unsent_are_planned_as_if_it_had_always_been_right(
    life: Life, by: int
) -> None:
    """And what has left stays as it was, unless it moved far enough to go once more."""
    moved = {**life, "anchors": {name: on + by * DAY for name, on in life["anchors"].items()}}
    sent = {one.key.rpartition("/")[0] for one in life["history"] if not one.leaving}

    after = {message.key: message for message in plan_of({**moved, "now": None}).messages}
    fresh = {message.key: message for message in plan_of({**moved, "now": None, "history": []}).messages}

    for key, message in after.items():
        if key.rpartition("/")[0] not in sent:
            assert message.send_at == fresh[key].send_at
    for one in life["history"]:
        if not one.leaving and one.key in after:
            assert after[one.key].action not in TO_SEND


def test_story_5_fourteen_days_move_every_unsent_text_by_fourteen_days_and_no_sent_one() -> None:
    trial = schedule(visit={"M1": visit(4, "week"), "M3": visit(12, "week")})
    on, corrected = date(2027, 3, 1), date(2027, 3, 15)
    now = datetime.fromisoformat("2027-03-30T08:00:00+00:00")
    history = [Sent("P/M1/invite/sms/1", datetime.fromisoformat("2027-03-29T08:00:00+00:00"))]
    asked: Life = {"subject": "P", "zone": "Europe/Stockholm", "now": now, "history": history}

    before, after = (scheduler.plan(trial, {"randomisation": day}, **asked) for day in (on, corrected))
    changes = preview(before, after)

    stockholm = ZoneInfo("Europe/Stockholm")
    by = {move.now.astimezone(stockholm).date() - move.was.astimezone(stockholm).date() for move in changes.moved}
    assert by == {14 * DAY}
    assert history[0].key not in {move.key for move in changes.moved} | set(changes.added) | set(changes.dropped)


@story(life=lives(), added=days)
def test_story_6_a_number_that_comes_late_brings_the_open_visit_once_and_nothing_historic(
    life: Life, added: date
) -> None:
    status = replace(life["status"], pauses=(Pause(date.min, added),), signs=(), ended_on=None, ended_reported_at=None)
    calm = life["schedule"].model_copy(update={"signs_of_life": None})
    noon = datetime.combine(added, time(12), ZoneInfo(life["zone"])).astimezone(ZoneInfo("UTC"))
    alone: Life = {**life, "schedule": calm, "status": status, "history": [], "now": noon}

    plan = plan_of(alone)

    that_day = [message for message in going(plan) if local_date(message.acts_at or noon, message.zone) == added]
    assert len(that_day) <= 1
    opened = {one.code for one in plan.visits if one.opens_at <= noon < one.closes_at}
    assert all(message.visit in opened for message in that_day)
    assert all(message.acts_at is None or message.acts_at >= noon for message in going(plan) if message.send_at)


def test_story_6_even_days_after_the_text_was_due() -> None:
    """The lateness that rule 8 allows is for a sender that slept; this patient could not be reached."""
    trial = schedule(visit={"M1": visit(1)})
    now = datetime.fromisoformat("2027-04-10T12:00:00+00:00")
    asked: Life = {"subject": "P", "zone": "Europe/Stockholm", "now": now}
    on = {"randomisation": date(2027, 3, 1)}  # M1 was due on 1 April, its reminder on the 4th

    late = scheduler.plan(trial, on, **asked, status=Status(pauses=(Pause(date.min, date(2027, 4, 10)),)))
    on_time = scheduler.plan(trial, on, **asked)

    assert [message.action for message in on_time.messages] == ["superseded", "expired"]
    assert [(message.step, message.acts_at) for message in going(late)] == [("reminder", now)]


@story(life=lives(), told_at=instants, ended_on=days)
def test_story_7_nothing_is_sent_from_the_report_of_a_death_on(life: Life, told_at: datetime, ended_on: date) -> None:
    status = replace(life["status"], ended_on=ended_on, ended_reported_at=told_at)

    for now in (None, told_at, told_at + HOUR, told_at + 3 * DAY):
        for message in going(plan_of({**life, "status": status, "now": now})):
            assert message.acts_at is not None
            assert message.acts_at < told_at


@story(zone=st.sampled_from(ZONES), on=st.dates(date(2026, 1, 1), date(2031, 12, 31)), at=clock_times)
def test_story_8_a_text_leaves_at_its_hour_on_the_patients_wall_whatever_the_clocks_do(
    zone: str, on: date, at: str
) -> None:
    trial = schedule(visit={"V": visit(0, "day")}, ladder=ladder(step("invite", 0, at)), quiet={})

    (message,) = scheduler.plan(trial, {"randomisation": on}, subject="P", zone=zone).messages

    assert message.send_at is not None
    wall = message.send_at.astimezone(ZoneInfo(zone))
    exists = datetime.combine(on, time.fromisoformat(at), ZoneInfo(zone))
    is_real = exists.astimezone(ZoneInfo("UTC")).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    if is_real == exists.replace(tzinfo=None):
        assert (wall.date(), wall.time()) == (on, time.fromisoformat(at))
    assert wall.date() == on


@story(life=lives())
def test_story_9_other_words_move_no_text(life: Life) -> None:
    reworded = life["schedule"].model_copy(update={"texts": {"sv": {"t": "Nya ord {link}"}}})

    assert plan_of({**life, "schedule": reworded}) == plan_of(life)


@story(life=lives())
def test_story_9_a_plan_that_is_written_is_found_again_without_a_difference(life: Life) -> None:
    engine = create_engine("sqlite://")
    ledger.metadata.create_all(engine)
    now = life["now"] or START
    plan = plan_of({**life, "now": now, "history": []})
    with engine.begin() as connection:
        scheduler.apply(connection, plan, now)

        assert compare(connection, [plan], now) == {}
        assert not scheduler.apply(connection, plan, now)
    engine.dispose()


@story(life=lives())
def test_story_14_a_completed_visit_gets_no_further_text(life: Life) -> None:
    for code in life["schedule"].visits:
        done = replace(life["status"], completed=life["status"].completed | {code})
        assert all(message.visit != code for message in going(plan_of({**life, "status": done})))


@story(life=lives(), at=instants)
def test_story_14_a_text_sent_by_hand_is_the_text_of_that_day(life: Life, at: datetime) -> None:
    by_hand = Sent("P/V0/by-hand/sms/1", at)
    day = local_date(at, life["zone"])

    plan = plan_of({**life, "history": [*life["history"], by_hand]})

    assert all(local_date(message.acts_at or at, message.zone) != day for message in going(plan) if message.acts_at)


@story(life=lives())
def test_story_15_after_a_stop_nothing_goes_and_after_a_start_nothing_goes_twice(life: Life) -> None:
    stopped = plan_of({**life, "status": replace(life["status"], channels=frozenset())})
    assert going(stopped) == []

    started = plan_of(life)
    sent = {one.key for one in life["history"] if not one.leaving}
    assert all(message.key not in sent for message in going(started))


@story(life=lives(), first=days, length=st.integers(1, 12))
def test_no_text_leaves_in_a_pause_and_one_at_most_when_it_ends(life: Life, first: date, length: int) -> None:
    pause = Pause(first, first + length * DAY)
    plan = plan_of({**life, "status": replace(life["status"], pauses=(pause,))})

    on_days = [local_date(message.acts_at, message.zone) for message in going(plan) if message.acts_at]
    assert not [day for day in on_days if pause.from_on <= day < pause.until_on]
    assert on_days.count(pause.until_on) <= 1


@story(life=lives(), heard_on=days)
def test_no_text_leaves_after_a_silence_before_somebody_says_that_she_is_alive(life: Life, heard_on: date) -> None:
    strict = Schedule.model_validate(
        {**life["schedule"].model_dump(by_alias=True), "signs_of_life": {"days": 5, "without": "hold"}}
    )
    silent = {**life, "schedule": strict, "status": replace(life["status"], signs=(Sign(heard_on, heard_on),))}

    ahead = [message.send_at for message in going(plan_of({**silent, "now": None})) if message.send_at]
    for now in ahead:
        for message in going(plan_of({**silent, "now": now})):
            due = message.send_at is not None and message.send_at <= now
            assert not due or (message.send_on - heard_on).days <= 5


@story(life=lives(), amended=schedules(), from_on=days)
def test_an_amendment_touches_nothing_that_has_opened_and_nothing_that_has_left(
    life: Life, amended: Schedule, from_on: date
) -> None:
    before = plan_of({**life, "now": None})
    versions = [(date.min, 1, life["schedule"]), (from_on, 2, amended)]
    midnight = datetime.combine(from_on, time(0), ZoneInfo(life["zone"]))

    after = plan_of({**life, "schedule": versions, "now": None})

    visits = {one.code: one for one in after.visits}
    for one in before.visits:
        if one.opens_at < midnight:
            kept = visits[one.code]
            assert (kept.version, kept.due_on, kept.opens_at) == (1, one.due_on, one.opens_at)
            assert kept.instruments == one.instruments
    was = {one.code: one for one in before.visits}
    for one in after.visits:
        if one.version == 2 and one.code in was:
            assert was[one.code].opens_at >= midnight
    left = {sent.key for sent in life["history"] if not sent.leaving}
    assert all(message.key not in left for message in going(after))


@story(life=lives(), amended=schedules(), from_on=days)
def test_an_amendment_that_is_written_leaves_no_difference_behind(life: Life, amended: Schedule, from_on: date) -> None:
    engine = create_engine("sqlite://")
    ledger.metadata.create_all(engine)
    now = life["now"] or START
    asked = {**life, "now": now, "history": []}
    versions = [(date.min, 1, life["schedule"]), (from_on, 2, amended)]
    after = plan_of({**asked, "schedule": versions})
    with engine.begin() as connection:
        scheduler.apply(connection, plan_of(asked), now)
        scheduler.apply(connection, after, now)

        assert compare(connection, [after], now) == {}
        planned = {text.key: text.send_at for text in ledger.rows(connection, "P") if text.state == "planned"}
    assert planned == {message.key: message.send_at for message in going(after)}
    engine.dispose()
