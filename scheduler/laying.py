"""When does each step of a visit's ladder want to go, and by which channel?

Rules 4 to 7 of the calendar oracle: the day and the patient's clock, quiet hours, working days, the visit's window.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from scheduler.hours import MIDNIGHT, MOMENTS, QuietHours, after_quiet, instant_of, on_workday
from scheduler.messages import AGAIN, ON_REQUEST, Message, Status
from scheduler.ports import SMS
from scheduler.waiting import day_to_leave

if TYPE_CHECKING:
    from scheduler.schedule import Schedule, Step
    from scheduler.visits import Visit

INSTANT = timedelta(microseconds=1)  # the step of our instants: "up to and including" as a half-open end
A_DAY = timedelta(days=1)


def steps_of(visit: Visit, schedule: Schedule, zone: str, status: Status) -> Sequence[Step]:
    """The rungs of the ladder in the order of their days, and among them those that she or her nurse asked for.

    What a nurse sends again is the last of its day, so that it stands for every other text of that day.
    """
    rungs = schedule.ladder.steps
    if status.later_on is None and not status.again:
        return rungs
    asked: list[Step] = []
    if status.later_on is not None:
        later = {"code": ON_REQUEST, "day": (status.later_on - visit.due_on).days, "channel": SMS}
        asked += _if_it_fits(rungs[-1].model_copy(update=later), visit, schedule, zone)
    for n, at in enumerate((one.at for one in status.again if one.visit == visit.code), start=1):
        local = at.astimezone(ZoneInfo(zone))
        on_day = {"day": (local.date() - visit.due_on).days, "time": local.time(), "channel": SMS}
        asked += _if_it_fits(rungs[-1].model_copy(update={"code": f"{AGAIN}-{n}", **on_day}), visit, schedule, zone)
    return (
        sorted([*rungs, *asked], key=lambda step: (step.day, step.code.startswith(AGAIN), step.time))
        if asked
        else rungs
    )


def _if_it_fits(step: Step, visit: Visit, schedule: Schedule, zone: str) -> list[Step]:
    return [] if laid("", 0, visit, step, SMS, schedule, zone).send_at is None else [step]


def channel_of(step: Step, schedule: Schedule, channels: frozenset[str]) -> str:
    """The step's own channel; where no sms reaches her, the one that the ladder names for when a phone fails."""
    if step.channel != SMS or SMS in channels:
        return step.channel
    instead = schedule.ladder.when_phone_fails
    return instead if instead in channels else step.channel


def laid(
    base: str,
    position: int,
    visit: Visit,
    step: Step,
    channel: str,
    schedule: Schedule,
    zone: str,
    on: date | None = None,
) -> Message:
    """The step's first copy at the moment that the rules want, or at none where quiet hours and window leave none.

    base: its key up to the copy. on: the day it is wanted on, where that is not the ladder's.
    """
    ladder, quiet = schedule.ladder, schedule.quiet_hours
    on = on or visit.due_on + step.day * A_DAY
    moves = ladder.holiday_policy == "next_workday"
    lateness = ladder.max_lateness_hours
    moment = _moment(on, step.time, zone, quiet, moves, visit.opens_at, visit.closes_at, lateness)
    return Message(
        key=f"{base}/1",
        action="not_sendable" if moment.send_at is None else "send",
        send_at=moment.send_at,
        send_on=moment.send_on,
        send_time=moment.send_time,
        zone=zone,
        expires_at=moment.expires_at,
        acts_at=moment.send_at,
        visit=visit.code,
        version=visit.version,
        step=step.code,
        position=position,
        channel=channel,
        closes_at=visit.closes_at,
        quiet=quiet,
    )


class _Moment(NamedTuple):
    send_at: datetime | None
    send_on: date
    send_time: time
    expires_at: datetime


@lru_cache(MOMENTS)
def _moment(
    on: date,
    clock: time,
    zone: str,
    quiet: QuietHours | None,
    moves: bool,
    opens_at: datetime,
    closes_at: datetime,
    max_lateness_hours: int,
) -> _Moment:
    """moves: from a day that is no working day to the next that is, where that lies in the window."""
    at = after_quiet(instant_of(on, clock, zone), zone, quiet)
    if moves:
        moved = after_quiet(on_workday(at, zone), zone, quiet)
        at = moved if moved < closes_at else at
    local = at.astimezone(ZoneInfo(zone))
    if not opens_at <= at < closes_at:
        return _Moment(None, local.date(), local.time(), closes_at)
    too_late = at + timedelta(hours=max_lateness_hours) + INSTANT
    return _Moment(at, local.date(), local.time(), min(closes_at, too_late))


def waited(
    planned: Message,
    on_day: Callable[[date], Message],
    silent_days: int | None,
    *,
    now: datetime | None,
    status: Status,
) -> Message:
    """What pauses and silences make of a text that has not left. on_day: the same text, wanted on another day.

    A silence is judged when the text is due, and not before: until then anybody may still say that she is alive.
    """
    if not status.pauses and silent_days is None:
        return planned
    while (day := day_to_leave(planned.send_on, status.pauses)) not in (None, planned.send_on):
        planned = on_day(day)
    if silent_days is None or now is None or planned.send_at is None or planned.send_at > now:
        return _over_at_a_pause(planned, status)
    while (day := day_to_leave(planned.send_on, status.pauses, status.signs, silent_days=silent_days)) is not None:
        if day == planned.send_on:
            return _over_at_a_pause(planned, status)
        planned = on_day(day)
    return planned._replace(action="not_sendable", acts_at=None)


def _over_at_a_pause(planned: Message, status: Status) -> Message:
    """What is late when a pause begins does not go in it."""
    begins = [instant_of(one.from_on, MIDNIGHT, planned.zone) for one in status.pauses if one.from_on > planned.send_on]
    return planned._replace(expires_at=min([planned.expires_at, *begins])) if begins else planned
