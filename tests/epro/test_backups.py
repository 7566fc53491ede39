"""A backup brings everything back or says that it does not, and nothing is sent from what came back."""

import json
import shutil
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text, update

from epro.acts import answers, links, patients
from epro.acts.answers import Said
from epro.acts.restoring import SendingIsOff, refuse_sending
from epro.backups import BackupRefused, back_up, check, newest, pack, read_manifest, restore
from epro.drilling import drill
from epro.store.database import open_engine, reading, writing
from epro.store.models import Answer, table_of
from tests import databases
from tests.epro.conftest import NOW, NURSE
from tests.web.conftest import link

pytestmark = pytest.mark.requirement("trust-32")

__all__ = ["link"]


@pytest.fixture
def busy(house, desk, link):
    """A house with patients, answers, an event and planned texts."""
    for n in range(1, 4):
        desk.enrol(f"UME-00{n}", phone="070-174 06 05", randomised_on=date(2027, 3, 1), arm="surgery")
    token = link("UME-001")
    with writing(house.engine) as connection:
        opened = links.opened_for_writing(connection, links.hash_of(token), NOW)
        answers.start(connection, house.protocol, opened, language="sv", now=NOW)
        said = [Said("qlq-c30", f"q{n}", 2, key=f"{n:032x}.2") for n in range(1, 8)]
        answers.save(connection, house.protocol, opened, said, session="a sitting", now=NOW)
    desk.act(patients.withdraw, "UME-003", on=date(2027, 3, 1), reason="own wish")
    return house


@pytest.fixture
def empty_house(house, request, tmp_path) -> Iterator:
    """The same installation over an empty database of the same kind."""
    if house.engine.dialect.name == "sqlite":
        engine = open_engine(f"sqlite:///{tmp_path / 'empty.db'}")
        yield replace(house, engine=engine)
        engine.dispose()
        return
    with databases.empty_database(request.getfixturevalue("postgresql_server")) as url:
        engine = open_engine(url)
        yield replace(house, engine=engine)
        engine.dispose()


def test_what_was_backed_up_comes_back_to_the_last_row_and_sending_is_off(busy, empty_house, tmp_path):
    file, manifest = back_up(busy, tmp_path / "one.epro-backup", NOW)

    restore(file, empty_house, by=NURSE, now=NOW + timedelta(hours=1))

    again, _ = back_up(empty_house, tmp_path / "again.epro-backup", NOW)
    before, after = manifest.tables, read_manifest(again).tables
    told = {"restored", "audit", "audit_value"}  # the mark, and the entry that tells of it
    assert {name for name in before if before[name] != after[name]} == told
    assert before["answer"]["rows"] == 7
    assert len(manifest.records) == 3
    with pytest.raises(SendingIsOff), reading(empty_house.engine) as connection:
        refuse_sending(connection)


def test_a_patient_who_answers_after_a_restore_is_written_under_a_new_number(busy, empty_house, tmp_path, link):
    """PostgreSQL's sequences come back too."""
    file, _ = back_up(busy, tmp_path / "one.epro-backup", NOW)
    restore(file, empty_house, by=NURSE, now=NOW)

    with writing(empty_house.engine) as connection:
        patients.record_death(connection, busy.protocol, "UME-002", on=date(2027, 3, 1), by=NURSE, now=NOW)


def test_a_database_that_holds_anything_is_never_restored_into(busy, tmp_path):
    file, manifest = back_up(busy, tmp_path / "one.epro-backup", NOW)

    with pytest.raises(BackupRefused, match="not empty"):
        restore(file, busy, by=NURSE, now=NOW)

    again, _ = back_up(busy, tmp_path / "again.epro-backup", NOW)
    assert read_manifest(again).tables == manifest.tables


def test_no_key_stands_in_a_backup_and_without_the_keys_it_is_refused(busy, empty_house, tmp_path):
    file, manifest = back_up(busy, tmp_path / "one.epro-backup", NOW)
    key = busy.settings.contact_keys[0].get_secret_value()
    with zipfile.ZipFile(file) as archive:
        packed = b"".join(archive.read(name) for name in archive.namelist())
    assert key.encode() not in packed
    assert b"701740605" not in packed
    assert manifest.keys[0] not in key

    other = busy.settings.model_copy(
        update={
            "contact_keys": type(busy.settings)(
                secret_key="other", contact_keys=Fernet.generate_key().decode()
            ).contact_keys
        }
    )
    with pytest.raises(BackupRefused, match=manifest.keys[0]):
        check(file, other)
    with pytest.raises(BackupRefused, match="keys"):
        restore(file, replace(empty_house, settings=other), by=NURSE, now=NOW)


def test_a_backup_is_readable_by_its_owner_alone_and_named_by_its_instant_in_a_folder(busy, tmp_path):
    file, _ = back_up(busy, tmp_path, NOW)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.name == "epro-20270301T120000Z.epro-backup"
    assert newest(tmp_path)[0] == file
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".backup")] == []


def test_one_altered_byte_is_found_wherever_it_stands(busy, tmp_path):
    file, _ = back_up(busy, tmp_path / "one.epro-backup", NOW)
    whole = file.read_bytes()
    ends = {*range(100), *range(len(whole) - 400, len(whole))}  # the headers of a zip stand first and last

    for at in sorted({*ends, *range(0, len(whole), len(whole) // 40)}):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(BackupRefused, match=r"damaged|not a backup"):
            check(file, busy.settings)


def test_a_cut_backup_and_another_file_are_refused_in_words(busy, tmp_path):
    file, _ = back_up(busy, tmp_path / "one.epro-backup", NOW)
    file.write_bytes(file.read_bytes()[:-200])
    other = tmp_path / "notes.txt"
    other.write_text("milk")

    for each in (file, other):
        with pytest.raises(BackupRefused, match=each.name):
            check(each, busy.settings)


def test_a_drill_restores_compares_and_leaves_nothing_behind(busy, tmp_path):
    file, _ = back_up(busy, tmp_path / "one.epro-backup", NOW)
    seconds = iter([0.0, 90.0])

    report = drill(file, busy, into="", elapsed=lambda: next(seconds))

    assert report.faults == ()
    assert (report.minutes, report.patients) == (1.5, 3)
    assert report.entries > 3
    told = json.loads(report.written())
    assert told["passed"] is True
    assert "passed" in str(report)
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".drill")] == []
    if busy.engine.dialect.name == "postgresql":
        with reading(busy.engine) as connection:
            left = connection.execute(text("SELECT count(*) FROM pg_database WHERE datname LIKE 'epro_drill%'"))
            assert left.scalar_one() == 0


@pytest.mark.bends_the_record
def test_a_drill_names_an_answer_that_came_back_as_another(busy, tmp_path):
    """A backup whose manifest was written of something else: the table, and the patient whose record differs."""
    _, manifest = back_up(busy, tmp_path / "one.epro-backup", NOW)
    with writing(busy.engine) as connection:
        databases_unsealed(connection)
        connection.execute(update(table_of(Answer)).where(Answer.item == "q3").values(value=4))
    file, other = back_up(busy, tmp_path / "other.epro-backup", NOW)
    swapped = replace(other, tables=manifest.tables, records=manifest.records)
    with zipfile.ZipFile(file) as archive:
        copy = Path(archive.extract("database", tmp_path))
    pack(file, copy, swapped)

    report = drill(file, busy, into="", elapsed=lambda: 0.0)

    assert any(fault.startswith("table answer:") for fault in report.faults)
    assert any(fault.startswith("record of UME-001:") for fault in report.faults)
    assert not any("UME-002" in fault for fault in report.faults)
    assert "FAILED" in str(report)


def databases_unsealed(connection) -> None:
    """Let this transaction bend what the database itself would hold, as its owner can."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        return
    for name in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all():
        connection.execute(text(f"DROP TRIGGER {name}"))


def test_what_is_done_after_the_moment_of_a_backup_is_not_in_it(busy, desk, empty_house, tmp_path):
    file, _ = back_up(busy, tmp_path / "one.epro-backup", NOW)
    desk.enrol("UME-009", phone="070-174 06 09")

    restore(file, empty_house, by=NURSE, now=NOW)

    with reading(empty_house.engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM patient")).scalar_one() == 3


def test_from_a_backup_to_a_drill_by_the_commands(epro, tmp_path, monkeypatch):
    from epro.settings import write_fresh_keys

    monkeypatch.setenv("EPRO_HOME", str(tmp_path))
    write_fresh_keys(tmp_path)
    assert epro("release")[0] == 0
    assert epro("drill")[0] == 1

    code, out, _ = epro("backup", "--json")
    assert code == 0
    file = json.loads(out)["file"]
    assert epro("restore", file, "--check")[0] == 0
    code, _, err = epro("restore", file)
    assert (code, "not empty" in err) == (1, True)
    code, out, _ = epro("drill", "--json")
    assert (code, json.loads(out)["passed"]) == (0, True)
    assert len(list((tmp_path / "backups").glob("drill-*.txt"))) == 1

    shutil.move(tmp_path / "epro.db", tmp_path / "lost.db")
    for rest in tmp_path.glob("epro.db-*"):
        rest.unlink()
    assert epro("restore", file)[0] == 0
    code, _, err = epro("clock")
    assert (code, "--after-restore" in err) == (1, True)
