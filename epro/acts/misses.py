"""Who has guessed too often? Misses are counted in the database, so that every process of the service knows of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select

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


def is_slowed(connection: Connection, limit: Limit, whom: str, now: datetime) -> bool:
    """Whether nothing more is tried for now, right or wrong. whom: hashed, never an address."""
    count = select(func.count()).where(
        Miss.what == limit.what, Miss.whom == whom, Miss.at > now - limit.within, Miss.at <= now
    )
    return connection.execute(count).scalar_one() >= limit.most


def note(connection: Connection, limit: Limit, whom: str, now: datetime) -> None:
    """One more miss; those of yesterday are forgotten."""
    connection.execute(delete(Miss).where(Miss.at < now - FORGOTTEN_AFTER))
    connection.execute(insert(Miss).values(what=limit.what, whom=whom, at=now))
