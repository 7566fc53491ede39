"""What would the difference be if patients who stop answering went on like the reference arm, or were worse off?

Reference-based imputation by conditional means, with the jackknife (Wolbers and others 2022, R's rbmi): the model of
repeated measures gives the expected missing scores, an analysis of covariance the difference at each visit, and both
are done again without each patient in turn. Nothing is imputed after death.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from analysis.imputation.replicating import Modelled, Task
from analysis.imputation.strategies import STRATEGIES
from analysis.imputation.wide import Table
from analysis.intervals import CONFIDENCE, tested, with_bounds
from analysis.results import Account, BadInput, Result


@dataclass(frozen=True)
class Imputed(Result):
    """Differences between arms when missing scores of the living are imputed.

    differences: by strategy, visit and pair of arms (reference first): estimate, se, lower, upper, z, p. means: by
    strategy, visit and arm, adjusted: estimate, se, lower, upper. tipping: by visit, pair and points added to imputed
    scores of the reference and of the other arms (under missing at random): the same as differences. counts: by visit
    and arm: observed, imputed, dead.
    """

    reference: str
    differences: pd.DataFrame
    means: pd.DataFrame
    tipping: pd.DataFrame | None
    counts: pd.DataFrame
    n: int
    structure: str

    @property
    def account(self) -> Account:
        return Account(self.n, None, {}, f"conditional means of an MMRM ({self.structure}), jackknife")

    def title(self) -> str:
        imputed = int(self.counts["imputed"].sum())
        return (
            f"Reference-based imputation by conditional means, reference {self.reference}: n {self.n}, "
            f"{imputed} scores imputed, none after death\n"
            f"MMRM ({self.structure}), covariance analysis at each visit, jackknife by patient"
        )

    def to_frame(self) -> pd.DataFrame:
        return self.differences

    def tipping_points(self) -> pd.DataFrame:
        """By visit and pair, points added to the other arm's imputed scores nearest to 0 at which p is first >= 0.05.

        The reference arm's scores have none added; NaN = no points given do that, or there is no difference to tip.
        """
        if self.tipping is None:
            raise BadInput("no points were given to add.\n  Ask estimate for them with deltas=.")
        rows: dict[Any, float] = {}
        for key, table in self.tipping.xs(0.0, level="to reference").groupby(level=["visit", "arms"], sort=False):
            points = table.index.get_level_values("to others").to_numpy(float)
            lost = points[table["p"].to_numpy(float) >= 1 - CONFIDENCE]
            start = table["p"].to_numpy(float)[points == 0]
            tips = len(lost) > 0 and len(start) > 0 and start[0] < 1 - CONFIDENCE
            rows[key] = float(lost[np.abs(lost).argmin()]) if tips else float("nan")
        index = pd.MultiIndex.from_tuples(list(rows), names=["visit", "arms"])
        return pd.DataFrame({"points": list(rows.values())}, index=index)


def estimate(
    data: pd.DataFrame,
    *,
    outcome: str,
    reference: str,
    covariates: Sequence[str] = (),
    strategies: Sequence[str] = STRATEGIES,
    deltas: Sequence[float] = (),
    covariance: str = "us",
    jobs: int = 1,
) -> Imputed:
    """Differences at each visit with missing scores imputed by each strategy, and with points added to them.

    data: one row per subject and visit: subject, visit (in the order of its categories, or sorted), arm, alive (bool),
    the outcome (NaN = missing; must be missing where not alive) and covariates (numbers, the same in all rows of a
    subject, as the baseline score). Every subject has a row at every visit.
    reference: the arm that is referred to; its own patients are always missing at random. Scores missing between two
    answers are, too. From the last answer on (Carpenter, Roger and Kenward 2013): missing at random = the mean goes on
    as in the own arm; jump to reference = it is the reference's; copy increments = it changes as the reference's does;
    copy reference = the patient's means were always the reference's.
    deltas: points, each with each added to imputed scores of the reference and of the other arms: 0 is added to them.
    jobs: processes of the jackknife; joblib's backends, Dask's among them, may be chosen around the call.
    Raises BadInput, and CannotEstimate as mmrm.fit, or when a visit has one arm.
    """
    for strategy in strategies:
        if strategy not in STRATEGIES:
            raise BadInput(f"there is no strategy {strategy}.\n  Choose of: {', '.join(STRATEGIES)}.")
    table = Table.of(data, outcome, reference, list(covariates))
    steps = sorted({0.0, *map(float, deltas)}) if len(deltas) else []
    task = Task(tuple(strategies), tuple(steps), covariance, table.arms, table.visits, table.covariates)
    model = task.modelled(table)
    found = _jackknifed(task, table, model, jobs)
    compared = tested(found)
    return Imputed(
        reference=reference,
        differences=_part(compared, "difference", ["strategy", "visit", "arms"]),
        means=_part(found, "mean", ["strategy", "visit", "arm"]),
        tipping=_part(compared, "tipping", ["visit", "arms", "to reference", "to others"]) if steps else None,
        counts=table.counts(),
        n=len(table.arm),
        structure=model.structure,
    )


def _jackknifed(task: Task, table: Table, model: Modelled, jobs: int) -> pd.DataFrame:
    """Every estimate with its interval; standard errors from leaving out each patient in turn."""
    whole = task.estimates(table, model.of_all())
    rows = range(len(table.arm))
    values = np.array(Parallel(n_jobs=jobs)(delayed(task.without)(table, model, row) for row in rows))
    n = len(values)
    se = np.sqrt((n - 1) / n * ((values - values.mean(axis=0)) ** 2).sum(axis=0))
    return with_bounds(pd.DataFrame({"estimate": whole.values, "se": se}, index=whole.index))


def _part(found: pd.DataFrame, kind: str, names: list[str]) -> pd.DataFrame:
    keys = [key for key in found.index if key[0] == kind]
    index = pd.MultiIndex.from_tuples([key[1:] for key in keys], names=names)
    return found.loc[keys].set_axis(index)
