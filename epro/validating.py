"""What can be shown of this installation? Installation, operation, performance, and what is known to be wrong.

The pack supports a sponsor's own validation; it replaces no judgement of theirs. Operation is what the tests said, in a
results file of `pytest --results FILE`; it also holds the hash of every file that was tested, and installation is well
only when the same files are installed here.
"""

from __future__ import annotations

import hashlib
import json
import platform
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

from epro.house import House
from epro.settings import ENV_FILE, PACKAGE
from epro.store.migrating import newest_revision, revision_of

ROOMS = ("epro", "questionnaires", "scheduler", "analysis")
ROOT = PACKAGE.parent
PASSED, FAILED, OPEN = "passed", "failed", "no test"
CLOCKS_DIFFER_BY = timedelta(seconds=2)
SIGNED = "Reviewed by"


@dataclass(frozen=True)
class Pack:
    """What was written, and everything that was wrong. faults is empty when the pack may be signed."""

    folder: Path
    faults: tuple[str, ...]


def requirements() -> dict[str, dict[str, str]]:
    return tomllib.loads((PACKAGE / "requirements.toml").read_text(encoding="utf-8"))


def files_here() -> dict[str, str]:
    """Every file of ours that runs or is read, by its place, with its SHA-256."""
    found = {}
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".pyc":
                found[str(file.relative_to(ROOT))] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found


def validate(house: House, out: Path, results: Path, known_issues: Path, *, now: datetime, database: datetime) -> Pack:
    """Write the pack. database: what the database's clock says at `now`. Raises OSError, ValueError (results)."""
    tested = json.loads(results.read_text(encoding="utf-8"))
    out.mkdir(parents=True, exist_ok=True)
    installation, wrong = _installation(house, tested, now, database)
    by_requirement, failed = _operation(tested)
    issues, unsigned = _known_issues(known_issues)
    _write(out / "installation.json", json.dumps(installation, indent=1, sort_keys=True))
    _write(out / "operation.md", _operation_page(tested, by_requirement))
    _write(out / "performance.md", _performance_page(house, now.date()))
    _write(out / "known-issues.md", issues)
    faults = (*wrong, *failed, *unsigned)
    _write(out / "summary.md", _summary(house, now, faults))
    sums = (f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.name}" for f in sorted(out.glob("*.[mj]*")))
    _write(out / "SHA256SUMS", "\n".join(sums) + "\n")
    return Pack(out, faults)


def _installation(
    house: House, tested: Mapping[str, Any], now: datetime, database: datetime
) -> tuple[dict[str, Any], list[str]]:
    files, differ = files_here(), abs(database - now)
    changed = sorted(
        name for name in files.keys() | tested["files"].keys() if files.get(name) != tested["files"].get(name)
    )
    wrong = [f"installation: {name} is not the file that was tested" for name in changed]
    wrong += [f"installation: {fault}" for fault in _rights(house)]
    if differ > CLOCKS_DIFFER_BY:
        wrong.append(f"installation: the database's clock differs by {differ.total_seconds():.0f} seconds")
    revision = revision_of(house.engine)
    if revision != newest_revision():
        wrong.append("installation: the database is not of this version; run `epro release`")
    told = {
        "epro": version("epro"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "database": house.engine.dialect.name,
        "schema": revision,
        "trial": house.protocol.trial.code,
        "trial_sha256": house.protocol.sha256,
        "clock": now.isoformat(),
        "clocks_differ_by_seconds": differ.total_seconds(),
        "packages": {each.metadata["Name"]: each.version for each in distributions()},
        "files": files,
        "not_as_tested": changed,
    }
    return told, wrong


def _rights(house: House) -> Iterator[str]:
    for file in (house.settings.home / ENV_FILE, house.settings.home / "epro.db"):
        if file.exists() and stat.S_IMODE(file.stat().st_mode) & (stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP):
            yield f"{file.name} may be read or written by others; take that right away"


def _operation(tested: Mapping[str, Any]) -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
    by_requirement: dict[str, list[dict[str, Any]]] = {name: [] for name in requirements()}
    for each in tested["tests"]:
        for name in each["requirements"]:
            by_requirement.setdefault(name, []).append(each)
    failed = [f"operation: {each['test']} {each['outcome']}" for each in tested["tests"] if each["outcome"] == FAILED]
    pages = {name for name, told in requirements().items() if told.get("page")}
    open_ = [name for name in requirements() if state_of(by_requirement[name]) == OPEN and name not in pages]
    return by_requirement, failed + [f"operation: {name} has no test that passed" for name in open_]


def state_of(tests: list[dict[str, Any]]) -> str:
    outcomes = {each["outcome"] for each in tests}
    if FAILED in outcomes:
        return FAILED
    return PASSED if PASSED in outcomes else OPEN


def _operation_page(tested: Mapping[str, Any], by_requirement: Mapping[str, list[dict[str, Any]]]) -> str:
    counts = {what: sum(each["outcome"] == what for each in tested["tests"]) for what in (PASSED, FAILED, "skipped")}
    told = ", ".join(f"{n} {what}" for what, n in counts.items())
    lines = [
        "# Operation",
        "",
        f"Tests of {tested['at']}: {told}.",
        "",
        "| requirement | | result | tests |",
        "|---|---|---|---|",
    ]
    for name, text in requirements().items():
        tests = by_requirement[name]
        lines.append(f"| {name} | {text['text']} | {state_of(tests)} | {len(tests)} |")
    return "\n".join(lines) + "\n"


def _performance_page(house: House, today: date) -> str:
    """The script that a person walks through on the installation itself, with the days of this very trial."""
    from epro.protocol import CONSENT, RANDOMISATION
    from scheduler.planning import plan

    anchors = {CONSENT: today, RANDOMISATION: today}
    planned = plan(house.protocol.schedule, anchors, subject="sample", zone=house.protocol.trial.zone)
    steps = [
        "Enrol a patient of your own staff at the desk, with your own number, consent and randomisation today.",
        "Hold the days on her page against the table below.",
        "Open the link of the text on a phone; answer half of the form; close it; open the link again and go on.",
        "Send the form. Open the link once more: it opens nothing.",
        "Reply STOP to the text. The desk says that she is not texted; `epro stopped` lists 0 pending.",
        "Record her death at the desk. No text is pending, and the page of her trail shows who recorded it.",
        "Take a backup, and run `epro drill`. The report says that all came back.",
        "Run `epro export` into an empty folder. It holds no number and no name.",
    ]
    rows = [
        f"| {visit.code} | {visit.due_on} | {visit.opens_at:%Y-%m-%d} | {visit.closes_at:%Y-%m-%d} |"
        for visit in planned.visits
    ]
    lines = [
        f"# Performance: {house.protocol.trial.code}, for a patient randomised on {today}",
        "",
        *(f"{n}. [ ] {step}" for n, step in enumerate(steps, start=1)),
        "",
        "| visit | due | opens (UTC) | closes (UTC) |",
        "|---|---|---|---|",
        *rows,
        "",
        "Walked through by (name, date, signature):",
    ]
    return "\n".join(lines) + "\n"


def _known_issues(file: Path) -> tuple[str, list[str]]:
    if not file.exists():
        return "", [f"known issues: there is no {file.name}; list them, or say who found that there are none"]
    text = file.read_text(encoding="utf-8")
    has_entries = any(line.startswith(("- ", "| ")) for line in text.splitlines())
    signed = any(line.startswith(SIGNED) and len(line) > len(SIGNED) + 2 for line in text.splitlines())
    return text, [] if has_entries or signed else [f"known issues: {file.name} is empty and nobody signed that it is"]


def _summary(house: House, now: datetime, faults: tuple[str, ...]) -> str:
    lines = [
        f"# {house.protocol.trial.code}: what was shown on {now:%Y-%m-%d %H:%M} UTC",
        "",
        "Made by `epro validate`. It supports the sponsor's own validation and claims nothing in its place.",
        "",
        *([f"- {fault}" for fault in faults] or ["Nothing was found wrong."]),
        "",
        "Reviewed by (name, role, date, signature):",
    ]
    return "\n".join(lines) + "\n"


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
