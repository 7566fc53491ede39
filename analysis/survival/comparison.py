"""Do the arms' survival curves differ by more than chance, within strata?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from analysis.results import Account, CannotEstimate, Result
from analysis.survival.outcome import Labels, Mask, Numbers, labels, outcome


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
    Raises BadInput, and CannotEstimate when there is one arm or no event tells the arms apart.
    """
    times, events = outcome(time, event)
    group, stratum = labels([("arm", arm)], len(times)), labels([("strata", strata)], len(times))
    arms = sorted(set(group))
    if len(arms) < 2:
        raise CannotEstimate("all patients are in one arm")
    observed, expected = np.zeros(len(arms)), np.zeros(len(arms))
    variance = np.zeros((len(arms), len(arms)))
    informative = 0
    for label in sorted(set(stratum)):
        mine = stratum == label
        o, e, v = _compared(times[mine], events[mine], group[mine], arms, rho, gamma)
        observed, expected, variance = observed + o, expected + e, variance + v
        informative += bool(o.sum())
    met = np.flatnonzero(expected > 0)
    df = len(met) - 1
    if df < 1 or np.linalg.matrix_rank(variance) < df:
        raise CannotEstimate("no event happened while patients of more than one arm were followed")
    kept = met[:-1]
    difference = (observed - expected)[kept]
    chi_square = float(difference @ np.linalg.solve(variance[np.ix_(kept, kept)], difference))
    table = pd.DataFrame(
        {"n": [int((group == each).sum()) for each in arms], "observed": observed, "expected": expected}
    )
    table.index = pd.Index(arms, name="arm")
    return LogRank(
        chi_square, df, float(stats.chi2.sf(chi_square, df)), table, informative, int(events.sum()), rho, gamma
    )


def _compared(
    times: Numbers, events: Mask, group: Labels, arms: Sequence[str], rho: float, gamma: float
) -> tuple[Numbers, Numbers, Numbers]:
    """Observed and expected events by arm, and the variance of their difference, within one stratum."""
    at = np.unique(times[events])
    at_risk, died = np.zeros((len(arms), len(at))), np.zeros((len(arms), len(at)))
    for row, arm in enumerate(arms):
        mine = np.sort(times[group == arm])
        at_risk[row] = len(mine) - np.searchsorted(mine, at, side="left")
        deaths = np.sort(times[(group == arm) & events])
        died[row] = np.searchsorted(deaths, at, side="right") - np.searchsorted(deaths, at, side="left")
    n, d = at_risk.sum(axis=0), died.sum(axis=0)
    share = at_risk / n
    before = np.cumprod(np.concatenate([[1.0], 1 - d / n]))[:-1]
    weight = before**rho * (1 - before) ** gamma
    spread = weight**2 * np.where(n > 1, d * (n - d) / np.maximum(n - 1, 1), 0.0)
    variance = np.diag((spread * share).sum(axis=1)) - (spread * share) @ share.T
    return (weight * died).sum(axis=1), (weight * d * share).sum(axis=1), variance
