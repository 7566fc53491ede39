"""What the database does when it cannot do what it should."""

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import OperationalError

from epro.store.database import in_words, open_engine, reading, writing
from epro.store.migrating import TABLES, migrate, newest_revision, revision_of
from epro.store.models import AuditValue, Base


def test_a_full_disk_is_said_in_words_keeps_nothing_half_and_heals_by_itself(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'epro.db'}")
    migrate(engine)
    value = {"salt": "s", "value": "v" * 100_000}
    with engine.connect() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
    engine.dispose()

    full = open_engine(f"sqlite:///{tmp_path / 'epro.db'}")
    with full.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 30}")
        connection.rollback()
        with pytest.raises(OperationalError) as refused, connection.begin():
            connection.execute(insert(AuditValue), [{"digest": f"d{n}", **value} for n in range(10)])
    assert "disk of the database is full" in str(in_words(refused.value))

    with reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(AuditValue)).scalar_one() == 0
    with writing(engine) as connection:
        connection.execute(insert(AuditValue), {"digest": "after", **value})


def test_a_reader_does_not_wait_for_a_writer(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'epro.db'}")
    migrate(engine)

    with writing(engine) as writer, reading(engine) as reader:
        writer.execute(insert(AuditValue), {"digest": "d", "salt": "s", "value": "v"})
        assert reader.execute(select(func.count()).select_from(AuditValue)).scalar_one() == 0


def test_an_error_of_the_database_shows_no_value(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'epro.db'}")

    with pytest.raises(OperationalError) as refused, writing(engine) as connection:
        connection.execute(insert(AuditValue), {"digest": "d", "salt": "s", "value": "+46701740605"})
    assert "+4670" not in str(refused.value)


def test_migrating_leads_to_the_tables_that_are_declared(database_url):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    engine = open_engine(database_url)
    migrate(engine)

    assert revision_of(engine) == newest_revision()
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), TABLES) == []  # type: ignore[arg-type]
    engine.dispose()


def test_every_row_that_an_act_writes_names_its_audit_entry():
    of_signing_in = {
        "staff_session",
        "staff_try",
        "staff_token",
        "staff_draft",
    }  # it has lines of its own
    known = {"audit", "audit_value", "access", "miss"} | of_signing_in  # a miss is nobody's act
    without = {table.name for table in Base.metadata.sorted_tables if "entry" not in table.c} - known
    assert without == set()
