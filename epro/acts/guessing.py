"""Who guesses too often? Of links, codes and passwords: wrong tries are counted in the database, so that every process
of the service knows of them.

What a patient opens (a link, a card's code, her second step) is counted by address or patient, after each miss. So many
in a span of time, and nothing more is tried for a while, right or wrong.

A try of staff to sign in is counted before it is judged, so that many at once cannot pass together. Misses are counted
- at one place (an account at an address, or in a browser that the account has signed in from before): after five the
  next is judged a minute later, then two, four, eight, never more than fifteen;
- of one account at all strange places together: ten in fifteen minutes;
- at one strange address over all accounts: fifty in fifteen minutes.

A try that is not judged counts for nothing, so nobody stays locked out because others go on. The delays at one place
leave room under the account's ten: who knows a name cannot keep its owner out from one address. Whoever has signed in
on her device before keeps its own count there, and a passkey is not counted at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Select, delete, func, insert, select, text, update

from epro.store.models import Miss, StaffTry

FORGOTTEN_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Limit:
    """How many misses of one kind one address, or one patient, may have in a span of time."""

    what: str
    most: int
    within: timedelta


LINK = Limit("link", 30, timedelta(hours=1))
CARD = Limit("card", 10, timedelta(hours=1))
SECOND_STEP = Limit("second step", 5, timedelta(minutes=15))
ALARM = Limit("link", 200, timedelta(hours=1))  # of everybody together: a guesser who changes his address


def is_slowed(connection: Connection, limit: Limit, whom: str, now: datetime) -> bool:
    """Whether nothing more is tried for now, right or wrong. whom: hashed, never an address."""
    return connection.execute(_count(limit, now).where(Miss.whom == whom)).scalar_one() >= limit.most


def guessed_links(connection: Connection, now: datetime) -> int:
    """How many links that open nothing were tried lately, by whomever; ALARM says from how many on it is an attack."""
    return connection.execute(_count(ALARM, now)).scalar_one()


def _count(limit: Limit, now: datetime) -> Select[int]:
    return select(func.count()).where(Miss.what == limit.what, Miss.at > now - limit.within, Miss.at <= now)


def note(connection: Connection, limit: Limit, whom: str, now: datetime) -> None:
    """One more miss; those of yesterday are forgotten."""
    connection.execute(delete(Miss).where(Miss.at < now - FORGOTTEN_AFTER))
    connection.execute(insert(Miss).values(what=limit.what, whom=whom, at=now))


FREE_MISSES = 5
LONGEST_DELAY = timedelta(minutes=15)
REMEMBERED = timedelta(hours=1)
WINDOW = timedelta(minutes=15)
MOST_OF_ACCOUNT, MOST_OF_ADDRESS = 10, 50
PASSWORD, CODE = "password", "code"


@dataclass(frozen=True)
class Place:
    """Whose account is tried, and from where: keyed hashes."""

    account: str
    address: str
    device: str | None = None


class Slowed(Exception):
    """Too many misses; the next try is judged at `until`."""

    def __init__(self, until: datetime) -> None:
        self.until = until
        super().__init__("too many misses")


def delay(misses: int) -> timedelta:
    """How long after this many misses in a row the next try is judged."""
    if misses < FREE_MISSES:
        return timedelta()
    return min(timedelta(minutes=2 ** min(misses - FREE_MISSES, 4)), LONGEST_DELAY)


def begin(connection: Connection, place: Place, kind: str, now: datetime) -> int:
    """Count a try as missed until it is told otherwise. Returns its id. Raises Slowed."""
    if connection.dialect.name == "postgresql":  # SQLite's transaction already holds the only write lock
        for name in sorted((place.account, place.address)):
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"epro try {name}"})
    until = judged_from(connection, place, kind, now)
    if until > now:
        raise Slowed(until)
    row = {"account": place.account, "address": place.address, "device": place.device, "kind": kind}
    tried: int = connection.execute(
        insert(StaffTry).values(**row, at=now, missed=True).returning(StaffTry.id)
    ).scalar_one()
    return tried


def succeed(connection: Connection, tried: int) -> None:
    connection.execute(update(StaffTry).where(StaffTry.id == tried).values(missed=False))


def judged_from(connection: Connection, place: Place, kind: str, now: datetime) -> datetime:
    """The instant from which the next try at this place is judged; `now` or earlier = at once."""
    strange = StaffTry.device.is_(None)
    here: list[ColumnElement[bool]] = (
        [StaffTry.device == place.device] if place.device else [strange, StaffTry.address == place.address]
    )
    same: list[ColumnElement[bool]] = [StaffTry.account == place.account, StaffTry.kind == kind]
    misses = _misses_in_a_row(connection, [*same, *here, StaffTry.at > now - REMEMBERED])
    waits = [misses[-1] + delay(len(misses))] if misses else []
    if not place.device:
        recent: list[ColumnElement[bool]] = [StaffTry.missed.is_(True), strange, StaffTry.at > now - WINDOW]
        waits += _full(connection, [*same, *recent], MOST_OF_ACCOUNT)
        waits += _full(connection, [StaffTry.address == place.address, *recent], MOST_OF_ADDRESS)
    return max(waits, default=now)


def misses_since(connection: Connection, account: str, since: datetime) -> int:
    """How many tries of an account were wrong after an instant."""
    asked = select(StaffTry.id).where(StaffTry.account == account, StaffTry.missed, StaffTry.at > since)
    return len(connection.execute(asked).all())


def _misses_in_a_row(connection: Connection, where: Sequence[ColumnElement[bool]]) -> list[datetime]:
    misses: list[datetime] = []
    for row in connection.execute(select(StaffTry.at, StaffTry.missed).where(*where).order_by(StaffTry.id)):
        misses = [*misses, row.at] if row.missed else []
    return misses


def _full(connection: Connection, where: Sequence[ColumnElement[bool]], most: int) -> list[datetime]:
    """When the oldest of the last `most` misses is old enough, if there are that many."""
    newest = (
        connection.execute(select(StaffTry.at).where(*where).order_by(StaffTry.at.desc()).limit(most)).scalars().all()
    )
    return [newest[-1] + WINDOW] if len(newest) == most else []
