"""An archive is read, checked and recounted by a bare Python, far from the service."""

import json
import re
import shutil
import subprocess
import sys

import pytest
from sqlalchemy import select, update

from epro.acts import corrections, nightly
from epro.acts.corrections import Correction
from epro.acts.looking import looked
from epro.queries.archive import FolderNotEmpty, archive
from epro.queries.verification import verify
from epro.record import epro_verify
from epro.store import anchors
from epro.store.database import reading, writing
from epro.store.models import Access, Audit
from tests import databases
from tests.epro.conftest import NOW, NURSE
from tests.queries.conftest import Course

ENTRIES, VALUES = "trail/entries.jsonl", "trail/values.jsonl"


@pytest.fixture
def corrected(house, desk):
    """A patient whose item 12 was answered once and corrected three times."""
    desk.enrol("UME-007", consented_on=NOW.date())
    Course(house).answer("UME-007", "BL", NOW)
    for value, why in ((3, "paper says three"), (1, "paper read again"), (4, "=phoned")):
        asked = Correction("qlq-c30", "q12", value, None, "source", why, "paper")
        with writing(house.engine) as connection:
            corrections.correct(connection, house.protocol, "UME-007", "BL", asked, by=NURSE, now=NOW)
    nightly.anchor(house.engine, house.settings.anchors_folder, NOW)
    return house


@pytest.fixture
def folder(corrected, tmp_path):
    archive(corrected, tmp_path / "archive", now=NOW)
    return tmp_path / "archive"


def bare(folder, *arguments):
    """What a Python without any package says: isolated, and without its site-packages."""
    command = [sys.executable, "-I", "-S", str(folder / "epro_verify.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder.parent)
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.mark.requirement("trust-29", "trust-30")
def test_a_bare_python_checks_and_recounts_the_archive(folder, corrected):
    code, out = bare(folder)

    with reading(corrected.engine) as connection:
        entries = len(connection.execute(select(Audit.id)).all())
    assert (code, out.splitlines()[-1]) == (0, "Everything agrees.")
    assert out.startswith(f"{entries} entries, ")
    assert int(re.search(r"(\d+) rows", out)[1]) > 30


@pytest.mark.requirement("trust-30")
def test_the_archive_alone_answers_who_changed_an_item_when_and_why(folder):
    code, out = bare(folder, "--who", "UME-007", "q12")

    lines = out.splitlines()
    assert code == 0
    assert lines[0] == "UME-007, BL, qlq-c30 q12"
    assert len(lines) == 5
    assert "UME-007 (patient, tablet; said by: patient, tablet)  2" in lines[1]
    assert (
        "nurse@example.org (nurse, desk; said by: nurse@example.org, paper)  2 -> 3  because: source: paper" in lines[2]
    )
    assert "1 -> 4  because: source: =phoned" in lines[4]
    assert all("2027-03-01 12:00:00" in line for line in lines[1:])
    assert bare(folder, "--who", "UME-008", "q12")[0] == 1


def test_it_holds_no_number_no_reply_and_no_password(folder, corrected):
    everything = "".join(file.read_text(encoding="utf-8") for file in folder.rglob("*") if file.is_file())

    assert "701740605" not in everything
    assert "argon2" not in everything
    assert corrected.settings.contact_keys[0].get_secret_value() not in everything


@pytest.mark.requirement("abuse-18")
def test_a_text_that_looks_like_a_formula_is_inert_in_the_archive(folder):
    rows = list(epro_verify.rows_of(folder, "answer"))

    assert "'=" not in rows[-1]["reason"]
    assert [row["reason"] for row in rows if row["item"] == "q12"][-1] == "source: =phoned"


@pytest.mark.requirement("trust-29")
@pytest.mark.parametrize(
    "file",
    [
        "data/answer.csv",
        ENTRIES,
        VALUES,
        "trail/anchors.jsonl",
        "manifest.json",
        "dictionary/items.csv",
        "README.txt",
        "epro_verify.py",
        "schema/sqlite.sql",
    ],
)
def test_one_changed_byte_is_named(folder, file):
    content = bytearray((folder / file).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / file).write_bytes(bytes(content))

    own = folder.parent / "kept-elsewhere"
    own.mkdir()
    shutil.copyfile(epro_verify.__file__, own / "epro_verify.py")
    command = [sys.executable, "-I", "-S", str(own / "epro_verify.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"files: {file} was changed" in done.stdout
    assert "Traceback" not in done.stderr


def rewritten(folder, file, change):
    """Change a file as somebody would who makes its checksum anew."""
    (folder / file).write_text(change((folder / file).read_text(encoding="utf-8")), encoding="utf-8")
    lines = (folder / "checksums.sha256").read_text().splitlines()
    named = [f"{epro_verify.sha256_of(folder / line[66:])}  {line[66:]}" for line in lines]
    (folder / "checksums.sha256").write_text("\n".join(named) + "\n")


def lines(change):
    def changed(text):
        found = text.splitlines()
        change(found)
        return "\n".join(found) + "\n"

    return changed


def swapped(found):
    found[2], found[3] = found[3], found[2]


FORGED = [
    ("edit", lines(lambda found: found.__setitem__(2, found[2].replace('"tablet"', '"phones"'))), "was edited"),
    ("gap", lines(lambda found: found.pop(2)), "entries are missing or out of order"),
    ("reorder", lines(swapped), "out of order"),
    ("twice", lines(lambda found: found.insert(3, found[2])), "the history forks here"),
    (
        "cut tail",
        lambda text: "\n".join(line for line in text.splitlines() if '["UME",8,' not in line) + "\n",
        "tail is cut",
    ),
    ("no JSON", lines(lambda found: found.__setitem__(2, "{")), "cannot be read as it should"),
]


@pytest.mark.parametrize(("what", "change", "said"), FORGED, ids=[what for what, *_ in FORGED])
def test_a_forged_trail_is_found_though_its_checksums_fit(folder, what, change, said):
    rewritten(folder, ENTRIES, change)

    code, out = bare(folder)

    assert code == 1
    assert "its checksum is another" not in out
    assert said in out


def test_a_trail_that_was_written_anew_is_found_by_anchors_that_were_kept_elsewhere(folder, tmp_path):
    kept = tmp_path / "anchors.jsonl"
    shutil.copyfile(folder / "trail" / "anchors.jsonl", kept)
    for own in ("anchors", "heads"):
        rewritten(folder, f"trail/{own}.jsonl", lambda _: "")

    def anew(text):
        heads, made = {}, []
        for line in text.splitlines():
            array = json.loads(line)["entry"]
            array[4] = "somebody else"
            told = json.dumps(array, ensure_ascii=False, separators=(",", ":"))
            previous = heads.get(array[0], epro_verify.GENESIS)
            heads[array[0]] = epro_verify.hashlib.sha256((previous + told).encode()).hexdigest()
            made.append(f'{{"entry":{told},"previous":"{previous}","hash":"{heads[array[0]]}"}}')
        return "\n".join(made) + "\n"

    rewritten(folder, ENTRIES, anew)

    assert bare(folder)[0] == 0  # nothing in the folder itself tells
    code, out = bare(folder, "--anchors", str(kept))
    assert code == 1
    assert "the history was written anew" in out


def test_a_row_of_the_data_that_the_trail_tells_otherwise_is_named(folder):
    rewritten(folder, "data/answer.csv", lambda text: text.replace(",q12,4,", ",q12,1,"))

    code, out = bare(folder)

    assert code == 1
    assert re.search(r"data: answer\.csv: row \d+, value: the trail tells another value", out)


def test_a_row_that_was_taken_from_the_data_is_named(folder):
    rewritten(folder, "data/answer.csv", lines(lambda found: found.pop()))

    assert "is missing, of which the trail speaks" in bare(folder)[1]


def test_a_value_that_was_changed_is_named(folder):
    rewritten(folder, VALUES, lambda text: text.replace("paper says three", "paper says seven"))

    assert "was edited: salt and value do not give it" in bare(folder)[1]


def test_the_same_faults_are_found_in_the_database_and_in_an_archive_of_it(corrected, tmp_path):
    with reading(corrected.engine) as connection:
        found = verify(connection, anchors.read(corrected.settings.anchors_folder))
    archive(corrected, tmp_path / "archive", now=NOW)
    faults, counts = epro_verify.verify(tmp_path / "archive")

    assert (found.faults, faults) == ([], [])
    assert (found.entries, found.values) == (counts["entries"], counts["values"])


def test_an_archive_is_not_written_over_something(corrected, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")

    with pytest.raises(FolderNotEmpty):
        archive(corrected, tmp_path, now=NOW)


@pytest.mark.bends_the_record
def test_looks_that_were_hashed_cannot_be_changed_unseen(corrected):
    with writing(corrected.engine) as connection:
        looked(connection, "page", ["UME-007"], by=NURSE, now=NOW)
    with writing(corrected.engine) as connection:
        nightly.hash_events(connection, NOW.replace(day=2))
    with databases.unsealed(corrected.engine) as connection:
        connection.execute(update(Access).values(actor="somebody else"))

    with reading(corrected.engine) as connection:
        found = verify(connection, [])
    assert any(fault.startswith("data: access, rows ") for fault in found.faults)


def test_each_night_hashes_what_came_since_the_last(corrected):
    for day in (2, 3, 4):
        with writing(corrected.engine) as connection:
            looked(connection, "page", ["UME-007"], by=NURSE, now=NOW.replace(day=day - 1))
        nightly.anchor(corrected.engine, corrected.settings.anchors_folder, NOW.replace(day=day))
    with reading(corrected.engine) as connection:
        hashed = [row.changes for row in connection.execute(select(Audit).where(Audit.action == "events hashed"))]
        known = anchors.read(corrected.settings.anchors_folder)
        found = verify(connection, known)

    stretches = [change[1] for changes in hashed for change in changes if change[0] == "access"]
    assert len(stretches) == 3
    assert found.faults == []
    assert found.anchors == len(known) == 8
