"""The pack says what was tested, finds a file that is not what was tested, and is not signed for anybody."""

import json
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from epro.validating import ROOT, files_here, requirements, validate
from tests.epro.conftest import NOW
from tests.requirements import PAGE, marked, page

pytestmark = pytest.mark.requirement("trust-34", "trust-35", "trust-38")
KNOWN = ROOT / "docs" / "known-issues.md"


def results(folder: Path, **changes: object) -> Path:
    """A run in which one test held every requirement."""
    tests = [{"test": "tests/test_all.py::test_all", "outcome": "passed", "requirements": list(requirements())}]
    told = {"at": NOW.isoformat(), "files": files_here(), "tests": tests, **changes}
    file = folder / "results.json"
    file.write_text(json.dumps(told))
    return file


@pytest.fixture
def pack(house, tmp_path):
    def pack(file, issues=KNOWN, database=NOW):
        return validate(house, tmp_path / "pack", file, issues, now=NOW, database=database)

    return pack


def test_where_nothing_is_wrong_the_pack_says_so(pack, tmp_path):
    made = pack(results(tmp_path))

    assert made.faults == ()
    written = {file.name for file in made.folder.iterdir()}
    assert written == {
        "installation.json",
        "operation.md",
        "performance.md",
        "known-issues.md",
        "summary.md",
        "SHA256SUMS",
    }
    assert "M36" in (made.folder / "performance.md").read_text()
    summed = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=made.folder, capture_output=True, check=False)
    assert summed.returncode == 0


def test_a_file_that_is_not_what_was_tested_is_named(pack, tmp_path):
    files = {**files_here(), "epro/acts/answers.py": "0" * 64}

    made = pack(results(tmp_path, files=files))

    assert made.faults == ("installation: epro/acts/answers.py is not the file that was tested",)


def test_a_file_that_was_added_or_is_gone_is_named(pack, tmp_path):
    files = {**files_here(), "epro/gone.py": "0" * 64}
    del files["epro/house.py"]

    made = pack(results(tmp_path, files=files))

    assert [fault.split()[1] for fault in made.faults] == ["epro/gone.py", "epro/house.py"]


def test_a_failed_test_and_a_requirement_without_one_are_named(pack, tmp_path):
    tests = [
        {"test": "one", "outcome": "failed", "requirements": ["trust-1"]},
        {"test": "two", "outcome": "passed", "requirements": [name for name in requirements() if name != "trust-2"]},
    ]

    made = pack(results(tmp_path, tests=tests))

    assert made.faults == ("operation: one failed", "operation: trust-2 has no test that passed")


def test_a_database_whose_clock_differs_is_named(pack, tmp_path):
    made = pack(results(tmp_path), database=NOW + timedelta(seconds=5))

    assert made.faults == ("installation: the database's clock differs by 5 seconds",)


def test_known_issues_that_are_empty_must_be_signed(pack, tmp_path):
    empty = tmp_path / "known-issues.md"
    empty.write_text("# Known issues\n\nNone.\n")
    assert pack(results(tmp_path), issues=empty).faults == (
        "known issues: known-issues.md is empty and nobody signed that it is",
    )

    empty.write_text("# Known issues\n\nNone.\n\nReviewed by: A. Person, 2027-03-01\n")
    assert pack(results(tmp_path), issues=empty).faults == ()


def test_a_real_run_of_the_tests_names_what_each_of_them_holds(tmp_path):
    file = tmp_path / "results.json"
    command = [sys.executable, "-m", "pytest", "tests/scheduler/test_instants.py", "-q", "--results", file]
    subprocess.run([*command, "-p", "no:cacheprovider"], cwd=ROOT, capture_output=True, check=True)

    told = json.loads(file.read_text())
    assert {name for each in told["tests"] for name in each["requirements"]} == {"trust-10"}
    assert {each["outcome"] for each in told["tests"]} == {"passed"}
    assert told["files"] == files_here()


def test_the_matrix_is_made_anew_whenever_a_mark_or_a_requirement_changes():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.requirements"


def test_every_mark_names_a_requirement_that_exists():
    others = ("fault-", "abuse-", "live")  # faults of docs/trust.md, further abuse cases
    strange = {name for name in marked() if name not in requirements() and not name.startswith(others)}
    assert strange == set()


def test_an_altered_installed_file_fails_the_command(tmp_path, monkeypatch):
    """A copy of the installation, one file altered after the tests: the real command says no and which."""
    copy, home = tmp_path / "installed", tmp_path / "home"
    for room in ("epro", "questionnaires", "scheduler", "analysis", "docs"):
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    from epro.settings import write_fresh_keys

    write_fresh_keys(home)
    file = results(tmp_path)
    monkeypatch.setenv("EPRO_HOME", str(home))
    run = [sys.executable, "-m", "epro"]
    subprocess.run([*run, "release"], cwd=copy, check=True, capture_output=True)
    told = [*run, "validate", tmp_path / "pack", "--results", file]
    assert subprocess.run(told, cwd=copy, capture_output=True, check=False).returncode == 0

    with (copy / "epro" / "assessments.py").open("a") as altered:
        altered.write("\n")
    refused = subprocess.run(told, cwd=copy, capture_output=True, text=True, check=False)

    assert refused.returncode == 1
    assert "epro/assessments.py is not the file that was tested" in refused.stdout
