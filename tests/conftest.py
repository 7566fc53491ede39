"""Real databases for every room: SQLite in a file, and PostgreSQL started by pip alone.

EPRO_TEST_DSN names another PostgreSQL to use, by an account that may create databases.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import databases
from tests.results import Results, name_requirements

MEANT_FOR_TESTS = {"EPRO_TEST_DSN", "EPRO_ORACLES", "EPRO_PRISM"}
for _name in [name for name in os.environ if name.startswith("EPRO_") and name not in MEANT_FOR_TESTS]:
    del os.environ[_name]  # what a developer's own installation is set to is not what is tested


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--results", metavar="FILE", help="write what each test said, for `epro validate`")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--results") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Results(Path(config.getoption("--results"))))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    name_requirements(items)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a PostgreSQL server; under pytest-xdist each worker has its own."""
    with databases.postgresql_server() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file at the newest revision, to be copied: a migration takes longer than most tests."""
    file = tmp_path_factory.mktemp("migrated") / "epro.db"
    databases.bring_up_to_date(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def migrated_database(postgresql_server: str) -> Iterator[str]:
    """The URL of a PostgreSQL database at the newest revision, to be copied."""
    with databases.empty_database(postgresql_server) as url:
        databases.bring_up_to_date(url)
        yield url


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Every test that asks for a database runs on both kinds."""
    return str(request.param)


@pytest.fixture(scope="module")
def database_url(
    database_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """An empty database for this module's tests."""
    if database_kind == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('database') / 'epro.db'}"
        return
    with databases.empty_database(request.getfixturevalue("postgresql_server")) as url:
        yield url


@pytest.fixture(scope="module")
def schema(
    database_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of a database for this module's tests that stands at the newest revision."""
    if database_kind == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('database') / 'epro.db'}"
        databases.copy_file(request.getfixturevalue("migrated_file"), url)
        yield url
        return
    server, template = (request.getfixturevalue(name) for name in ("postgresql_server", "migrated_database"))
    with databases.empty_database(server, like=template) as url:
        yield url
