"""What does Cox's partial likelihood say of coefficients, and what does each patient add to it?

Counting-process form (Andersen and Gill 1982): a row is at risk on (start, stop]. Ties after Efron (1977) or Breslow
(1974). Sums over risk sets are differences of running sums, so work grows with rows, not with rows times events.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Counts = NDArray[np.intp]
Ties = Literal["efron", "breslow"]
AT_ONCE = 4_000_000  # pairs looked at together
SAME_RISK = 1e-9


@dataclass(frozen=True, eq=False)
class Partial:
    """Rows (n,): start, stop, event, stratum (codes from 0), x (n, p). Results are in the order of the rows."""

    start: Numbers
    stop: Numbers
    event: NDArray[np.bool_]
    stratum: Counts
    x: Numbers
    ties: Ties

    def at(self, beta: Numbers) -> "At":
        return At(self, beta)

    @cached_property
    def keys(self) -> tuple[Counts, Counts, Counts]:
        """Start, stop and event times as positions on one axis, strata one after another; events' positions unique."""
        axis = np.unique(np.concatenate([self.start, self.stop]))
        width = len(axis) + 1
        start = self.stratum * width + np.searchsorted(axis, self.start)
        stop = self.stratum * width + np.searchsorted(axis, self.stop)
        return start, stop, np.unique(stop[self.event])

    @cached_property
    def by_stop(self) -> tuple[Counts, Counts]:
        """Order of rows by stop, and how many stop before each event position."""
        order = np.argsort(self.keys[1], kind="stable")
        return order, np.searchsorted(self.keys[1][order], self.keys[2], side="left")

    @cached_property
    def by_start(self) -> tuple[Counts, Counts]:
        """Order of rows by start, and how many start before each event position."""
        order = np.argsort(self.keys[0], kind="stable")
        return order, np.searchsorted(self.keys[0][order], self.keys[2], side="left")

    @cached_property
    def entered(self) -> tuple[Counts, Counts]:
        """Event positions at or before the start and at or before the stop of each row."""
        start, stop, events = self.keys
        return np.searchsorted(events, start, side="right"), np.searchsorted(events, stop, side="right")

    @cached_property
    def deaths(self) -> tuple[Counts, Counts, Counts]:
        """Rows with an event, the event position of each, and how many share each position."""
        rows = np.flatnonzero(self.event)
        place = np.searchsorted(self.keys[2], self.keys[1][rows])
        return rows, place, np.bincount(place, minlength=len(self.keys[2]))

    @cached_property
    def fractions(self) -> tuple[Counts, Numbers]:
        """Efron's terms, one for each death: its event position, and the share of the deaths already taken out."""
        counts = self.deaths[2]
        place = np.repeat(np.arange(len(counts)), counts)
        turn = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
        share = turn / counts[place] if self.ties == "efron" else np.zeros(len(place))
        return place, np.asarray(share, dtype=np.float64)

    @cached_property
    def times(self) -> Numbers:
        """The time of each of Efron's terms."""
        rows, place, _ = self.deaths
        by_place = np.empty(len(self.keys[2]))
        by_place[place] = self.stop[rows]
        return by_place[self.fractions[0]]

    def at_risk(self, values: Numbers) -> Numbers:
        """(events, k) sums of (n, k) values over the rows at risk at each event position."""
        return self._left(values, self.by_start) - self._left(values, self.by_stop)

    def _left(self, values: Numbers, by: tuple[Counts, Counts]) -> Numbers:
        running = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values[by[0]], axis=0)])
        return np.asarray(running[by[1]])

    def dying(self, values: Numbers) -> Numbers:
        """(events, k) sums of (n, k) values over the deaths at each event position."""
        rows, place, counts = self.deaths
        total = np.zeros((len(counts), values.shape[1]))
        np.add.at(total, place, values[rows])
        return total

    def spent(self, amounts: Numbers) -> Numbers:
        """(n, k) sums of (terms, k) amounts over the terms for which each row is at risk, less what a death leaves."""
        place, share = self.fractions
        positions = len(self.keys[2])
        by_place, left = np.zeros((positions, amounts.shape[1])), np.zeros((positions, amounts.shape[1]))
        np.add.at(by_place, place, amounts)
        np.add.at(left, place, amounts * share[:, None])
        running = np.concatenate([np.zeros((1, amounts.shape[1])), np.cumsum(by_place, axis=0)])
        entered, stopped = self.entered
        total = running[stopped] - running[entered]
        rows, own, _ = self.deaths
        total[rows] -= left[own]
        return np.asarray(total)


@dataclass(frozen=True, eq=False)
class At:
    """The partial likelihood at coefficients (p,)."""

    of: Partial
    beta: Numbers

    @cached_property
    def eta(self) -> Numbers:
        return self.of.x @ self.beta

    @cached_property
    def risk(self) -> Numbers:
        with np.errstate(over="ignore"):
            return np.exp(self.eta)

    @cached_property
    def _sums(self) -> tuple[Numbers, Numbers]:
        """By term: total risk (terms,), and its mean covariates (terms, p)."""
        weighted = np.column_stack([self.risk, self.risk[:, None] * self.of.x])
        place, share = self.of.fractions
        total = self.of.at_risk(weighted)[place] - share[:, None] * self.of.dying(weighted)[place]
        return total[:, 0], total[:, 1:] / total[:, :1]

    @cached_property
    def loglik(self) -> float:
        with np.errstate(invalid="ignore", divide="ignore"):
            return float(self.eta[self.of.event].sum() - np.log(self._sums[0]).sum())

    @cached_property
    def score(self) -> Numbers:
        return np.asarray(self.of.x[self.of.event].sum(axis=0) - self._sums[1].sum(axis=0))

    @cached_property
    def information(self) -> Numbers:
        return self.informed(np.ones(len(self._sums[0])))

    def informed(self, weights: Numbers) -> Numbers:
        """(p, p) information, each of Efron's terms weighted by (terms,) weights."""
        total, mean = self._sums
        each = self.risk * self.of.spent((weights / total)[:, None])[:, 0]
        return np.asarray(self.of.x.T @ (each[:, None] * self.of.x) - mean.T @ (weights[:, None] * mean))

    def scored(self, weights: Numbers) -> Numbers:
        """(p,) score, each event weighted by (terms,) weights, one value at each time."""
        rows, place, counts = self.of.deaths
        by_place = np.bincount(self.of.fractions[0], weights, len(counts)) / counts
        return np.asarray(by_place[place] @ self.of.x[rows] - weights @ self._sums[1])

    @cached_property
    def residuals(self) -> Numbers:
        """(n, p) what each row adds to the score."""
        total, mean = self._sums
        spent = self.of.spent(np.column_stack([1 / total, mean / total[:, None]]))
        result = -self.risk[:, None] * (spent[:, :1] * self.of.x - spent[:, 1:])
        rows, place, counts = self.of.deaths
        means = np.zeros((len(counts), mean.shape[1]))
        np.add.at(means, self.of.fractions[0], mean)
        result[rows] += self.of.x[rows] - (means / counts[:, None])[place]
        return np.asarray(result)


def maximised(partial: Partial) -> At:
    """Newton's maximum, with halved steps where the likelihood would fall. Infinite coefficients end far out."""
    now = partial.at(np.zeros(partial.x.shape[1]))
    for _ in range(60):
        step = np.linalg.lstsq(now.information, now.score, rcond=None)[0]
        following = partial.at(now.beta + step)
        for _ in range(20):
            if following.loglik >= now.loglik - 1e-10 * abs(now.loglik):
                break
            step = step / 2
            following = partial.at(now.beta + step)
        gained, now = following.loglik - now.loglik, following
        if abs(gained) <= 1e-13 * abs(now.loglik) or np.abs(step).max(initial=0) < 1e-12:
            break
    return now


def concordance(at: At) -> float:
    """Of pairs at risk together, the share in which the one whose event is first has the higher risk; a tie is half."""
    of, size = at.of, max(1, AT_ONCE // len(at.of.x))
    right = pairs = 0.0
    events = np.flatnonzero(of.event)
    for chunk in range(0, len(events), size):
        first = events[chunk : chunk + size, None]
        later = (of.stop > of.stop[first]) | ((of.stop == of.stop[first]) & ~of.event)
        together = later & (of.start < of.stop[first]) & (of.stratum == of.stratum[first])
        apart = at.eta[first] - at.eta
        level = np.abs(apart) <= SAME_RISK
        right += float((together & (apart > SAME_RISK)).sum() + (together & level).sum() / 2)
        pairs += float(together.sum())
    return right / pairs if pairs else float("nan")
