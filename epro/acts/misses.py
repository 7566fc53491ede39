"""Who has guessed too often? Misses are counted in the database, so that every process of the service knows of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Select, delete, func, insert, select

from epro.store.models import Miss

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
