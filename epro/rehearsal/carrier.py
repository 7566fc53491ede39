"""The carrier of a rehearsal: who takes a text, what does it say of it, and what does it keep to itself?

It takes nothing that is not addressed to fiction, and no text ever leaves this process. It remembers every text that it
took: that is what the rehearsal holds the ledger against.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from epro.rehearsal.cast import is_allocated
from epro.rehearsal.chance import Chance
from epro.rehearsal.numbers import is_fictional
from epro.rehearsal.weather import CARRIER, Weather
from scheduler.carriers.console import Console
from scheduler.outcomes import OPTED_OUT, refusal_of
from scheduler.ports import (
    EMAIL,
    Accepted,
    CannotTell,
    Letter,
    Listed,
    NotFound,
    Receipt,
    Refused,
    Trace,
    Unknown,
    link_hash,
)
from scheduler.texts import segments

LINK = re.compile(r"/p/([a-z2-7]{26})")
FICTIONAL_MAIL = "@patients.example"
NO_SUCH_NUMBER, UNAVAILABLE = 21211, 503


@dataclass(frozen=True)
class Handed:
    """A text that the carrier took: by which attempt, when, to whom. Its repr shows neither address nor link."""

    attempt: str
    at: datetime
    channel: str
    segments: int
    to: str = field(repr=False)
    link: str = field(repr=False)


class NotFiction(RuntimeError):
    """A rehearsal was about to text a number that may be somebody's."""


@dataclass
class RehearsalCarrier:
    """Accepts what is addressed to fiction, and refuses to go on otherwise.

    outbox: where texts can be read afterwards; None = nowhere. blocked: numbers that it took a STOP from.
    """

    clock: Callable[[], datetime]
    chance: Chance
    weather: Weather
    reply_lost: float = 0.0
    outbox: Console | None = None
    taken: dict[str, Handed] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)
    receipts: dict[str, Receipt] = field(default_factory=dict)  # what it would say when asked
    _new: list[Handed] = field(default_factory=list)

    def send(self, letter: Letter, token: str) -> Accepted | Refused | Unknown:
        _refuse_what_may_be_somebodys(letter)
        now = self.clock()
        if letter.channel != EMAIL and letter.to in self.blocked:
            return refusal_of(OPTED_OUT) or Unknown()
        if letter.channel != EMAIL and not is_allocated(letter.to):
            return refusal_of(NO_SUCH_NUMBER) or Unknown()
        mishap = self.chance.of("reply", letter.to, now.date())
        is_lost = mishap.random() < self.reply_lost
        if self.weather.down(CARRIER, now) and not is_lost:
            return Refused(UNAVAILABLE, "later")
        if not is_lost or mishap.random() < 0.5:
            self._take(letter, token, now)
        return Unknown() if is_lost else Accepted(token)

    def find(self, trace: Trace, token: str, since: datetime) -> Accepted | NotFound | CannotTell:
        if self.weather.down(CARRIER, self.clock()):
            return CannotTell(for_now=True)
        return Accepted(token) if token in self.taken else NotFound()

    def sent_since(self, since: datetime) -> Sequence[Listed]:
        texts = [one for one in self.taken.values() if one.at >= since]
        return [Listed(one.attempt, one.at, one.to, frozenset({link_hash(one.link)})) for one in texts]

    def fetch(self, ref: str) -> Receipt | None:
        return None if self.weather.down(CARRIER, self.clock()) else self.receipts.get(ref)

    def redact(self, ref: str) -> bool:
        return True

    def take_handed(self) -> list[Handed]:
        """What has left since this was last asked."""
        handed, self._new = self._new, []
        return handed

    def _take(self, letter: Letter, token: str, now: datetime) -> None:
        if self.outbox is not None:
            self.outbox.send(letter, token)
        found = LINK.search(letter.body)
        size = 0 if letter.channel == EMAIL else segments(letter.body).count
        handed = Handed(token, now, letter.channel, size, letter.to, found[1] if found else "")
        self.taken[token] = handed
        self._new.append(handed)


def _refuse_what_may_be_somebodys(letter: Letter) -> None:
    is_fiction = letter.to.endswith(FICTIONAL_MAIL) if letter.channel == EMAIL else is_fictional(letter.to)
    if not is_fiction:
        raise NotFiction("A rehearsal only texts numbers set aside for fiction.")
