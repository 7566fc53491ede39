"""How is an instant kept, so that it is the same instant on every database and sorts as time does?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

SORTABLE = "%Y-%m-%dT%H:%M:%S.%fZ"  # fixed width, so text sorts as time does
WIDTH = len("2027-03-01T09:00:00.000000Z")


class NaiveInstant(ValueError):
    """A datetime without a zone was about to be stored or decided upon. Give one that knows its zone."""

    def __init__(self) -> None:
        super().__init__("an instant needs a zone: give an aware datetime, such as datetime.now(UTC)")


def utc(at: datetime) -> datetime:
    """The same instant in UTC. Raises NaiveInstant."""
    if at.utcoffset() is None:
        raise NaiveInstant
    return at.astimezone(UTC)


class Instant(TypeDecorator[datetime]):
    """A column of instants: aware datetimes in, aware UTC datetimes out, to the microsecond.

    timestamptz on PostgreSQL, sortable text elsewhere. Raises NaiveInstant.
    """

    impl = String(WIDTH)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(String(WIDTH))  # type: ignore[arg-type]

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | str | None:
        if value is None:
            return None
        at = utc(value)
        return at if dialect.name == "postgresql" else at.strftime(SORTABLE)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        """By itself, and not as `process_result_value`, which costs twice as much for each of millions of cells."""
        return _in_utc if dialect.name == "postgresql" else _from_text


def _in_utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


def _from_text(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)
