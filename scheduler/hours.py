"""At which instant does a local clock time strike, and which hours and days are kept free of texts?"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

MIDNIGHT = time(0)
QuietHours = tuple[time, time]  # [start, end) on the patient's clock; may span midnight
SATURDAY, FRIDAY = 5, 4
MOMENTS = 20_000  # remembered: a trial's patients share their days, and each day's clock times


@lru_cache(MOMENTS)
def instant_of(day: date, clock: time, zone: str) -> datetime:
    """The UTC instant of a local clock time.

    A time that does not exist moves forward by the length of the gap; one that occurs twice means the first.
    """
    return datetime.combine(day, clock.replace(fold=0), ZoneInfo(zone)).astimezone(UTC)


def local_date(at: datetime, zone: str) -> date:
    return at.astimezone(ZoneInfo(zone)).date()


def is_quiet(at: datetime, zone: str, quiet: QuietHours | None) -> bool:
    if quiet is None:
        return False
    start, end = quiet
    clock = at.astimezone(ZoneInfo(zone)).time()
    return start <= clock < end if start < end else clock >= start or clock < end


@lru_cache(MOMENTS)
def after_quiet(at: datetime, zone: str, quiet: QuietHours | None) -> datetime:
    """The instant itself, or the end of the quiet hours it falls into."""
    if quiet is None or not is_quiet(at, zone, quiet):
        return at
    _, end = quiet
    local = at.astimezone(ZoneInfo(zone))
    day = local.date() if local.time() < end else local.date() + timedelta(days=1)
    ending = instant_of(day, end, zone)
    if ending < at:  # the end strikes twice this night, and the first time is over
        ending = datetime.combine(day, end.replace(fold=1), ZoneInfo(zone)).astimezone(UTC)
    return ending


def next_quiet(at: datetime, zone: str, quiet: QuietHours | None) -> datetime | None:
    """When the quiet hours start next, seen from an instant outside them; None where no hour is quiet."""
    if quiet is None:
        return None
    day = local_date(at, zone)
    tonight = instant_of(day, quiet[0], zone)
    return tonight if tonight > at else instant_of(day + timedelta(days=1), quiet[0], zone)


@lru_cache(MOMENTS)
def on_workday(at: datetime, zone: str) -> datetime:
    """The same clock time on this or the next Swedish working day."""
    local = at.astimezone(ZoneInfo(zone))
    day = local.date()
    while not is_workday(day):
        day += timedelta(days=1)
    return at if day == local.date() else instant_of(day, local.time(), zone)


@lru_cache(MOMENTS)
def is_workday(day: date) -> bool:
    """Neither Saturday, Sunday, a Swedish public holiday, nor the eve of Midsummer, Christmas or New Year."""
    return day.weekday() < SATURDAY and not _is_eve(day) and day not in _red_days(day.year)


def _is_eve(day: date) -> bool:
    midsummer = day.month == 6 and 19 <= day.day <= 25 and day.weekday() == FRIDAY
    return midsummer or (day.month, day.day) in ((12, 24), (12, 31))


@cache
def _red_days(year: int) -> frozenset[date]:
    from holidays.countries.sweden import Sweden

    return frozenset(Sweden(years=year))
