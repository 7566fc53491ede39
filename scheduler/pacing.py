"""How fast may texts leave? A sender that floods its carrier fills a queue that a stop no longer reaches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic, sleep

PER_SECOND = 5.0


@dataclass
class Pace:
    """Called before each hand-over; waits until the next may leave. Not for two threads at once."""

    per_second: float = PER_SECOND
    wait: Callable[[float], None] = sleep
    elapsed: Callable[[], float] = monotonic  # seconds, never set back
    _next_at: float = field(default=0.0, init=False)

    def __call__(self) -> None:
        at = self.elapsed()
        if at < self._next_at:
            self.wait(self._next_at - at)
        self._next_at = max(at, self._next_at) + 1 / self.per_second
