"""The carrier of a rehearsal: hands each text to the console carrier, and remembers who holds which link."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from epro.rehearsal.numbers import is_fictional
from scheduler.carriers.console import Console
from scheduler.ports import Accepted, CannotTell, Letter, NotFound, Refused, Trace, Unknown

LINK = re.compile(r"/p/([a-z2-7]{26})")


@dataclass(frozen=True)
class Handed:
    """A text that left: the attempt it belongs to, and the link that its reader may open."""

    attempt: str
    link: str


class NotFiction(RuntimeError):
    """A rehearsal was about to text a number that may be somebody's."""


class RehearsalCarrier:
    """Accepts what is addressed to fiction, and refuses to go on otherwise."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.handed: list[Handed] = []

    def send(self, letter: Letter, token: str) -> Accepted | Refused | Unknown:
        if not is_fictional(letter.to):
            raise NotFiction("A rehearsal only texts numbers set aside for fiction.")
        outcome = self.console.send(letter, token)
        found = LINK.search(letter.body)
        if isinstance(outcome, Accepted) and found:
            self.handed.append(Handed(token, found[1]))
        return outcome

    def find(self, trace: Trace, token: str, since: datetime) -> Accepted | NotFound | CannotTell:
        return self.console.find(trace, token, since)

    def take_handed(self) -> list[Handed]:
        """What has left since this was last asked."""
        handed, self.handed = self.handed, []
        return handed
