"""How long does the whole report take, from a cold start, and in how much memory?

The shipped plan on a simulated trial of 200 patients, and on one of 20,000, of which the plan leaves out what it
declares too large; --patients asks for one of them alone. `epro report` runs as a process of its own, start and imports
counted. Nothing else makes such a report, so that no peer is named.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
import tomllib
from datetime import date
from pathlib import Path

from analysis.simulation import simulate
from analysis.trial import write_trial
from benchmarks.measuring import ROOT, Figure, report
from questionnaires.catalogue import file_of
from tests.analysis.conftest import tables

CUT_ON = date(2028, 1, 1)
GOALS = {200: ("<= 60", None), 20_000: ("<= 180", "<= 4")}  # seconds, GB


def trial_folder(patients: int, folder: Path) -> Path:
    """A simulated trial of so many patients, cut four years after its start."""
    plan = tomllib.loads((ROOT / "epro" / "trials" / "breclim-2.toml").read_text(encoding="utf-8"))
    months = {code: visit["month"] for code, visit in plan["visit"].items()}
    simulated = simulate(seed=1, subjects=patients, visits=months, start_on=date(2024, 1, 1), accrual_months=18)
    known = tables(simulated, plan, CUT_ON)
    write_trial(folder, **known, plan=plan, data_cut=CUT_ON, epro_version="0", instruments=[file_of("qlq-c30")])
    return folder


def measured(patients: int) -> list[Figure]:
    """Wall time, and peak memory of the process."""
    with tempfile.TemporaryDirectory() as place:
        folder = trial_folder(patients, Path(place) / "trial")
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-m", "epro", "report", str(folder)], cwd=ROOT, check=True, capture_output=True)
        seconds = time.perf_counter() - begin
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    gigabytes = used.ru_maxrss / 1024**2
    how = f"{patients} patients, whole process, {used.ru_utime:.0f} CPU-seconds of all children so far"
    for_seconds, for_memory = GOALS[patients]
    return [
        Figure(f"report.{patients}.seconds", round(seconds, 1), "s", "none", None, for_seconds, how),
        Figure(f"report.{patients}.memory", round(gigabytes, 2), "GB", "none", None, for_memory, how),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, choices=sorted(GOALS), action="append")
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    sys.exit(report([each for n in asked.patients or sorted(GOALS) for each in measured(n)], check=asked.check))
