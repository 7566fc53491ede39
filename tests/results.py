"""What did the tests say, of which requirement, of which files? `pytest --results FILE` writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from epro.opening import system_clock
from epro.validating import files_here

REQUIREMENT = "requirement"


class Results:
    """Gathers one outcome a test; also where pytest-xdist's workers run them."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.tests: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        ids = [value for name, value in report.user_properties if name == REQUIREMENT]
        known = self.tests.setdefault(report.nodeid, {"test": report.nodeid, "outcome": "passed", "requirements": ids})
        if report.outcome != "passed" and known["outcome"] != "failed":
            known["outcome"] = report.outcome

    def pytest_sessionfinish(self) -> None:
        told = {"at": system_clock().isoformat(), "files": files_here(), "tests": list(self.tests.values())}
        self.file.write_text(json.dumps(told, indent=1), encoding="utf-8")


def name_requirements(items: list[pytest.Item]) -> None:
    """Let each test's report carry what it holds."""
    for item in items:
        ids = {name for marker in item.iter_markers(REQUIREMENT) for name in marker.args}
        item.user_properties += [(REQUIREMENT, name) for name in sorted(ids)]
