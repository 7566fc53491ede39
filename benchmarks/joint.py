"""How many CPU-seconds does a joint model of a score and of survival take?

The data of 467 patients with AIDS, 1,405 forms, where the folder EPRO_ORACLES or the shared oracles hold it, else an
invented trial of the same size. R's JM is measured in the same run where Rscript with JM is found, else named absent.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measuring import ROOT, Figure, report

RUNS = 3
GOAL = 20.0
FOLDERS = [Path(os.environ.get("EPRO_ORACLES", "oracles")), ROOT.parent / "shared" / "oracles"]
KEYS = {"subject": "patient", "month": "obstime", "time": "Time", "event": "death", "hazard": "drug"}
FORMULA = "CD4 ~ obstime + obstime:drug"
R_METHODS = {"piecewise": "piecewise-PH-aGH", "weibull": "weibull-PH-aGH"}
R_SCRIPT = """
suppressMessages(library(JM)); given <- commandArgs(TRUE); began <- proc.time()
scores <- lme(CD4 ~ obstime + obstime:drug, random = ~ obstime | patient, data = aids)
deaths <- coxph(Surv(Time, death) ~ drug, data = aids.id, x = TRUE)
fit <- jointModel(scores, deaths, timeVar = "obstime", method = given[1])
cat(sum((proc.time() - began)[1:2]))
"""


def aids() -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Forms, patients, and where they are from."""
    for folder in FOLDERS:
        if (folder / "stats" / "data" / "aids.csv").is_file():
            forms, patients = (pd.read_csv(folder / "stats" / "data" / f"{name}.csv") for name in ("aids", "aids_id"))
            return forms, patients, "aids"
    return *invented(467), "invented"


def invented(patients: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores at months 0, 2, 6, 12 and 18, and deaths by the present score."""
    rng = np.random.default_rng(20261122)
    level, slope = 7 + 4.5 * rng.standard_normal(patients), -0.19 + 0.18 * rng.standard_normal(patients)
    drug = np.where(rng.random(patients) < 0.5, "ddI", "ddC")
    death = rng.exponential(1 / (0.08 * np.exp(-0.28 * level)))
    end = np.minimum(death, rng.uniform(12, 21, patients))
    people = pd.DataFrame({"patient": np.arange(patients), "drug": drug, "Time": end, "death": death <= end})
    who, month = (each.ravel() for each in np.meshgrid(people["patient"], [0.0, 2, 6, 12, 18], indexing="ij"))
    kept = month < end[who]
    who, month = who[kept], month[kept]
    score = level[who] + slope[who] * month + 1.7 * rng.standard_normal(len(who))
    return pd.DataFrame({"patient": who, "obstime": month, "CD4": score}), people


def seconds_in_r(baseline: str) -> float | None:
    """CPU seconds of R's fit in this run; None where Rscript or JM is not there."""
    if shutil.which("Rscript") is None:
        return None
    command = ["Rscript", "-e", R_SCRIPT, R_METHODS[baseline]]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return float(run.stdout) if run.returncode == 0 else None


def figures(runs: int) -> list[Figure]:
    from analysis import joint

    forms, patients, source = aids()
    spent: dict[str, list[float]] = {baseline: [] for baseline in R_METHODS}
    for _ in range(runs):
        for baseline, seconds in spent.items():
            began = time.process_time()
            model: Any = joint.fit(FORMULA, forms, patients, baseline=baseline, **KEYS)
            seconds.append(time.process_time() - began)
    how = f"{source}, {model.subjects} patients, {model.forms} forms, median of {runs} runs in turns"
    made = []
    for baseline, seconds in spent.items():
        theirs = seconds_in_r(baseline) if source == "aids" else None
        peer = "R JM" if theirs is not None else "R JM (absent)"
        value = round(median(seconds), 3)
        made.append(Figure(f"joint.{baseline}", value, "CPU s", peer, theirs, f"<= {GOAL:g}", how))
    return made


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.joint", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--check", action="store_true", help="exit with 1 when a goal is missed")
    asked = parser.parse_args()
    return report(figures(asked.runs), check=asked.check)


if __name__ == "__main__":
    sys.exit(main())
