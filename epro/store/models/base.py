"""What every table of the service shares: names of constraints, column types, the key of the audit entry."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, cast

from sqlalchemy import JSON, ForeignKey, MetaData, Table
from sqlalchemy.orm import DeclarativeBase, mapped_column

from scheduler.instants import Instant

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: Instant(), dict[str, Any]: JSON(), list[Any]: JSON()}  # noqa: RUF012


def table_of(model: type[Base]) -> Table:
    """The table of a model, for statements built from it."""
    return cast(Table, model.__table__)


def entry_key() -> ForeignKey:
    """The audit entry that tells of a row, held back until commit: no row is kept without its entry."""
    return ForeignKey("audit.id", deferrable=True, initially="DEFERRED")


ERASED = ""  # in place of an address, a code word, the code of a card, their keyed hashes, or the words of a reply
Subject = Annotated[str, mapped_column(ForeignKey("patient.subject"))]
Entry = Annotated[str, mapped_column(entry_key(), index=True)]
Serial = Annotated[int, mapped_column(primary_key=True, autoincrement=True)]
