"""When is a visit due, and from which instant to which may its forms be filled in?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

from scheduler.hours import MIDNIGHT, instant_of

if TYPE_CHECKING:
    from scheduler.schedule import Offset, Schedule

Versions = Sequence[tuple[date, int, "Schedule"]]  # from which anchor day on, version, schedule
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
    if offset.unit in MONTHS:
        return anchor + relativedelta(months=offset.n * MONTHS[offset.unit])
    return anchor + timedelta(days=offset.n * DAYS[offset.unit])


def visits_of(versions: Versions, anchors: Mapping[str, date], *, zone: str, ended_on: date | None) -> list[Visit]:
    """The visits whose anchor is known, in the order of the schedule, each under the version of its anchor day.

    A visit is expected unless it is due after the patient's death or withdrawal.
    """
    visits = [
        Visit(
            code=code,
            version=version,
            instruments=definition.instruments,
            due_on=(due := due_on(anchor, definition.offset)),
            opens_at=instant_of(due - timedelta(days=definition.opens_before), MIDNIGHT, zone),
            closes_at=instant_of(due + timedelta(days=definition.closes_after + 1), MIDNIGHT, zone),
            expected=ended_on is None or due <= ended_on,
        )
        for position, (_, version, schedule) in enumerate(versions)
        for code, definition in schedule.visits.items()
        if (anchor := anchors.get(definition.anchor)) is not None and _in_force(versions, anchor) == position
    ]
    return _never_two_open(visits)


def _in_force(versions: Versions, anchor: date) -> int:
    """The position of the version in force on an anchor day; the first one also reaches back before its day."""
    return max(n for n, (from_on, _, _) in enumerate(versions) if n == 0 or from_on <= anchor)


def _never_two_open(visits: Sequence[Visit]) -> list[Visit]:
    """Of visits that share an instrument, the one that opens later closes the earlier one when it opens."""
    in_order = sorted(range(len(visits)), key=lambda n: (visits[n].opens_at, visits[n].due_on, n))
    closed = list(visits)
    for place, n in enumerate(in_order):
        for later in (visits[m] for m in in_order[place + 1 :]):
            if set(later.instruments) & set(visits[n].instruments):
                closed[n] = replace(visits[n], closes_at=min(visits[n].closes_at, later.opens_at))
                break
    return closed
