"""Do the arms' survival curves differ by more than chance, within strata?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from analysis.results import Account, CannotEstimate, Result
from analysis.survival.counting import Counted, counted
from analysis.survival.outcome import Numbers


@dataclass(frozen=True)
class LogRank(Result):
    """Log-rank or Fleming-Harrington test.

    groups: by arm, n, observed, expected (weighted sums where rho or gamma is not 0). strata: how many had a death.
    """

    chi_square: float
    df: int
    p: float
    groups: pd.DataFrame
    strata: int
    events: int
    rho: float
    gamma: float

    @property
    def account(self) -> Account:
        weighted = f"Fleming-Harrington {self.rho:g}, {self.gamma:g}"
        method = weighted if self.rho or self.gamma else "log-rank"
        return Account(int(self.groups["n"].sum()), self.events, {}, f"{method}, strata with events: {self.strata}")

    def title(self) -> str:
        weighted = f"Fleming-Harrington test, rho {self.rho:g}, gamma {self.gamma:g}"
        name = weighted if self.rho or self.gamma else "Log-rank test"
        test = f"chi-square {self.chi_square:.6g} on {self.df} df, p {self.p:.4g}"
        return f"{name}, strata with events: {self.strata}; {test}"

    def to_frame(self) -> pd.DataFrame:
        return self.groups


def logrank(
    time: ArrayLike,
    event: ArrayLike,
    arm: ArrayLike,
    *,
    strata: ArrayLike | pd.DataFrame | None = None,
    rho: float = 0.0,
    gamma: float = 0.0,
) -> LogRank:
    """Log-rank test between arms, stratified where strata are given; with rho or gamma a weighted one.

    time: (n,) >= 0. event: (n,) bool. arm: (n,) labels, two or more. strata: (n,) or (n, k) labels; observed minus
    expected and the hypergeometric variance are added up over strata (Peto and others 1977). rho, gamma: each event is
    weighted by S^rho (1 - S)^gamma, S being the Kaplan-Meier curve of its stratum just before (Fleming and Harrington
    1991); rho = 1 is Peto and Peto's version of the Wilcoxon test, gamma = 1 looks at late differences.
    All may be columns of one Dask frame: patients are counted where they lie, and the counts are added.
    Raises BadInput, and CannotEstimate when there is one arm or no event tells the arms apart.
    """
    people = counted(time, event, [("arm", arm)], [("strata", strata)])
    group, stratum = people.groups
    arms = sorted(set(group))
    if len(arms) < 2:
        raise CannotEstimate("all patients are in one arm")
    observed, expected = np.zeros(len(arms)), np.zeros(len(arms))
    variance = np.zeros((len(arms), len(arms)))
    informative = 0
    for label in sorted(set(stratum)):
        o, e, v = _compared(people.only(stratum == label), arms, rho, gamma)
        observed, expected, variance = observed + o, expected + e, variance + v
        informative += bool(o.sum())
    met = np.flatnonzero(expected > 0)
    df = len(met) - 1
    if df < 1 or np.linalg.matrix_rank(variance) < df:
        raise CannotEstimate("no event happened while patients of more than one arm were followed")
    kept = met[:-1]
    difference = (observed - expected)[kept]
    chi_square = float(difference @ np.linalg.solve(variance[np.ix_(kept, kept)], difference))
    n = [int(people.patients[group == each].sum()) for each in arms]
    table = pd.DataFrame({"n": n, "observed": observed, "expected": expected}, index=pd.Index(arms, name="arm"))
    p, deaths = float(stats.chi2.sf(chi_square, df)), int(people.patients[people.event].sum())
    return LogRank(chi_square, df, p, table, informative, deaths, rho, gamma)


def _compared(people: Counted, arms: Sequence[str], rho: float, gamma: float) -> tuple[Numbers, Numbers, Numbers]:
    """Observed and expected events by arm, and the variance of their difference, within one stratum."""
    at = np.unique(people.time[people.event])
    at_risk, died = np.zeros((len(arms), len(at))), np.zeros((len(arms), len(at)))
    for row, arm in enumerate(arms):
        mine = people.only(people.groups[0] == arm)
        at_risk[row] = mine.patients.sum() - _before(mine, at, side="left")
        deaths = mine.only(mine.event)
        died[row] = _before(deaths, at, side="right") - _before(deaths, at, side="left")
    n, d = at_risk.sum(axis=0), died.sum(axis=0)
    share = at_risk / n
    before = np.cumprod(np.concatenate([[1.0], 1 - d / n]))[:-1]
    weight = before**rho * (1 - before) ** gamma
    spread = weight**2 * np.where(n > 1, d * (n - d) / np.maximum(n - 1, 1), 0.0)
    variance = np.diag((spread * share).sum(axis=1)) - (spread * share) @ share.T
    return (weight * died).sum(axis=1), (weight * d * share).sum(axis=1), variance


def _before(people: Counted, at: Numbers, side: Literal["left", "right"]) -> Numbers:
    """(times,) how many have a time before each of them; right: or the same."""
    order = np.argsort(people.time, kind="stable")
    running = np.concatenate([[0], np.cumsum(people.patients[order])])
    return np.asarray(running[np.searchsorted(people.time[order], at, side=side)], dtype=np.float64)
