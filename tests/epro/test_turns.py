"""On SQLite one writes at a time: the others wait, asleep, and not for ever."""

from threading import Event, Thread

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as WaitedTooLong

from epro.store import database, turns
from epro.store.database import open_engine, reading, writing
from epro.store.migrating import migrate
from epro.store.models import AuditValue

WRITERS, EACH = 6, 10


@pytest.fixture
def url(tmp_path):
    url = f"sqlite:///{tmp_path / 'epro.db'}"
    engine = open_engine(url, durable=False)
    migrate(engine)
    engine.dispose()
    return url


def add(connection, digest):
    connection.execute(insert(AuditValue), {"digest": digest, "salt": "s", "value": "v"})


def count(engine):
    with reading(engine) as connection:
        return connection.execute(select(func.count()).select_from(AuditValue)).scalar_one()


def test_many_writers_of_several_processes_all_get_their_turn(url):
    processes = [open_engine(url, durable=False) for _ in range(2)]  # an engine stands for a process: it queues alone

    def write(writer):
        for n in range(EACH):
            with writing(processes[writer % 2]) as connection:
                add(connection, f"{writer}/{n}")

    threads = [Thread(target=write, args=(writer,)) for writer in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert count(processes[0]) == WRITERS * EACH


def test_who_asks_in_vain_for_too_long_is_told_that_the_database_was_busy_and_can_write_afterwards(url, monkeypatch):
    one, other = open_engine(url), open_engine(url)
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 0)

    with writing(one) as connection:
        add(connection, "first")
        with pytest.raises(OperationalError) as refused, writing(other):
            pass
    assert "busy for too long" in str(database.in_words(refused.value))

    with writing(other) as connection:
        add(connection, "second")
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 10_000  # for what it reads
    assert count(one) == 2


def test_who_queues_too_long_within_a_process_is_turned_away_and_the_one_who_writes_is_not_disturbed(url, monkeypatch):
    engine, held, done = open_engine(url), Event(), Event()
    monkeypatch.setattr(turns, "QUEUES_SECONDS", 0)

    def write():
        with writing(engine) as connection:
            held.set()
            done.wait()
            add(connection, "first")

    writer = Thread(target=write)
    writer.start()
    held.wait()
    with pytest.raises(WaitedTooLong), writing(engine):
        pass
    done.set()
    writer.join()

    assert count(engine) == 1


def test_an_error_that_is_not_about_waiting_is_raised_as_it_is(url):
    engine = open_engine(url)
    with engine.connect() as connection:
        connection.rollback()
        connection.connection.driver_connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError, match="within a transaction"):
            turns.begin(connection, 10)
        connection.connection.driver_connection.rollback()
