"""The demo: the whole job, on invented patients only, and never over anything that is somebody's."""

import re
import socket
import sqlite3

import pytest
from sqlalchemy import create_engine, delete, update

from epro.rehearsal import seeding
from epro.store.models import Audit, TrialVersion
from tests import databases


@pytest.fixture
def demo(epro, tmp_path, monkeypatch):
    """Runs `epro demo` with a handful of patients in a place of its own, without serving."""
    monkeypatch.setenv("EPRO_HOME", str(tmp_path / "home"))

    def run(*more):
        return epro("demo", "--patients", "8", *(more or ["--no-serve"]))

    run.home = tmp_path / "home"
    return run


def test_it_says_where_to_look_and_a_second_start_keeps_what_the_first_one_made(demo):
    code, out, _ = demo()

    assert code == 0
    assert re.search(r"/desk\n\s+sign in as nurse@demo\.example, password \S{12}", out)
    assert (demo.home / "report" / "report.html").exists()
    assert len(list((demo.home / "outbox").iterdir())) > 20
    made = (demo.home / "epro.db").stat().st_mtime_ns

    assert demo()[1].count("Simulating") == 0
    assert (demo.home / "epro.db").stat().st_mtime_ns == made


def test_it_texts_nobody_whatever_the_environment_says(demo, monkeypatch):
    monkeypatch.setenv("EPRO_CARRIER", "twilio")
    monkeypatch.setenv("EPRO_TWILIO_ACCOUNT_SID", "AC" + "0" * 32)
    monkeypatch.setenv("EPRO_TRIAL", "/nowhere/live.toml")

    assert demo()[0] == 0
    for file in (demo.home / "outbox").iterdir():
        assert re.search(r"^To: (\+467017406(0[5-9]|[1-9]\d)|\S+@patients\.example)$", file.read_text(), re.MULTILINE)


def test_it_refuses_a_database_that_holds_a_trial_that_may_be_real(demo, monkeypatch, tmp_path):
    demo()
    with databases.unsealed(create_engine(f"sqlite:///{demo.home / 'epro.db'}")) as connection:
        connection.execute(update(TrialVersion).values(simulated=False))
    database = sqlite3.connect(demo.home / "epro.db")
    patients = database.execute("SELECT count(*) FROM patient").fetchone()

    code, _, err = demo()

    assert code == 1
    assert "not a demo" in err
    assert database.execute("SELECT count(*) FROM patient").fetchone() == patients


def test_it_refuses_a_database_of_another_program(demo, monkeypatch, tmp_path):
    file = tmp_path / "theirs.db"
    theirs = sqlite3.connect(file)
    theirs.execute("CREATE TABLE ledger (entry text)")
    theirs.commit()
    monkeypatch.setenv("EPRO_DATABASE_URL", f"sqlite:///{file}")

    code, _, err = demo()

    assert code == 1
    assert "not a demo" in err
    assert theirs.execute("SELECT count(*) FROM ledger").fetchone() == (0,)


def test_what_an_interrupted_start_left_is_made_anew(demo, monkeypatch):
    demo()
    with databases.unsealed(create_engine(f"sqlite:///{demo.home / 'epro.db'}")) as connection:
        connection.execute(delete(Audit).where(Audit.action == seeding.SIMULATED))

    code, out, _ = demo()

    assert code == 0
    assert "Simulating" in out


def test_a_busy_port_is_said_before_anything_is_simulated(demo, monkeypatch):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        monkeypatch.setenv("EPRO_PORT", str(other.getsockname()[1]))

        code, _, err = demo("--serve")

    assert code == 1
    assert "EPRO_PORT" in err
    assert not (demo.home / "epro.db").exists()
