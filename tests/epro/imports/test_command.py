"""`epro import`: what a file would do, and then, asked, the file itself."""

import json

import pytest
from sqlalchemy import func, select

from epro.opening import open_house
from epro.settings import read_settings, write_fresh_keys
from epro.store.database import reading
from epro.store.models import Patient
from tests.epro.imports.conftest import PATIENT, csv_of, patient

PAST = {"consented_on": "2026-01-15", "randomised_on": "2026-01-20"}


@pytest.fixture
def place(epro, monkeypatch, tmp_path):
    """A released database, and a file of two patients beside it."""
    write_fresh_keys(tmp_path / "var")
    monkeypatch.setenv("EPRO_HOME", str(tmp_path / "var"))
    assert epro("release")[0] == 0
    (tmp_path / "patients.csv").write_bytes(
        csv_of([patient(**PAST), patient(subject="UME-002", phone="", **PAST)], ";")
    )
    return tmp_path


def enrolled():
    with reading(open_house(read_settings()).engine) as connection:
        return connection.execute(select(func.count()).select_from(Patient)).scalar_one()


def test_a_file_is_shown_first_and_imported_when_that_is_said(epro, place):
    file = place / "patients.csv"
    code, out, _ = epro("import", file, "--dry-run")
    assert (code, enrolled()) == (0, 0)
    assert "row 2, UME-001: new" in out
    assert out.endswith("2 new, 0 changed, 0 unchanged. Nothing is saved yet.\n")

    code, out, _ = epro("import", file, "--yes")
    assert (code, enrolled()) == (0, 2)
    assert out.endswith("2 new, 0 changed, 0 unchanged. Imported.\n")

    assert epro("import", file, "--yes")[1] == "0 new, 0 changed, 2 unchanged. Nothing is saved yet.\n"


def test_a_file_with_a_fault_brings_nothing_and_ends_with_1(epro, place):
    file = place / "broken.csv"
    file.write_bytes(csv_of([patient(**PAST), patient(subject="UME-002", site="XXX", **PAST)]))

    code, _, err = epro("import", file, "--yes")

    assert (code, enrolled()) == (1, 0)
    assert err.splitlines() == [
        "row 3, site: 'XXX' is not one of UME, GBG, STO, LKP, LUN, UPP.",
        "Nothing was imported: 1 things are wrong.",
    ]


def test_a_program_reads_rows_and_faults(epro, place):
    said = json.loads(epro("import", place / "patients.csv", "--json")[1])

    assert (said["imported"], said["wrongs"]) == (False, [])
    assert [(row["row"], row["subject"], row["becomes"]) for row in said["rows"]] == [
        (2, "UME-001", "new"),
        (3, "UME-002", "new"),
    ]
    assert PATIENT["phone"] not in json.dumps(said)


def test_the_columns_of_each_kind_are_told(epro, place):
    assert "needed: subject, term, grade, started_on" in epro("import", "--what", "adverse_events", "--columns")[1]
