"""How many CPU-seconds do ten thousand Cox models of simulated trials take, beside lifelines?

Trials of 200 patients with four covariates and times in whole months (ties), drawn beforehand, in one process.
lifelines fits some of them, in turns with ours, and its time is taken for all; coefficients must agree.
"""

import argparse
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.simulation.kernel import estimated
from analysis.simulation.repeating import TASK
from benchmarks.measuring import Figure, report

Numbers = NDArray[Any]
TRIALS, PATIENTS, SAMPLE, RUNS = 10_000, 200, 20, 3
GOAL_SECONDS = 10.0
SAME = 1e-3  # lifelines stops before the top of the likelihood
NAMES = ["arm", "er", "age", "base"]


def drawn(trials: int) -> tuple[Numbers, Numbers, Numbers]:
    """Time in months, event, and covariates of each patient of each trial."""
    rng = np.random.default_rng(20261122)
    shape = (trials, PATIENTS)
    x = np.stack(
        [rng.integers(0, 2, shape), rng.random(shape) < 0.75, rng.normal(58, 10, shape), rng.normal(60, 20, shape)],
        axis=2,
    )
    hazard = np.exp(-0.35 * x[:, :, 0] - 0.8 * x[:, :, 1] - 0.01 * (x[:, :, 3] - 60)) / 25
    death, left = rng.exponential(size=shape) / hazard, rng.uniform(24, 96, shape)
    return np.ceil(np.minimum(death, left)), death <= left, x


def fitted(months: Numbers, event: Numbers, x: Numbers) -> Numbers:
    """(trials, p) coefficients, as many trials at once as a task has."""
    parts = [slice(at, at + TASK) for at in range(0, len(months), TASK)]
    return np.concatenate([estimated(months[part], event[part], x[part]).coef for part in parts])


def figures(trials: int, runs: int) -> list[Figure]:
    from lifelines import CoxPHFitter

    months, event, x = drawn(trials)
    few = min(SAMPLE, trials)
    frames = [pd.DataFrame(x[one], columns=NAMES).assign(time=months[one], event=event[one]) for one in range(few)]
    ways: dict[str, Callable[[], Any]] = {
        "ours": lambda: fitted(months, event, x),
        "lifelines": lambda: [CoxPHFitter().fit(frame, "time", "event").params_.to_numpy() for frame in frames],
    }
    fitted(months[:2], event[:2], x[:2])  # first calls are not measured
    CoxPHFitter().fit(frames[0], "time", "event")
    spent: dict[str, list[float]] = {way: [] for way in ways}
    found: dict[str, Any] = {}
    for _ in range(runs):
        for way, do in ways.items():
            began = time.process_time()
            found[way] = do()
            spent[way].append(time.process_time() - began)
    assert np.abs(found["ours"][:few] - found["lifelines"]).max() < SAME, "lifelines estimates otherwise"
    how = f"{trials} trials x {PATIENTS} patients, 4 covariates, ties; lifelines on {few} of them, median of {runs}"
    goal, peer = f"<= {GOAL_SECONDS * trials / TRIALS:g}", round(median(spent["lifelines"]) / few * trials, 1)
    return [Figure("replicates.cox", round(median(spent["ours"]), 2), "CPU s", "lifelines", peer, goal, how)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replicates", description=__doc__)
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--check", action="store_true", help="exit with 1 when a goal is missed")
    asked = parser.parse_args()
    return report(figures(asked.trials, asked.runs), check=asked.check)


if __name__ == "__main__":
    sys.exit(main())
