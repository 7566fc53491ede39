"""How many CPU-seconds does a mixed model for repeated measures take, beside R's mmrm?

Unstructured covariance, forms missing at random and after drop-out; each fit in a process of its own, imports and
reading not counted. Where Rscript with mmrm is not found, R's figures are those recorded with mmrm 0.3.18 under R 4.2.2
on 2 cores, 2026-11-22; the one of the smallest trial is of the whole process, mostly loading.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measuring import Figure, in_turns, peak_bytes, report

FORMULA = "chg ~ base * visit + arm * visit"
RUNS = 3
GIGABYTE = 1e9
R_METHODS = {"satterthwaite": "Satterthwaite", "kenward-roger": "Kenward-Roger"}
R_SCRIPT = """
suppressMessages(library(mmrm)); given <- commandArgs(TRUE); d <- read.csv(given[1], stringsAsFactors = TRUE)
d$subject <- factor(d$subject); began <- proc.time()
fit <- mmrm(chg ~ base * visit + arm * visit + us(visit | subject), data = d, method = given[2])
cat(sum((proc.time() - began)[1:2]))
"""


@dataclass(frozen=True)
class Job:
    """One fit. goal: CPU seconds. recorded: R's, None = never measured. gigabytes: goal of memory."""

    subjects: int
    visits: int
    inference: str
    goal: float
    recorded: float | None
    gigabytes: float | None = None


JOBS = {
    "mmrm.small": Job(200, 4, "satterthwaite", 0.1, 2.17),
    "mmrm.trial": Job(2_000, 6, "satterthwaite", 0.3, 0.74),
    "mmrm.kenward_roger": Job(2_000, 6, "kenward-roger", 1.0, 5.4),
    "mmrm.large": Job(20_000, 7, "satterthwaite", 1.2, 12.9),
    "mmrm.million": Job(1_000_000, 7, "satterthwaite", 60.0, None, gigabytes=6.0),
}


def trial(subjects: int, visits: int) -> pd.DataFrame:
    """Changes from baseline of two arms, with drop-out and single missing forms."""
    rng = np.random.default_rng(20261122)
    lag = np.abs(np.subtract.outer(range(visits), range(visits)))
    root = np.linalg.cholesky(300 * (0.5 + 0.5 * 0.8**lag))
    base, arm = rng.normal(60, 20, subjects), rng.integers(0, 2, subjects)
    change = rng.standard_normal((subjects, visits)) @ root.T - 0.3 * (base[:, None] - 60) + 2 * arm[:, None]
    stays = np.arange(visits) < rng.geometric(0.12, subjects)[:, None]
    who, when = np.nonzero(stays & (rng.random(change.shape) > 0.1))
    names = [f"M{at:02d}" for at in range(visits)]
    columns = {"subject": who, "visit": pd.Categorical.from_codes(when, names), "base": base[who]}
    return pd.DataFrame({**columns, "arm": pd.Categorical.from_codes(arm[who], ["A", "B"]), "chg": change[who, when]})


def measure(name: str) -> dict[str, Any]:
    """CPU seconds of a fit with its contrasts, the data being in memory, and the peak of the whole process."""
    from analysis import mmrm

    job = JOBS[name]
    keys = {"subject": "subject", "visit": "visit", "inference": job.inference}
    mmrm.fit(FORMULA, trial(100, 3), **keys).contrasts("arm", by="visit")  # type: ignore[arg-type]
    data = trial(job.subjects, job.visits)
    began = time.process_time()
    mmrm.fit(FORMULA, data, **keys).contrasts("arm", by="visit")  # type: ignore[arg-type]
    return {"seconds": time.process_time() - began, "rows": len(data), "gigabytes": peak_bytes() / GIGABYTE}


def seconds_in_r(job: Job) -> float | None:
    """CPU seconds of R's fit in this run; None where Rscript or mmrm is not there."""
    if shutil.which("Rscript") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trial.csv"
        trial(job.subjects, job.visits).to_csv(file, index=False)
        command = ["Rscript", "-e", R_SCRIPT, str(file), R_METHODS[job.inference]]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    return float(run.stdout) if run.returncode == 0 else None


def figures(names: Sequence[str], runs: int) -> list[Figure]:
    found = in_turns({name: ["-m", "benchmarks.mmrm", "--one", name] for name in names}, runs)
    made = []
    for name in names:
        job, ours = JOBS[name], found[name]
        live = None if job.recorded is None else seconds_in_r(job)
        peer = "R mmrm" if live is not None else "R mmrm (recorded)" if job.recorded is not None else "R mmrm (absent)"
        theirs = job.recorded if live is None else live
        how = f"{job.subjects} patients x {job.visits}, {ours['rows']:.0f} rows, us, {job.inference}, median of {runs}"
        made.append(Figure(name, round(ours["seconds"], 3), "CPU s", peer, theirs, f"<= {job.goal:g}", how))
        if job.gigabytes is not None:
            goal, size = f"<= {job.gigabytes:g}", round(ours["gigabytes"], 2)
            made.append(Figure(f"{name}.memory", size, "GB", "R mmrm (absent)", None, goal, how))
    return made


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mmrm", description=__doc__)
    parser.add_argument("names", nargs="*", default=list(JOBS), help=f"which of {', '.join(JOBS)}")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--check", action="store_true", help="exit with 1 when a goal is missed")
    parser.add_argument("--one", choices=JOBS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measure(asked.one)))
        return 0
    return report(figures(asked.names, asked.runs), check=asked.check)


if __name__ == "__main__":
    sys.exit(main())
