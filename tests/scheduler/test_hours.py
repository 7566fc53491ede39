"""Clock times, quiet hours and working days, where they are awkward."""

from datetime import date, time, timedelta

import pytest

from scheduler.hours import after_quiet, instant_of, is_quiet, is_workday, next_quiet
from tests.scheduler.house import ZONE, utc

NIGHT = (time(20), time(8))


@pytest.mark.parametrize(
    ("day", "clock", "at"),
    [
        (date(2027, 3, 28), time(2, 30), "2027-03-28 01:30"),  # does not exist: forward by the hour that is missing
        (date(2027, 10, 31), time(2, 30), "2027-10-31 00:30"),  # strikes twice: the first
    ],
    ids=["spring", "autumn"],
)
def test_a_clock_time_at_a_clock_change(day: date, clock: time, at: str) -> None:
    assert instant_of(day, clock, ZONE) == utc(at)


def test_a_midnight_that_does_not_exist_is_one_o_clock() -> None:
    """Chile goes forward at midnight: 5 September 2027 begins at 01:00 (tzdata)."""
    assert instant_of(date(2027, 9, 5), time(0), "America/Santiago") == utc("2027-09-05 04:00")


def test_quiet_hours_that_end_in_the_repeated_hour_end_when_it_strikes_again() -> None:
    quiet, second_02_15 = (time(22), time(2, 30)), utc("2027-10-31 01:15")

    assert is_quiet(second_02_15, ZONE, quiet)
    assert after_quiet(second_02_15, ZONE, quiet) == utc("2027-10-31 01:30")


@pytest.mark.parametrize(
    ("at", "starts"),
    [("2027-06-01 10:00", "2027-06-01 18:00"), ("2027-06-01 18:00", "2027-06-02 18:00")],
)
def test_the_next_quiet_hours_are_known(at: str, starts: str) -> None:
    assert next_quiet(utc(at), ZONE, NIGHT) == utc(starts)


@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2027-03-26", False),  # Good Friday
        ("2027-03-29", False),  # Easter Monday
        ("2027-05-06", False),  # Ascension Day
        ("2027-05-07", True),  # the day after it
        ("2027-06-25", False),  # Midsummer's Eve, Friday between 19 and 25 June
        ("2027-06-18", True),
        ("2027-11-06", False),  # All Saints' Day, a Saturday
        ("2026-12-24", False),
        ("2026-12-23", True),
        ("2026-12-31", False),
        ("2027-01-06", False),  # Epiphany
        ("2027-06-06", False),  # National Day, here a Sunday
    ],
)
def test_swedish_working_days(day: str, works: bool) -> None:
    """The law on public holidays (1989:253), and the three eves that are not in it."""
    assert is_workday(date.fromisoformat(day)) is works


def test_midsummers_eve_is_found_in_every_year() -> None:
    for year in range(2020, 2060):
        eves = [day for n in range(19, 26) if (day := date(year, 6, n)).weekday() == 4]
        assert len(eves) == 1
        assert not is_workday(eves[0])
        assert is_workday(eves[0] - timedelta(days=1)) or eves[0] - timedelta(days=1) == date(year, 6, 6)
