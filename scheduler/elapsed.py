"""Can the clock on the wall be trusted? It is held against one that nobody can set."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

TOLERANCE = timedelta(minutes=5)  # of a step by which a clock is set right; no quiet hour is missed by more


def seconds_since_boot() -> float:
    """Seconds that nobody can set; with those in which the machine slept, where the system counts them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass
class Watch:
    """Notes when the wall clock is first read, and how much it has been set since."""

    began_at: datetime | None = None
    began: float = 0.0

    def set_by(self, now: datetime, elapsed: float) -> timedelta:
        """By how much the wall clock was set since the first reading: forward is positive, a small step is none."""
        if self.began_at is None:
            self.began_at, self.began = now, elapsed
        step = (now - self.began_at) - timedelta(seconds=elapsed - self.began)
        return step if abs(step) > TOLERANCE else timedelta(0)
