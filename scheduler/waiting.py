"""On which day may a text leave that falls into a pause, or into a silence in which nobody knows how the patient is?

Pauses (hospital, palliative care, no address yet) move a text to their end. After a silence it waits until somebody
says that she is alive. A window that closes meanwhile rules it out, as it does everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Pause:
    """No text leaves on the days [from_on, until_on) of the patient's calendar."""

    from_on: date
    until_on: date


@dataclass(frozen=True, slots=True)
class Sign:
    """A day on which she was known to be alive, and the day on which that was made known."""

    on: date
    known_on: date


@dataclass(frozen=True, slots=True)
class Again:
    """A nurse asked at this instant that a visit's text goes once more: a step of its own, the last of its day."""

    visit: str
    at: datetime


def day_to_leave(
    day: date, pauses: Sequence[Pause] = (), signs: Sequence[Sign] = (), *, silent_days: int | None = None
) -> date | None:
    """The first day from `day` on that lies in no pause and in no silence; None while a sign of life is awaited.

    silent_days: a day is silent when the last sign known by then is older than this; None = no silence holds a text.
    """
    while True:
        until_on = max((pause.until_on for pause in pauses if pause.from_on <= day < pause.until_on), default=day)
        if until_on > day:
            day = until_on
        elif silent_days is None or _known_alive(day, signs, silent_days):
            return day
        else:
            later = min((sign.known_on for sign in signs if sign.known_on > day), default=None)
            if later is None:
                return None
            day = later


def _known_alive(day: date, signs: Sequence[Sign], silent_days: int) -> bool:
    return any(sign.known_on <= day and (day - sign.on).days <= silent_days for sign in signs)
