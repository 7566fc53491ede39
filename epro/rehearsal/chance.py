"""What does chance decide, so that the same seed decides the same, in whatever order it is asked?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from random import Random


@dataclass(frozen=True)
class Chance:
    """Draws that depend on the seed and on what they are about, and on nothing that was drawn before."""

    seed: int

    def of(self, *about: object) -> Random:
        """A source of numbers of its own for this matter."""
        return Random(f"{self.seed}/" + "/".join(map(str, about)))

    def hits(self, share: float, *about: object) -> bool:
        return share > 0 and self.of(*about).random() < share

    def days(self, between: tuple[int, int], *about: object) -> timedelta:
        return timedelta(days=self.of(*about).randint(*between))

    def minutes(self, first: float, last: float, *about: object) -> timedelta:
        return timedelta(minutes=self.of(*about).uniform(first, last))
