"""How many QLQ-C30 forms are scored in a CPU-second, beside plain pandas and Polars?

15 scales and the summary score, 3 % of the answers missing, from a Parquet file; each way in a process of its own.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import questionnaires
from benchmarks.measuring import ABSENT, Figure, forget_peak, held_bytes, in_turns, peak_bytes, report

FORMS, RUNS, SMALL = 4_000_000, 3, 200
MISSING = 0.03
GIGABYTE = 1e9


def write_answers(file: Path, forms: int) -> None:
    """Random answers to the C30 with gaps, as small integers with nulls."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    rng = np.random.default_rng(20261122)
    c30 = questionnaires.load("qlq-c30")
    columns = {}
    for item in c30.items:
        answers = rng.integers(1, len(c30.options(item.code)) + 1, forms, dtype=np.int8)
        columns[item.code] = pa.array(answers, mask=rng.random(forms) < MISSING)
    parquet.write_table(pa.table(columns), file)


def with_pandas(answers: Any) -> Any:
    """The straightforward way: the mean of each scale's columns where enough of them are there."""
    import pandas as pd

    c30 = questionnaires.load("qlq-c30")
    scores = pd.DataFrame(index=answers.index)
    for scale in c30.scales:
        items = answers[list(scale.items)]
        raw = items.mean(axis=1).where(items.notna().sum(axis=1) >= scale.needed)
        symptom = (raw - 1) / scale.range * 100
        scores[scale.code] = 100 - symptom if scale.formula == "functional" else symptom
    (summary,) = c30.composites
    parts = [scores[list(summary.scales)], 100 - scores[list(summary.reversed)]]
    scores[summary.code] = pd.concat(parts, axis=1).mean(axis=1, skipna=False)
    return scores


def with_polars(answers: Any) -> Any:
    import polars as pl

    c30 = questionnaires.load("qlq-c30")
    scales = []
    for scale in c30.scales:
        there = pl.sum_horizontal(pl.col(code).is_not_null() for code in scale.items)
        raw = pl.when(there >= scale.needed).then(pl.mean_horizontal(*scale.items))
        symptom = (raw - 1) / scale.range * 100
        scales.append((100 - symptom if scale.formula == "functional" else symptom).alias(scale.code))
    (summary,) = c30.composites
    parts = [pl.col(code) for code in summary.scales] + [100 - pl.col(code) for code in summary.reversed]
    total = pl.sum_horizontal(*parts, ignore_nulls=False) / len(parts)
    return answers.select(scales).with_columns(total.alias(summary.code))


def measure(way: str, file: Path) -> dict[str, Any]:
    """CPU seconds and memory of scoring alone, the input being in memory; and the mean of every score."""
    if way == "polars":
        try:
            import polars
        except ImportError:
            return {ABSENT: True}
        answers: Any = polars.read_parquet(file)
    else:
        import pandas as pd

        answers = pd.read_parquet(file)
    c30 = questionnaires.load("qlq-c30")
    do = {"ours": lambda given: questionnaires.score(given, c30), "pandas": with_pandas, "polars": with_polars}[way]
    do(answers.head(SMALL))  # imports and first calls are not measured
    small = median(_seconds(do, answers.head(SMALL)) for _ in range(31))
    forget_peak()
    before, began = held_bytes(), time.process_time()
    scores = do(answers)
    seconds, peak = time.process_time() - began, peak_bytes()
    result = scores.estimated_size() if way == "polars" else int(scores.memory_usage(deep=True).sum())
    means = [float(scores[code].mean()) for code in scores.columns]
    return {"seconds": seconds, "above": peak - before - result, "small": small, "mean": sum(means) / len(means)}


def _seconds(do: Any, answers: Any) -> float:
    began = time.perf_counter()
    do(answers)
    return time.perf_counter() - began


def figures(forms: int, runs: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "answers.parquet"
        write_answers(file, forms)
        ways = ("ours", "pandas", "polars")
        found = in_turns({way: ["-m", "benchmarks.scoring", "--way", way, str(file)] for way in ways}, runs)
    imports = in_turns({each: ["-c", _import(each)] for each in ("questionnaires", "pandas")}, 5)
    ours = found.pop("ours")
    for peer, measured in found.items():
        assert abs(measured["mean"] - ours["mean"]) < 1e-9, f"{peer} scores otherwise"
    made = []
    how = f"{forms} forms, {MISSING:.0%} missing, the input in memory, median of {runs} runs in turns"
    compare: list[tuple[str, str, Callable[[dict[str, float]], float], str]] = [
        ("scoring.forms", "forms per CPU-second", lambda run: forms / run["seconds"], ">= 1000000"),
        ("scoring.memory", "GB above input and result", lambda run: run["above"] / GIGABYTE, "<= 0.5"),
        ("scoring.small", f"ms for {SMALL} forms", lambda run: run["small"] * 1000, "<= 5"),
    ]
    for peer in ("pandas", "polars"):
        theirs = found.get(peer)
        label = peer if theirs else f"{peer} ({ABSENT})"
        for name, unit, value, goal in compare:
            peer_value = round(value(theirs), 3) if theirs else None
            made.append(Figure(name, round(value(ours), 3), unit, label, peer_value, goal, how))
    loaded, peer_loaded = imports["questionnaires"]["seconds"], imports["pandas"]["seconds"]
    how = "a new Python, median of 5"
    made.append(Figure("scoring.import", round(loaded, 3), "s", "import pandas", round(peer_loaded, 3), "<= 0.5", how))
    return made


def _import(module: str) -> str:
    return (
        f"import time; began = time.perf_counter(); import {module}; "
        'print("{\\"seconds\\": %f}" % (time.perf_counter() - began))'
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoring", description=__doc__)
    parser.add_argument("--forms", type=int, default=FORMS)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--check", action="store_true", help="exit with 1 when a goal is missed")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("file", nargs="?", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.way:
        print(json.dumps(measure(asked.way, asked.file)))
        return 0
    return report(figures(asked.forms, asked.runs), check=asked.check)


if __name__ == "__main__":
    sys.exit(main())
