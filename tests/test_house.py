"""Rules that hold for the whole house, read off its files."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("epro", "questionnaires", "scheduler", "analysis")
SOURCES = [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))]
WALL_CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "localtime", "gmtime", "fromtimestamp"}
WALL_CLOCK_OWNERS = {"datetime", "date", "time", "Timestamp", "pd"}
MAY_ASK_THE_MACHINE = {"epro/opening.py"}  # system_clock, which is handed to everything else


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_code_asks_the_machines_clock(file):
    if str(file.relative_to(ROOT)) in MAY_ASK_THE_MACHINE:
        return
    asked = [
        f"line {node.lineno}: {ast.unparse(node.func)}"
        for node in ast.walk(ast.parse(text_of(file)))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in WALL_CLOCKS
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in WALL_CLOCK_OWNERS
    ]
    assert asked == []


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_file_says_in_its_first_line_which_question_it_answers(file):
    assert ast.get_docstring(ast.parse(text_of(file)))


def test_lock_files_hold_hashes_and_no_addresses():
    for lock in sorted((ROOT / "locks").glob("*.lock")):
        text = text_of(lock)
        assert "--hash=sha256:" in text
        assert "://" not in text


def test_the_repository_names_no_machine_and_no_address_of_a_registry():
    paths = re.compile(r"(?<![\w.])/(?:root|home/\w+|work)/|pypi\.org|pythonhosted|registry\.npmjs")
    named = [
        str(file.relative_to(ROOT))
        for file in tracked_files()
        if file != Path(__file__) and paths.search(text_of(file))
    ]
    assert named == []


def test_no_wording_in_the_repository_is_marked_as_not_redistributable():
    for file in tracked_files():
        if file.suffix == ".toml" and "redistributable" in text_of(file) and "tests" not in file.parts:
            assert tomllib.loads(text_of(file))["wording"]["redistributable"] is True, file


def test_every_phone_number_in_the_repository_is_set_aside_for_fiction():
    """Swedish mobiles: 070-174 06 05 to 99 belong to nobody."""
    mobile = re.compile(r"(?:\+46\s?|0046\s?|\b0)7[02369][-\s]?\d{3}\s?\d{2}\s?\d{2}\b")
    real = [
        (str(file.relative_to(ROOT)), found)
        for file in tracked_files()
        if file.suffix in {".py", ".toml", ".md", ".html", ".po", ".csv"} and "oracles" not in file.parts
        for found in mobile.findall(text_of(file))
        if not re.search(r"7017406(?:0[5-9]|[1-9]\d)$", re.sub(r"\D", "", found))
    ]
    assert real == []


def test_the_procfile_names_commands_that_exist():
    from epro.cli import COMMANDS

    lines = dict(line.split(": ", 1) for line in text_of(ROOT / "Procfile").splitlines())
    assert set(lines) == {"release", "web", "clock"}
    assert all(line.split()[0] == "epro" and line.split()[1] in COMMANDS for line in lines.values())


def test_what_serves_patients_starts_without_the_analysts_libraries():
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, epro.web.app, epro.web.serving, epro.cli.serving; print(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {"analysis", "pandas", "numpy", "scipy", "lifelines", "matplotlib", "pyarrow"} & set(loaded)
