from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from scheduler import ledger
from tests.scheduler.house import EARLY, Patients, Pen, open_engine


@pytest.fixture(scope="module")
def database(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    ledger.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def engine(database: Engine) -> Engine:
    """The ledger, empty."""
    with database.begin() as connection:
        for table in reversed(ledger.metadata.sorted_tables):
            connection.execute(table.delete())
    return database


@pytest.fixture
def patients(engine: Engine) -> Patients:
    return Patients(engine)


@pytest.fixture
def pen(patients: Patients) -> Pen:
    """The writer of a house in which one patient is enrolled."""
    patients.enrol("A", EARLY)
    return Pen(patients)
