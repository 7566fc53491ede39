"""What is asked of a carrier about texts it took some time ago: did they arrive, and does it still hold their words?

A receipt can be lost on its way to us, so each text without a final one is looked up by the carrier's reference. Words
that have arrived need not stay with the carrier: it is asked to forget them. And what
is left on the account? All run hourly.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection, Engine, insert, select, update

from scheduler import arrows
from scheduler.instants import utc
from scheduler.ports import SMS, Balance, Receipt
from scheduler.receipts import receive
from scheduler.reconciling import RECEIPT_WITHIN
from scheduler.tables import attempt, balance, message

RECEIPT_IS_LATE = timedelta(hours=1)
REDACTED_WITHIN = timedelta(days=7)  # after which a text that the carrier would not redact is left to it
AT_ONCE = 200
ARRIVED = ("delivered", "undelivered")


class Paid(Protocol):
    """A carrier with an account that texts are paid from."""

    def balance(self) -> Balance | None:
        """What is left; None when it is not told."""
        ...


class Remembering(Protocol):
    """A carrier that can be asked about a text by its own reference."""

    def fetch(self, ref: str) -> Receipt | None:
        """How the text stands; None when the carrier says nothing certain."""
        ...

    def redact(self, ref: str) -> bool:
        """Forget the text's words; whether they are gone."""
        ...


Receive = Callable[[Connection, Receipt, datetime], str | None]  # as `receive`, and what else it teaches


def poll(engine: Engine, now: datetime, carrier: Remembering, take: Receive = receive) -> int:
    """Look up each accepted text whose receipt is late; returns for how many there was news. Raises NaiveInstant."""
    now = utc(now)
    late = (message.c.left_at <= now - RECEIPT_IS_LATE) & (message.c.left_at > now - RECEIPT_WITHIN)
    with engine.begin() as connection:
        refs = list(
            connection.execute(
                select(attempt.c.carrier_ref)
                .join(message, message.c.latest_attempt == attempt.c.id)
                .where(message.c.state == arrows.ACCEPTED, late, attempt.c.carrier_ref.is_not(None))
                .order_by(message.c.left_at)
            ).scalars()
        )
    return sum(_look_up(engine, now, carrier, take, ref) for ref in refs)


def _look_up(engine: Engine, now: datetime, carrier: Remembering, take: Receive, ref: str) -> bool:
    receipt = carrier.fetch(ref)
    if receipt is None or receipt.status == "accepted":
        return False
    with engine.begin() as connection:
        return take(connection, receipt, now) is not None


def redact(engine: Engine, now: datetime, carrier: Remembering) -> int:
    """Ask the carrier to forget what has arrived or never will; returns of how many. Raises NaiveInstant."""
    now = utc(now)
    with engine.begin() as connection:
        refs = _with_words(connection, now)
    gone = [ref for ref in refs if carrier.redact(ref)]
    if gone:
        with engine.begin() as connection:
            connection.execute(update(attempt).where(attempt.c.carrier_ref.in_(gone)).values(redacted_at=now))
    return len(gone)


def note_balance(engine: Engine, now: datetime, carrier: Paid, channel: str = SMS) -> None:
    """Ask what is left on the account and keep it; what is not told changes nothing. Raises NaiveInstant."""
    left = carrier.balance()
    if left is None:
        return
    values = {"at": utc(now), "amount": left.amount, "currency": left.currency}
    with engine.begin() as connection:
        known = connection.execute(update(balance).where(balance.c.channel == channel).values(values))
        if known.rowcount == 0:
            connection.execute(insert(balance).values(channel=channel, **values))


def _with_words(connection: Connection, now: datetime) -> list[str]:
    return list(
        connection.execute(
            select(attempt.c.carrier_ref)
            .where(
                attempt.c.outcome.in_(ARRIVED),
                attempt.c.redacted_at.is_(None),
                attempt.c.carrier_ref.is_not(None),
                attempt.c.claimed_at > now - REDACTED_WITHIN,
            )
            .order_by(attempt.c.id)
            .limit(AT_ONCE)
        ).scalars()
    )
