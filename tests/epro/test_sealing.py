"""The database itself refuses what must not be done to the record, by whatever program."""

from contextlib import contextmanager
from datetime import date

import pytest
from sqlalchemy import create_engine, event, insert, select, text, update
from sqlalchemy.exc import DatabaseError, IntegrityError

from epro.acts import patients
from epro.store.audit import entry
from epro.store.database import reading, writing
from epro.store.migrating import TABLES
from epro.store.models import Assessment, Audit, AuditValue, Base, PatientEvent
from epro.store.sealing import APPEND_ONLY, grant, told
from tests.epro.conftest import NOW, NURSE

SEALED = sorted({table.name for table in APPEND_ONLY})
MARCH_1 = date(2027, 3, 1)
OTHER = {"audit": "reason", "patient_event": "by", "message_event": "kind", "access": "actor", "trial_version": "rule"}


@pytest.fixture
def filled(house, desk):
    """A house whose sealed tables each hold a row."""
    desk.enrol(arm="surgery", randomised_on=MARCH_1)
    fill(house)
    return house


def fill(house):
    with writing(house.engine) as connection:
        rows = {
            "message_event": "INSERT INTO message_event (message, at, kind) SELECT min(id), min(send_at), 'planned' "
            "FROM message WHERE send_at IS NOT NULL",
        }
        connection.execute(text(rows["message_event"]))


def rows_in(house, table):
    with reading(house.engine) as connection:
        return connection.execute(text(f'SELECT * FROM "{table}"')).all()


def refused(house, statement):
    with pytest.raises(DatabaseError), house.engine.begin() as connection:
        connection.execute(text(statement))


@pytest.mark.requirement("trust-3", "abuse-8")
@pytest.mark.parametrize("table", SEALED)
def test_a_row_of_the_record_is_neither_changed_nor_removed(filled, table):
    before = rows_in(filled, table)
    column = OTHER.get(table, "entry")

    refused(filled, f'UPDATE "{table}" SET "{column}" = \'another\'') if before else None
    refused(filled, f'DELETE FROM "{table}"') if before else None
    if filled.engine.dialect.name == "postgresql":
        refused(filled, f'TRUNCATE "{table}" CASCADE')

    assert rows_in(filled, table) == before


def test_a_table_that_calls_itself_append_only_is(house):
    say_so = {model.__tablename__ for model in Base.__subclasses__() if "Append only" in (model.__doc__ or "")}
    assert say_so <= set(SEALED)


@pytest.mark.requirement("trust-3", "abuse-8")
@pytest.mark.parametrize("recursive_triggers", ["ON", "OFF"])
@pytest.mark.parametrize("table", ["audit", "audit_value", "patient_event", "patient", "trial_version"])
def test_no_row_is_replaced_by_another_program_on_sqlite(filled, table, recursive_triggers):
    if filled.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL has no INSERT OR REPLACE")
    before = rows_in(filled, table)
    other = create_engine(filled.engine.url)
    with other.connect() as connection:
        connection.execute(text(f"PRAGMA recursive_triggers={recursive_triggers}"))
        with pytest.raises(IntegrityError):
            connection.execute(text(f'INSERT OR REPLACE INTO "{table}" SELECT * FROM "{table}" LIMIT 1'))
        connection.rollback()
    other.dispose()

    assert rows_in(filled, table) == before


@pytest.mark.requirement("trust-2", "abuse-8")
def test_a_row_cannot_change_under_an_entry_that_is_written_already(filled):
    with pytest.raises(IntegrityError), writing(filled.engine) as connection:
        connection.execute(update(Assessment).values(due_on=date(2030, 1, 1)))


@pytest.mark.requirement("trust-2", "abuse-8")
def test_a_row_cannot_be_added_under_an_entry_that_is_written_already(filled):
    with reading(filled.engine) as connection:
        known = connection.execute(select(Audit.id).limit(1)).scalar_one()
    stray = {"subject": "UME-001", "kind": "death", "happened_on": MARCH_1, "reported_at": NOW, "by": "x"}

    with pytest.raises(IntegrityError), writing(filled.engine) as connection:
        connection.execute(insert(PatientEvent), [{**stray, "entry": known}])


@pytest.mark.bends_the_record
def test_a_value_of_the_trail_can_be_emptied_and_nothing_else(filled):
    refused(filled, "UPDATE audit_value SET value = 'another'")
    refused(filled, "UPDATE audit_value SET value = NULL")
    refused(filled, "DELETE FROM audit_value")

    with writing(filled.engine) as connection:
        connection.execute(update(AuditValue).values(salt=None, value=None))


@pytest.mark.requirement("trust-2")
def test_a_trail_that_cannot_be_written_takes_the_change_back(house, desk):
    desk.enrol()
    before = rows_in(house, "patient_event")

    def fail(_connection, _cursor, statement, *_):
        if statement.startswith("INSERT INTO audit "):
            raise RuntimeError("the trail cannot be written")

    event.listen(house.engine, "before_cursor_execute", fail)
    try:
        with pytest.raises(RuntimeError, match="the trail cannot be written"):
            desk.act(patients.record_death, "UME-001", on=MARCH_1)
    finally:
        event.remove(house.engine, "before_cursor_execute", fail)

    assert rows_in(house, "patient_event") == before


def test_every_row_that_carries_an_entry_must_be_told_of(house):
    names = {table.name for table in told()}
    assert {"patient", "contact", "assessment", "answer", "form", "allocation"} <= names


@contextmanager
def as_service(house):
    """A transaction under a role that owns nothing."""
    with house.engine.begin() as connection:
        connection.execute(text("SET LOCAL ROLE epro_service"))
        yield connection


@pytest.fixture
def service(filled):
    if filled.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has no roles")
    with filled.engine.begin() as connection:
        known = connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = 'epro_service'")).first()
        if not known:
            connection.execute(text("CREATE ROLE epro_service"))
        grant(connection, "epro_service")
    yield filled
    with filled.engine.begin() as connection:
        connection.execute(text("DROP OWNED BY epro_service"))


@pytest.mark.requirement("trust-3", "abuse-8")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET reason = 'x'",
        "DELETE FROM audit",
        "TRUNCATE audit CASCADE",
        "DELETE FROM answer",
        "UPDATE audit_value SET digest = 'x'",
        "DELETE FROM patient",
        "ALTER TABLE audit DISABLE TRIGGER ALL",
        "DROP TRIGGER epro_audit_update_sealed ON audit",
        "DROP TABLE audit CASCADE",
        "SET session_replication_role = replica",
    ],
)
def test_the_services_own_role_cannot_bend_the_record(service, statement):
    with pytest.raises(DatabaseError), as_service(service) as connection:
        connection.execute(text(statement))


def test_the_services_own_role_can_do_its_work(service):
    with as_service(service) as connection:
        patients.record_death(connection, service.protocol, "UME-001", on=MARCH_1, by=NURSE, now=NOW)
        with entry(connection, chain="UME", action="looked after", by=NURSE, at=NOW):
            pass
        for tables in TABLES:
            for table in tables.sorted_tables:
                connection.execute(select(table).limit(1))
