"""How many CPU-seconds do estimators of survival and of competing risks take, beside lifelines?

Twenty thousand patients in two arms and six strata; for covariates that change, their stretches of six months. Medians
of runs that take turns in one process, imports not counted. What lifelines does not have is named as absent. R's
survival is measured in the same run where Rscript with it is found; else its figures are those recorded under R 4.2.2
with survival 3.5-3 on 2 cores, 2026-11-22, of the whole process.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measuring import Figure, report

PATIENTS, RUNS = 20_000, 3
SAME = 1e-4  # lifelines stops before the top of the likelihood


class Patients:
    """Times in tenths of a month, first events (0 = censored), arms, strata; and stretches with changing covariates."""

    def __init__(self, n: int) -> None:
        rng = np.random.default_rng(20261122)
        self.arm, self.strata = rng.integers(0, 2, n), rng.integers(0, 6, n)
        event, censored = rng.exponential(40, n) * (1 + 0.2 * self.arm), rng.uniform(24, 60, n)
        self.time = np.maximum(np.minimum(event, censored).round(1), 0.1)
        self.cause = np.where(event <= censored, rng.integers(1, 3, n), 0)
        self.event = self.cause > 0
        self.covariates = pd.DataFrame({"arm": self.arm, "age": rng.normal(58, 10, n), "base": rng.normal(60, 20, n)})
        pieces = np.ceil(self.time / 6).astype(int)
        who = np.repeat(np.arange(n), pieces)
        piece = np.arange(len(who)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        stop = np.minimum(6.0 * (piece + 1), self.time[who])
        self.rows = pd.DataFrame({"id": who, "start": 6.0 * piece, "stop": stop})
        self.rows["event"] = self.event[who] & (piece == pieces[who] - 1)
        self.changing = self.covariates.iloc[who].reset_index(drop=True).assign(score=rng.normal(60, 20, len(who)))


def ours(patients: Patients) -> dict[str, Callable[[], Any]]:
    from analysis import competing, survival

    time, event, arm, strata = patients.time, patients.event, patients.arm, patients.strata
    rows = patients.rows
    return {
        "changing": lambda: survival.cox(rows["stop"], rows["event"], patients.changing, start=rows["start"]),
        "cox": lambda: survival.cox(time, event, patients.covariates, strata=strata),
        "kaplan_meier": lambda: (survival.kaplan_meier(time, event, arm), survival.logrank(time, event, arm)),
        "logrank": lambda: survival.logrank(time, event, arm, strata=strata),
        "rmst": lambda: survival.rmst(time, event, arm, horizon=24),
        "gray": lambda: competing.gray(time, patients.cause, arm, of=1),
    }


def with_lifelines(patients: Patients) -> dict[str, Callable[[], Any]]:
    from lifelines import CoxPHFitter, CoxTimeVaryingFitter, KaplanMeierFitter
    from lifelines.statistics import logrank_test

    time, event, first = patients.time, patients.event, patients.arm == 0
    flat = patients.covariates.assign(time=time, event=event, strata=patients.strata)
    long = pd.concat([patients.rows, patients.changing], axis=1)

    def curves() -> Any:
        for arm in (first, ~first):
            KaplanMeierFitter().fit(time[arm], event[arm])
        return logrank_test(time[first], time[~first], event[first], event[~first])

    return {
        "changing": lambda: CoxTimeVaryingFitter().fit(
            long, id_col="id", event_col="event", start_col="start", stop_col="stop"
        ),
        "cox": lambda: CoxPHFitter().fit(flat, "time", "event", strata=["strata"]),
        "kaplan_meier": curves,
    }


GOALS = {"changing": 1.0, "cox": None, "kaplan_meier": None, "logrank": 0.2, "rmst": 0.2, "gray": 0.2}
RECORDED_IN_R = {"changing": 2.45, "cox": 2.02, "kaplan_meier": 1.91}
R_SCRIPT = """
suppressMessages(library(survival)); given <- commandArgs(TRUE)
d <- read.csv(given[1]); long <- read.csv(given[2])
spent <- function(call) { began <- proc.time(); force(call); sum((proc.time() - began)[1:2]) }
changing <- spent(coxph(Surv(start, stop, event) ~ arm + age + base + score, data = long))
cox <- spent(coxph(Surv(time, event) ~ arm + age + base + strata(strata), data = d))
curves <- spent({ survfit(Surv(time, event) ~ arm, data = d); survdiff(Surv(time, event) ~ arm, data = d) })
test <- spent(survdiff(Surv(time, event) ~ arm + strata(strata), data = d))
cat(sprintf('{"changing": %f, "cox": %f, "kaplan_meier": %f, "logrank": %f}', changing, cox, curves, test))
"""


def figures(n: int, runs: int) -> list[Figure]:
    patients = Patients(n)
    for ways in (ours, with_lifelines):
        for do in ways(Patients(200)).values():
            do()  # imports and first calls are not measured
    mine, theirs = ours(patients), with_lifelines(patients)
    spent, results = _in_turns(mine, theirs, runs)
    apart = results["changing", "ours"].terms["coef"].to_numpy() - results["changing", "lifelines"].params_.to_numpy()
    assert np.abs(apart).max() < SAME, "lifelines estimates otherwise"
    made, in_r = [], seconds_in_r(patients)
    for name, goal in GOALS.items():
        size = f"{len(patients.rows)} rows" if name == "changing" else f"{n} patients"
        value = round(median(spent[name, "ours"]), 4)
        peer = median(spent[name, "lifelines"]) if name in theirs else None
        label = "lifelines" if name in theirs else "lifelines (absent)"
        bound, how = None if goal is None else f"<= {goal:g}", f"{size}, median of {runs} runs in turns"
        made.append(
            Figure(f"survival.{name}", value, "CPU s", label, None if peer is None else round(peer, 3), bound, how)
        )
        if name in in_r:
            made.append(Figure(f"survival.{name}", value, "CPU s", "R survival", in_r[name], bound, how))
        elif name in RECORDED_IN_R and n == PATIENTS:
            made.append(Figure(f"survival.{name}", value, "CPU s", "R (recorded)", RECORDED_IN_R[name], bound, how))
    return made


def seconds_in_r(patients: Patients) -> dict[str, float]:
    """CPU seconds of R's calls on the same patients in this run; nothing where Rscript or survival is not there."""
    if shutil.which("Rscript") is None:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        flat, long = Path(folder) / "flat.csv", Path(folder) / "long.csv"
        event = {"time": patients.time, "event": patients.event.astype(int), "strata": patients.strata}
        patients.covariates.assign(**event).to_csv(flat, index=False)
        rows = pd.concat([patients.rows, patients.changing], axis=1)
        rows.assign(event=rows["event"].astype(int)).to_csv(long, index=False)
        command = ["Rscript", "-e", R_SCRIPT, str(flat), str(long)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    return json.loads(run.stdout) if run.returncode == 0 else {}


def _in_turns(mine: Any, theirs: Any, runs: int) -> tuple[dict[tuple[str, str], list[float]], dict[Any, Any]]:
    """CPU seconds of every run, and the last result, by job and way."""
    spent: dict[tuple[str, str], list[float]] = {}
    results: dict[tuple[str, str], Any] = {}
    for _ in range(runs):
        for name in mine:
            for way, jobs in (("ours", mine), ("lifelines", theirs)):
                if name in jobs:
                    began = time.process_time()
                    results[name, way] = jobs[name]()
                    spent.setdefault((name, way), []).append(time.process_time() - began)
    return spent, results


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.survival", description=__doc__)
    parser.add_argument("--patients", type=int, default=PATIENTS)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--check", action="store_true", help="exit with 1 when a goal is missed")
    asked = parser.parse_args()
    return report(figures(asked.patients, asked.runs), check=asked.check)


if __name__ == "__main__":
    sys.exit(main())
