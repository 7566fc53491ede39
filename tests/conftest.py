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


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An empty database for this module's tests; every test that asks for it runs on both kinds."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('database') / 'epro.db'}"
        return
    with databases.empty_database(request.getfixturevalue("postgresql_server")) as url:
        yield url
