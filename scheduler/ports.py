"""What passes between the ledger and the two it works with: the one who writes letters, the one who carries them?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal, Protocol, runtime_checkable

from sqlalchemy import Connection

Then = Literal["never", "later", "stop_sender", "ask_person"]
LINK_TOKEN = re.compile(r"/([A-Za-z0-9_-]+)(?=$|[\s?#.,!)])")  # a link's token in a text
ReceiptStatus = Literal["accepted", "delivered", "undelivered"]
SMS, EMAIL = "sms", "email"
CHANNELS = frozenset({SMS, EMAIL})


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that this process holds and may hand over once.

    expires_at: the last moment at which it may still reach the phone: window, lateness, and the next quiet hours.
    """

    id: int
    key: str
    subject: str
    visit: str
    step: str
    channel: str
    version: int
    expires_at: datetime
    attempt: int
    n: int
    token: str
    claimed_at: datetime


@dataclass(frozen=True, slots=True)
class Letter:
    """A text in the moment of sending. Held in memory only; shows nothing of itself."""

    to: str = field(repr=False)
    body: str = field(repr=False)
    valid_until: datetime = field(repr=False)
    channel: str = field(default=SMS, repr=False)
    subject: str = field(default="", repr=False)  # of a mail


@dataclass(frozen=True, slots=True)
class Withheld:
    """No letter: the facts of now no longer hold this message."""

    why: str


@dataclass(frozen=True, slots=True)
class Trace:
    """By what a letter that was handed over can be known again: its address, and the hash of the token in its link."""

    to: str = field(repr=False)
    link_hash: str
    channel: str = field(default=SMS, repr=False)


def link_hash(token: str) -> str:
    """The SHA-256 by which a trace knows a link's token."""
    return sha256(token.strip().lower().encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Accepted:
    """The carrier has it, under its own reference."""

    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Surely not accepted. `then` says what follows; `wait` is the least wait before a later try."""

    code: int | None
    then: Then
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Perhaps accepted: the reply was lost, or said nothing certain."""

    code: int | None = None


@dataclass(frozen=True, slots=True)
class NotFound:
    """The carrier knows of no such text. `sure`: it cannot be listed later either."""

    sure: bool = False


@dataclass(frozen=True, slots=True)
class CannotTell:
    """The carrier cannot say whether it has it. `for_now`: asking again later may help."""

    for_now: bool = False


Outcome = Accepted | Refused | Unknown


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a carrier reports afterwards. Found by our token, or else by the carrier's reference."""

    token: str | None
    carrier_ref: str | None
    status: ReceiptStatus
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """What is left on the account with a carrier. amount: as the carrier writes it, a decimal number."""

    amount: str
    currency: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A text that a carrier has taken: when, to whom, and the hashes of the links in it."""

    ref: str
    at: datetime
    to: str = field(repr=False)
    link_hashes: frozenset[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Received:
    """A text that a carrier took from a patient for us: when, from whom, and what she wrote."""

    ref: str
    at: datetime
    sender: str = field(repr=False)  # E.164
    body: str = field(repr=False)


class Writer(Protocol):
    """Gives the last look and the text; each call is a transaction of its own, but for `settled`."""

    def write(self, messages: Sequence[Claimed], now: datetime) -> Sequence[Letter | Withheld]:
        """One letter, or why there is none, for each message in order, from the facts of now."""
        ...

    def trace(self, message: Claimed) -> Trace | None:
        """Where the latest letter of this message went; None = no letter was written."""
        ...

    def settled(self, connection: Connection, message: Claimed, outcome: Outcome, now: datetime) -> None:
        """What the outcome teaches about the patient, in the transaction that records it.

        Not asked of one that was accepted, which teaches nothing.
        """
        ...


class Carrier(Protocol):
    """Takes letters to phones. It never tries a second time by itself, and raises nothing that it can classify."""

    def send(self, letter: Letter, token: str) -> Outcome:
        """Hand over once; `token` names the attempt in everything the carrier reports."""
        ...

    def find(self, trace: Trace, token: str, since: datetime) -> Accepted | NotFound | CannotTell:
        """Whether the carrier has what was handed over since then."""
        ...


@runtime_checkable
class Listing(Protocol):
    """A carrier that can also name everything it took from us since an instant. One that is not this cannot tell."""

    def sent_since(self, since: datetime) -> Sequence[Listed] | CannotTell:
        """The texts that were ours to send, whatever became of them; answers to a patient's own text apart."""
        ...


@runtime_checkable
class Inbox(Protocol):
    """A carrier that keeps what patients send to us, and can name it."""

    def received_since(self, since: datetime) -> Sequence[Received] | CannotTell:
        """The texts that came in since an instant, the oldest first."""
        ...
