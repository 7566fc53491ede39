"""Does the incidence of one kind of event differ between arms?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from analysis.competing.causes import causes, of_interest
from analysis.results import Account, CannotEstimate, Result
from analysis.survival.outcome import Labels, Mask, Numbers, labels


@dataclass(frozen=True)
class Gray(Result):
    """Gray's test. groups: by arm, n, events of the cause, score (observed less expected)."""

    cause: str
    chi_square: float
    df: int
    p: float
    groups: pd.DataFrame

    @property
    def account(self) -> Account:
        n, events = (int(self.groups[column].sum()) for column in ("n", "events"))
        return Account(n, events, {}, "Gray's test, rho 0")

    def title(self) -> str:
        test = f"chi-square {self.chi_square:.6g} on {self.df} df, p {self.p:.4g}"
        return f"Gray's test of the cumulative incidence of {self.cause}: {test}"

    def to_frame(self) -> pd.DataFrame:
        return self.groups


def gray(
    time: ArrayLike,
    cause: ArrayLike,
    arm: ArrayLike,
    *,
    of: Any,
    strata: ArrayLike | pd.DataFrame | None = None,
) -> Gray:
    """Gray's (1988) test between arms of the cumulative incidence of one cause, with rho 0.

    time: (n,) >= 0. cause: (n,) label of the first event, 0 or missing = censored. of: the cause in question. arm:
    (n,) labels. strata: (n,) or (n, k) labels; scores and their variances are added up. Raises BadInput, and
    CannotEstimate when there is one arm, or the cause is absent.
    """
    times, first = causes(time, cause)
    mine = of_interest(first, of)
    group, stratum = labels([("arm", arm)], len(times)), labels([("strata", strata)], len(times))
    arms = sorted(set(group))
    if len(arms) < 2:
        raise CannotEstimate("all patients are in one arm")
    score, variance = np.zeros(len(arms)), np.zeros((len(arms), len(arms)))
    for layer in sorted(set(stratum)):
        here = stratum == layer
        s, v = _compared(times[here], mine[here], (first != "")[here], group[here], arms)
        score, variance = score + s, variance + v
    df = len(arms) - 1
    if np.linalg.matrix_rank(variance[:df, :df]) < df:
        raise CannotEstimate("no event of this cause happened while patients of more than one arm were followed")
    chi_square = float(score[:df] @ np.linalg.solve(variance[:df, :df], score[:df]))
    table = {
        "n": [int((group == each).sum()) for each in arms],
        "events": [int(mine[group == each].sum()) for each in arms],
        "score": score,
    }
    groups = pd.DataFrame(table, index=pd.Index(arms, name="arm"))
    return Gray(str(of), chi_square, df, float(stats.chi2.sf(chi_square, df)), groups)


def _compared(times: Numbers, mine: Mask, event: Mask, group: Labels, arms: list[str]) -> tuple[Numbers, Numbers]:
    """Score by arm and its variance within one stratum (Gray 1988, section 2; the tie corrections of R's cmprsk)."""
    at = np.unique(times[event])
    n, d1, d = (np.zeros((len(arms), len(at))) for _ in range(3))
    for row, arm in enumerate(arms):
        own = group == arm
        n[row] = own.sum() - np.searchsorted(np.sort(times[own]), at, side="left")
        d1[row], d[row] = (_counted(times[own & each], at) for each in (mine, event))
    followed = n > 0
    size = np.where(followed, n, 1.0)
    after = np.cumprod(1 - d / size, axis=1)
    before = np.concatenate([np.ones((len(arms), 1)), after[:, :-1]], axis=1)
    incidence = np.cumsum(before * d1 / size, axis=1)
    free = 1 - np.concatenate([np.zeros((len(arms), 1)), incidence[:, :-1]], axis=1)
    freed = np.divide(n, before, out=np.zeros_like(n), where=followed & (before > 0))
    total, deaths = freed.sum(axis=0), d1.sum(axis=0)
    weight = freed * free
    score = (d1 - weight * np.divide(deaths, weight.sum(axis=0))).sum(axis=1)
    pooled = np.cumsum(deaths / total)
    pooled_before = np.concatenate([[0.0], pooled[:-1]])
    a = np.einsum("it,ij->ijt", freed, np.eye(len(arms))) - freed[:, None] * freed[None] / total
    c = np.cumsum(a * deaths / (total * (1 - pooled_before)), axis=2)
    rest = c[:, :, -1:] - c
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(after > 0, (1 - pooled) / after, 0.0)
        ties = np.where(deaths > 1, 1 - (deaths - 1) / (total * before - 1), 1.0)
        first = np.where(followed, ties * before * deaths / (total * size), 0.0)
        others = d - d1
        ties = np.where(others > 1, 1 - (others - 1) / (n - 1), 1.0)
        second = np.where((after > 0) & (others > 0), ties * before**2 * others / size**2, 0.0)
    by_first = a + (1 - share) * rest
    by_second = share * rest
    variance = np.einsum("ikt,jkt,kt->ij", by_first, by_first, first)
    return score, variance + np.einsum("ikt,jkt,kt->ij", by_second, by_second, second)


def _counted(times: Numbers, at: Numbers) -> Numbers:
    ordered = np.sort(times)
    found = np.searchsorted(ordered, at, side="right") - np.searchsorted(ordered, at, side="left")
    return np.asarray(found, dtype=np.float64)
