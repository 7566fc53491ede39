"""When is a visit due, and from which instant to which may its forms be filled in?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

from scheduler.hours import MIDNIGHT, MOMENTS, instant_of

if TYPE_CHECKING:
    from scheduler.schedule import Offset, Schedule

Versions = Sequence[tuple[date, int, "Schedule"]]  # from which day on the patient follows it, version, schedule
DAYS = {"day": 1, "week": 7}
MONTHS = {"month": 1, "year": 12}


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit of one patient. Its window is [opens_at, closes_at); `expected` counts in compliance."""

    code: str
    version: int
    instruments: tuple[str, ...]
    due_on: date
    opens_at: datetime
    closes_at: datetime
    expected: bool


def anchor_on(at: datetime, trial_zone: str) -> date:
    """The anchor day of an event of which only the instant is known: its local date in the trial's zone."""
    return at.astimezone(ZoneInfo(trial_zone)).date()


def due_on(anchor: date, offset: Offset) -> date:
    """The calendar day a visit is due, counted from its anchor and never from another visit.

    A month that is too short gives its last day: 31 January + 1 month is 28 or 29 February.
    """
    return _counted_on(anchor, offset.n, offset.unit)


@lru_cache(MOMENTS)
def _counted_on(anchor: date, n: int, unit: str) -> date:
    if unit in MONTHS:
        return anchor + relativedelta(months=n * MONTHS[unit])
    return anchor + timedelta(days=n * DAYS[unit])


def visits_of(versions: Versions, anchors: Mapping[str, date], *, zone: str, ended_on: date | None) -> list[Visit]:
    """The visits whose anchor is known, in the order of the schedule, each under the version that it follows.

    A visit is expected unless it is due after the patient's death or withdrawal.
    """
    codes = dict.fromkeys(code for _, _, schedule in versions for code in schedule.visits)
    followed = (_followed(code, versions, anchors, zone, ended_on) for code in codes)
    return _never_two_open([visit for visit in followed if visit is not None])


def _followed(
    code: str, versions: Versions, anchors: Mapping[str, date], zone: str, ended_on: date | None
) -> Visit | None:
    """A visit under the version in force when it opens; the first version also reaches back before its day.

    So an amendment changes no visit that is open or over, and adds none that would be over before it comes into force.
    """
    visit: Visit | None = None
    for position, (from_on, version, schedule) in enumerate(versions):
        amended = _visit(code, version, schedule, anchors, zone, ended_on)
        if position:
            in_force_at = instant_of(from_on, MIDNIGHT, zone)
            if visit is not None and visit.opens_at < in_force_at:
                return visit
            if amended is not None and amended.closes_at <= in_force_at:
                continue
        visit = amended
    return visit


def _visit(
    code: str, version: int, schedule: Schedule, anchors: Mapping[str, date], zone: str, ended_on: date | None
) -> Visit | None:
    definition = schedule.visits.get(code)
    anchor = anchors.get(definition.anchor) if definition else None
    if definition is None or anchor is None:
        return None
    due = due_on(anchor, definition.offset)
    return Visit(
        code=code,
        version=version,
        instruments=definition.instruments,
        due_on=due,
        opens_at=instant_of(due - timedelta(days=definition.opens_before), MIDNIGHT, zone),
        closes_at=instant_of(due + timedelta(days=definition.closes_after + 1), MIDNIGHT, zone),
        expected=ended_on is None or due <= ended_on,
    )


def _never_two_open(visits: Sequence[Visit]) -> list[Visit]:
    """Of visits that share an instrument, the one that opens later closes the earlier one when it opens."""
    in_order = sorted(range(len(visits)), key=lambda n: (visits[n].opens_at, visits[n].due_on, n))
    asked = [set(visit.instruments) for visit in visits]
    closed = list(visits)
    for place, n in enumerate(in_order):
        following = (m for m in in_order[place + 1 :] if not asked[n].isdisjoint(asked[m]))
        m = next(following, None)
        if m is not None and visits[m].opens_at < visits[n].closes_at:
            closed[n] = replace(visits[n], closes_at=visits[m].opens_at)
    return closed
