"""Which carrier takes a letter, where texts and mails go by different ones?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from scheduler.ports import Accepted, CannotTell, Carrier, Letter, NotFound, Outcome, Refused, Trace


class ByChannel:
    """Each letter by the carrier of its channel. Without one the letter waits, as it does for a wrong setting."""

    def __init__(self, carriers: Mapping[str, Carrier]) -> None:
        self.carriers = carriers

    def send(self, letter: Letter, token: str) -> Outcome:
        carrier = self.carriers.get(letter.channel)
        return carrier.send(letter, token) if carrier else Refused(None, "stop_sender")

    def find(self, trace: Trace, token: str, since: datetime) -> Accepted | NotFound | CannotTell:
        carrier = self.carriers.get(trace.channel)
        return carrier.find(trace, token, since) if carrier else CannotTell()
