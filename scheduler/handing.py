"""Who hands letters to a carrier, several at once, while one alone keeps the books?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import NamedTuple

from scheduler.ports import Carrier, Claimed, Letter, Outcome, Unknown

Pair = tuple[Claimed, Letter]


class Handed(NamedTuple):
    """What came of one hand-over. raised: by the carrier; then nobody knows whether it has the text."""

    claimed: Claimed
    outcome: Outcome
    raised: BaseException | None = None


@dataclass
class Hands:
    """So many hands. A hand knows the carrier and no database; it begins as soon as it is given a letter."""

    free: int
    given: SimpleQueue[Pair | None]
    handed: SimpleQueue[Handed]
    carrier: Carrier | None  # of the one hand that needs no thread
    busy: int = 0

    def give(self, pairs: Sequence[Pair]) -> None:
        """Not more than `free`."""
        self.free -= len(pairs)
        self.busy += len(pairs)
        for pair in pairs:
            if self.carrier is None:
                self.given.put(pair)
            else:
                self.handed.put(_hand_over(self.carrier, *pair))

    def take(self, *, wait: bool) -> list[Handed]:
        """What came of all that are done by now; at least one where `wait`, which asks for a busy hand."""
        done = [self.handed.get()] if wait else []
        while not self.handed.empty():
            done.append(self.handed.get())
        self.busy -= len(done)
        self.free += len(done)
        return done


@contextmanager
def hands_for(carrier: Carrier, n: int) -> Iterator[Hands]:
    """`n` hands. At the end they finish what they were given."""
    hands = Hands(n, SimpleQueue(), SimpleQueue(), carrier if n == 1 else None)
    if n == 1:
        yield hands
        return
    with ThreadPoolExecutor(n) as pool:
        for _ in range(n):
            pool.submit(_work, carrier, hands)
        try:
            yield hands
        finally:
            for _ in range(n):
                hands.given.put(None)


def _work(carrier: Carrier, hands: Hands) -> None:
    while (pair := hands.given.get()) is not None:
        hands.handed.put(_hand_over(carrier, *pair))


def _hand_over(carrier: Carrier, claimed: Claimed, letter: Letter) -> Handed:
    try:
        return Handed(claimed, carrier.send(letter, claimed.token))
    except BaseException as error:  # raised again by who keeps the books, once it is on record
        return Handed(claimed, Unknown(), error)
