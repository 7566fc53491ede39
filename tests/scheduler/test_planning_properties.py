"""For any calendar, zone, history and moment: what a plan may never say."""

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import scheduler
from scheduler.changes import preview
from scheduler.hours import is_quiet, local_date
from scheduler.messages import TO_SEND, Plan, Sent, Status
from scheduler.ports import CHANNELS
from scheduler.schedule import Schedule
from scheduler.waiting import Pause, Sign
from tests.scheduler.house import RANDOMISED, schedule, sections, utc, visit

ZONES = ["Europe/Stockholm", "Europe/Helsinki", "Asia/Bangkok", "America/Santiago", "Africa/Cairo", "Pacific/Apia"]
AROUND = [timedelta(hours=hours) for hours in (-48, -1, 0, 1, 6, 12, 18, 24, 50, 100, 250)]
START = utc("2027-03-05 00:00")

clock_times = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 15, 30]))
days = st.integers(0, 12).map(lambda n: date(2027, 3, 10) + timedelta(days=n))  # close together, so that things meet
instants = st.integers(0, 50 * 48).map(lambda half_hours: START + timedelta(minutes=30 * half_hours))
channels = st.sampled_from(["sms", "sms", "email"])
reached_by = st.sampled_from([CHANNELS, CHANNELS, frozenset({"sms"}), frozenset({"email"}), frozenset()])
visits = st.builds(
    visit,
    n=st.integers(0, 3),
    unit=st.sampled_from(["day", "day", "week", "month"]),
    anchor=st.sampled_from(["randomisation", "surgery"]),
    opens_before=st.integers(0, 20),
    closes_after=st.integers(0, 20).map(lambda n: 20 - n),
    instruments=st.sampled_from([["a"], ["b"], ["a", "b"]]),
)
quiet_hours = st.one_of(
    st.just({}),
    st.tuples(clock_times, clock_times)
    .filter(lambda two: two[0] != two[1])
    .map(lambda two: dict(zip(("start", "end"), two, strict=True))),
)
pauses = st.builds(lambda first, length: Pause(first, first + timedelta(days=length)), days, st.integers(0, 9))
signs = st.builds(lambda on, late: Sign(on, on + timedelta(days=late)), days, st.integers(0, 3))


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    steps = sorted(draw(st.sets(st.integers(-2, 12), min_size=1, max_size=4)))
    ladder = {
        "holiday_policy": draw(st.sampled_from(["next_workday", "none"])),
        "max_lateness_hours": draw(st.integers(1, 200)),
        "resend_after_days": draw(st.integers(1, 30)),
        "when_phone_fails": draw(st.sampled_from(["nothing", "email"])),
        "step": [
            {"code": f"s{n}", "text": "t", "day": day, "time": draw(clock_times), "channel": draw(channels)}
            for n, day in enumerate(steps)
        ],
    }
    found = draw(st.lists(visits, min_size=1, max_size=4))
    parts: dict[str, Any] = sections(
        anchors={"randomisation": "R", "surgery": "S"},
        visit={f"V{n}": one for n, one in enumerate(found)},
        ladder=ladder,
        quiet=draw(quiet_hours),
        signs_of_life=draw(st.sampled_from([None, None, {"days": 5, "without": "hold"}, {"without": "send"}])),
        texts={"sv": {"t": "{link}"}},
    )
    return Schedule.model_validate(parts)  # its shape alone: overlapping windows and long ladders too


@st.composite
def histories(draw: st.DrawFn) -> list[Sent]:
    """Anything that could have been sent, on whatever day."""
    texts = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 2), instants, st.booleans(), channels)
    return [
        Sent(f"P/V{visit}/s{step}/{channel}/{copy}", at, leaving)
        for visit, step, copy, at, leaving, channel in draw(
            st.lists(texts, max_size=6, unique_by=(lambda t: t[:3], lambda t: local_day_bucket(t[3])))
        )
    ]


def local_day_bucket(at: datetime) -> int:
    """Two days apart, so that no zone brings two onto one local day."""
    return (at - START).days // 2


@st.composite
def lives(draw: st.DrawFn) -> dict[str, Any]:
    """What `plan` is asked; now, where it is given, lies around a moment of the plan."""
    ended = draw(st.sampled_from([None, None, "death"]))
    life: dict[str, Any] = {
        "schedule": draw(schedules()),
        "anchors": {"randomisation": draw(days), "surgery": draw(days)},
        "zone": draw(st.sampled_from(ZONES)),
        "now": None,
        "history": draw(histories()),
        "status": Status(
            completed=frozenset(draw(st.sets(st.just("V3")))),
            ended_on=draw(days) if ended else None,
            ended_reported_at=draw(instants) if ended else None,
            later_on=draw(st.one_of(st.none(), days)),
            channels=draw(reached_by),
            pauses=tuple(draw(st.lists(pauses, max_size=2))),
            signs=tuple(draw(st.lists(signs, max_size=4))),
        ),
    }
    moments = [message.send_at for message in plan_of(life).messages if message.send_at is not None]
    if moments and draw(st.sampled_from([True, True, False])):
        life["now"] = draw(st.sampled_from(moments)) + draw(st.sampled_from(AROUND))
    return life


def plan_of(life: dict[str, Any]) -> Plan:
    return scheduler.plan(subject="P", **life)


@given(lives())
@settings(max_examples=400, deadline=None)
def test_no_key_stands_twice(life: dict[str, Any]) -> None:
    keys = Counter(message.key for message in plan_of(life).messages)

    assert max(keys.values(), default=1) == 1


@given(lives())
@settings(max_examples=400, deadline=None)
def test_nothing_leaves_outside_its_window_or_in_quiet_hours(life: dict[str, Any]) -> None:
    plan = plan_of(life)
    windows = {visit.code: visit for visit in plan.visits}

    for message in plan.messages:
        if message.action in TO_SEND:
            assert message.acts_at is not None
            window = windows[message.visit]
            assert window.opens_at <= message.acts_at < window.closes_at
            assert message.acts_at < message.expires_at
            assert not is_quiet(message.acts_at, message.zone, message.quiet)
            assert life["now"] is None or message.acts_at >= min(life["now"], message.send_at or life["now"])


@given(lives())
@settings(max_examples=400, deadline=None)
def test_nothing_leaves_from_the_report_of_an_end_on(life: dict[str, Any]) -> None:
    reported_at = life["status"].ended_reported_at

    for message in plan_of(life).messages:
        if message.action in TO_SEND and reported_at is not None:
            assert message.acts_at is not None
            assert message.acts_at < reported_at


@given(lives())
@settings(max_examples=400, deadline=None)
def test_never_two_texts_on_one_local_day(life: dict[str, Any]) -> None:
    """Counting what was sent before; a text that is about to leave is counted once."""
    zone = life["zone"]
    keys: dict[date, set[str]] = {}
    for sent in life["history"]:
        keys.setdefault(local_date(sent.at, zone), set()).add(sent.key)
    for message in plan_of(life).messages:
        if message.action in TO_SEND and message.acts_at is not None:
            day = local_date(message.acts_at, zone)
            keys.setdefault(day, set()).add(message.key)
            assert len(keys[day]) == 1, (day, keys[day])


@given(lives(), st.lists(reached_by, min_size=40, max_size=40))
@settings(max_examples=400, deadline=None)
def test_no_step_is_sent_more_often_than_dates_are_corrected(
    life: dict[str, Any], reached: list[frozenset[str]]
) -> None:
    """Playing a plan to its end sends each step once at most, by whichever channels come and go, and then no more."""
    history, now = list(life["history"]), START
    ladder = life["schedule"].ladder
    sent_here: Counter[str] = Counter()
    for channels_now in reached:
        status = replace(life["status"], channels=channels_now)
        plan = plan_of({**life, "history": history, "now": now, "status": status})
        ahead = [m for m in plan.messages if m.action in TO_SEND and m.acts_at is not None]
        if not ahead:
            continue
        first = min(ahead, key=lambda m: (m.acts_at, m.key))
        assert first.acts_at is not None
        now = max(now, first.acts_at)
        history = [sent for sent in history if sent.key != first.key] + [Sent(first.key, now)]
        sent_here[first.key.rsplit("/", 2)[0]] += 1
    assert max(sent_here.values(), default=0) <= 1
    most = len(ladder.steps) + (life["status"].later_on is not None)
    assert sum(sent_here.values()) <= len(life["schedule"].visits) * most


@given(lives())
@settings(max_examples=300, deadline=None)
def test_windows_of_one_instrument_never_overlap(life: dict[str, Any]) -> None:
    planned = plan_of(life).visits

    for n, one in enumerate(planned):
        for other in planned[n + 1 :]:
            if set(one.instruments) & set(other.instruments):
                assert one.closes_at <= other.opens_at or other.closes_at <= one.opens_at


@given(lives())
@settings(max_examples=200, deadline=None)
def test_a_plan_compared_with_itself_shows_no_change(life: dict[str, Any]) -> None:
    assert not preview(plan_of(life), plan_of(life))


def test_for_five_years_each_text_leaves_at_its_configured_hour() -> None:
    """Clock changes do not move it; each day of five years is somebody's due day."""
    trial = schedule(visit={"V": visit(0, "day")})
    for day in range(5 * 366):
        anchor = date(2026, 1, 1) + timedelta(days=day)
        plan = scheduler.plan(trial, {"randomisation": anchor}, subject="P", zone="Europe/Stockholm")
        assert [message.send_time for message in plan.messages] == [time(10), time(10)]


def test_a_date_moved_by_fourteen_days_moves_every_unsent_text_by_fourteen_days() -> None:
    trial = schedule(visit={"M1": visit(4, "week"), "M3": visit(12, "week")})
    before, after = (
        scheduler.plan(trial, {"randomisation": day}, subject="P", zone="Europe/Stockholm", now=START)
        for day in (RANDOMISED, RANDOMISED + timedelta(days=14))
    )

    changes = preview(before, after)

    assert [(move.now.date() - move.was.date()).days for move in changes.moved] == [14] * 4
    assert [(move.code, move.was, move.now) for move in changes.visits] == [
        ("M1", date(2027, 3, 29), date(2027, 4, 12)),
        ("M3", date(2027, 5, 24), date(2027, 6, 7)),
    ]


def test_a_visit_keeps_the_version_in_force_on_its_anchor_day() -> None:
    first = schedule(
        anchors={"randomisation": "R", "surgery": "S"},
        visit={"M1": visit(1), "S1": visit(1, anchor="surgery", instruments=["b"])},
    )
    second = schedule(
        anchors={"randomisation": "R", "surgery": "S"},
        visit={"M1": visit(2), "S1": visit(2, anchor="surgery", instruments=["b"])},
    )
    versions = [(date(2026, 1, 1), 1, first), (date(2027, 4, 1), 2, second)]

    plan = scheduler.plan(
        versions,
        {"randomisation": date(2027, 3, 1), "surgery": date(2027, 4, 10)},
        subject="P",
        zone="Europe/Stockholm",
    )

    assert [(one.code, one.version, one.due_on) for one in plan.visits] == [
        ("M1", 1, date(2027, 4, 1)),
        ("S1", 2, date(2027, 6, 10)),
    ]


def test_a_visit_without_its_anchor_is_not_planned() -> None:
    assert scheduler.plan(schedule(), {}, subject="P", zone="Europe/Stockholm").visits == ()
