"""How does epro reach its database, and which transactions may write?

Every transaction on SQLite starts with BEGIN IMMEDIATE, so that a writer waits its turn at the start and never fails
in the middle; one that only reads says so (`reading`) and waits for nobody.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from epro.store.audit import canonical, tell_of_a_refusal
from epro.store.locks import LockedData
from epro.store.turns import Turns, begin

BUSY_TIMEOUT_MS = 10_000
SQLITE_PRAGMAS = ("foreign_keys=ON", "journal_mode=WAL", f"busy_timeout={BUSY_TIMEOUT_MS}", "recursive_triggers=ON")


class DatabaseUnavailable(Exception):
    """The database cannot be reached or written; the message says what to look at, and holds no parameter."""


def open_engine(url: str, *, durable: bool = True) -> Engine:
    """An engine on SQLite or PostgreSQL. `durable=False` (a database being filled) skips the disk's receipt."""
    address = make_url(url)
    if address.drivername in ("postgresql", "postgres"):
        address = address.set(drivername="postgresql+psycopg")
    sqlite = address.get_backend_name() == "sqlite"
    options: dict[str, Any] = {} if sqlite else {"pool_pre_ping": True, "pool_size": 10, "max_overflow": 10}
    engine = create_engine(address, hide_parameters=True, json_serializer=canonical, **options)
    if sqlite:
        _keep_from_others(address.database)
        _prepare_sqlite(engine, "FULL" if durable else "OFF")
    return engine


def _keep_from_others(file: str | None) -> None:
    """A new file is its owner's alone; SQLite gives the files beside it the same rights."""
    if file and file != ":memory:":
        with suppress(OSError):  # told in words when it is first used
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))


def _prepare_sqlite(engine: Engine, synchronous: str) -> None:
    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself
        for pragma in (*SQLITE_PRAGMAS, f"synchronous={synchronous}"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin_to_read_or_write(connection: Connection) -> None:
        if connection.get_execution_options().get("reading", False):
            connection.exec_driver_sql("BEGIN")
        else:
            begin(connection, BUSY_TIMEOUT_MS / 1000)


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that may write: committed at the end, undone as a whole when anything raises.

    That somebody tried to change what is locked is then put into the trail.
    """
    try:
        with _turn(engine), engine.begin() as connection:
            yield connection
    except LockedData as refused:
        with _turn(engine), engine.begin() as connection:
            tell_of_a_refusal(connection, refused.tried)
        raise


_turns: WeakKeyDictionary[Engine, Turns] = WeakKeyDictionary()


def _turn(engine: Engine) -> AbstractContextManager[None]:
    """SQLite takes one writer; PostgreSQL sees to its own."""
    return _turns.setdefault(engine, Turns()).turn() if engine.dialect.name == "sqlite" else nullcontext()


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that only looks, at one moment of the database."""
    with engine.connect().execution_options(reading=True) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        yield connection


@contextmanager
def glance(engine: Engine) -> Iterator[Connection]:
    """A connection for one look that need not agree with another: PostgreSQL begins and ends nothing for it."""
    if engine.dialect.name == "sqlite":
        with reading(engine) as connection:
            yield connection
    else:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection


def in_words(error: OperationalError) -> DatabaseUnavailable:
    """What a person can do about a database that does not answer or does not take a write."""
    cause = str(error.orig).lower()
    if "full" in cause or "no space" in cause:
        return DatabaseUnavailable("The disk of the database is full. Nothing was saved; make room and try again.")
    if "readonly" in cause or "read-only" in cause:
        return DatabaseUnavailable("The database may not be written. Check who owns its file and folder.")
    if "locked" in cause or "busy" in cause:
        return DatabaseUnavailable("The database was busy for too long. Nothing was saved; try again.")
    return DatabaseUnavailable("The database cannot be reached. Check EPRO_DATABASE_URL and that its server runs.")
