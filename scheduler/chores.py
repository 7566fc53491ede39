"""What does a clock do beside sending, and when is it time for it?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTELY, HOURLY, DAILY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NIGHT = timedelta(hours=1, minutes=30)  # after midnight UTC: a time when nobody is texted


@dataclass
class Chore:
    """Done once in every period. `do` returns what a person must know, or None when all is well.

    shift: how far into the period it is done. A clock that starts in the middle of a period waits for the next.
    """

    name: str
    every: timedelta
    do: Callable[[datetime], str | None]
    shift: timedelta = timedelta(0)
    alarm: str | None = None  # what it said last
    _done: int | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether a new period has begun since this was last asked."""
        period = (now - EPOCH - self.shift) // self.every
        due = self._done is not None and period > self._done
        self._done = period if self._done is None else max(self._done, period)
        return due
