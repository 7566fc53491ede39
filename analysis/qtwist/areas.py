"""How large are areas under survival curves when each patient counts as often as a bootstrap drew her?

Everything takes (replicates, patients) weights, so that an estimate and its replicates are one computation.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from analysis.intervals import CONFIDENCE
from analysis.survival import HorizonBeyondFollowUp

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]


def drawn(groups: NDArray[np.object_], replicates: int, seed: int) -> Numbers:
    """(1 + replicates, n) how often each patient counts: once first, then as drawn with replacement within groups."""
    rng = np.random.default_rng(seed)
    weights = np.ones((replicates + 1, len(groups)))
    for group in sorted(set(groups)):
        mine = np.flatnonzero(groups == group)
        weights[1:, mine] = rng.multinomial(len(mine), np.full(len(mine), 1 / len(mine)), size=replicates)
    return weights


@dataclass(frozen=True, eq=False)
class Weighted:
    """Kaplan-Meier curves of (n,) times and events, one for each row of (r, n) weights."""

    times: Numbers
    events: Mask
    weights: Numbers

    @cached_property
    def at(self) -> Numbers:
        """(t,) distinct times."""
        return np.unique(self.times)

    @cached_property
    def survival(self) -> Numbers:
        """(r, t) share still free after each time."""
        order = np.argsort(self.times, kind="stable")
        first = np.searchsorted(self.times[order], self.at)
        weights = self.weights[:, order]
        left = np.add.reduceat(weights, first, axis=1)
        died = np.add.reduceat(weights * self.events[order], first, axis=1)
        at_risk = np.cumsum(left[:, ::-1], axis=1)[:, ::-1]
        return np.asarray(np.cumprod(1 - np.divide(died, at_risk, out=np.zeros_like(died), where=at_risk > 0), axis=1))

    def before(self, time: Numbers) -> Numbers:
        """(r, k) share still free just before each of (k,) times."""
        start = np.ones((len(self.weights), 1))
        return np.asarray(np.hstack([start, self.survival])[:, np.searchsorted(self.at, time, side="left")])

    def area(self, horizon: float) -> Numbers:
        """(r,) area under the curve up to a horizon."""
        ends = np.minimum(np.append(self.at, np.inf), horizon)
        lengths = np.diff(np.concatenate([[0.0], ends]))
        start = np.ones((len(self.weights), 1))
        return np.asarray(np.hstack([start, self.survival]) @ lengths)


def interval(replicates: Numbers) -> dict[str, float]:
    """Standard error and percentile interval of (r, ...) replicates along the first axis."""
    low, high = np.nanquantile(replicates, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return {"se": float(np.nanstd(replicates, ddof=1)), "lower": float(low), "upper": float(high)}


def check_followed(times: Numbers, events: Mask, horizon: float, arm: str) -> None:
    """Raises HorizonBeyondFollowUp when the last patient of an arm was censored before the horizon."""
    last = times.max()
    if last < horizon and not events[times == last].any():
        raise HorizonBeyondFollowUp(f"{arm}: the last patient was censored at {last:g}, before the horizon {horizon:g}")
