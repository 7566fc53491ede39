"""How is a figure measured, set beside its peer, and held to its goal?"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

ABSENT = "absent"
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Figure:
    """One line of a benchmark. goal: ">= 5" or "<= 5", None = none is set. peer_value: None = the peer is absent."""

    name: str
    value: float
    unit: str
    peer: str
    peer_value: float | None
    goal: str | None
    how: str

    @property
    def is_met(self) -> bool:
        if self.goal is None:
            return True
        sign, _, bound = self.goal.partition(" ")
        return self.value >= float(bound) if sign == ">=" else self.value <= float(bound)

    def __str__(self) -> str:
        ratio = None if not self.peer_value else round(self.value / self.peer_value, 3)
        return json.dumps(asdict(self) | {"ratio": ratio}, ensure_ascii=False)


def report(figures: Sequence[Figure], *, check: bool) -> int:
    """Print one JSON object a line; the exit code is 1 when a goal is missed and `check` asks for that."""
    for figure in figures:
        print(figure)
    return int(check and not all(figure.is_met for figure in figures))


def in_turns(ways: Mapping[str, Sequence[str]], runs: int) -> dict[str, dict[str, Any]]:
    """Medians of what each way prints as JSON, every run in a process of its own, the ways taking turns.

    A way that prints {"absent": true} is left out.
    """
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(runs):
        for way, arguments in ways.items():
            run = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
            found[way].append(json.loads(run.stdout))
    return {
        way: {key: median(run[key] for run in measured) for key in measured[0]}
        for way, measured in found.items()
        if ABSENT not in measured[0]
    }


def cpu_seconds(roots: list[int]) -> float:
    """What these processes and all their children have used."""
    parents, used = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(stat.parent.name)
        parents[pid], used[pid] = int(fields[1]), sum(map(int, fields[11:15]))
    mine = set(roots)
    while more := {pid for pid, parent in parents.items() if parent in mine} - mine:
        mine |= more
    return sum(used.get(pid, 0) for pid in mine) / os.sysconf("SC_CLK_TCK")


def peak_bytes() -> int:
    """The most memory that this process has held since `forget_peak`."""
    return _status("VmHWM")


def held_bytes() -> int:
    return _status("VmRSS")


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
