"""Which coefficients does Cox's model give in each of many simulated trials, all at once?

For simulation alone: trials of one size, hundreds in one array, no tables and no words for what cannot be estimated.
What is reported comes from `analysis.survival.cox`, to which tests hold this. Ties after Efron (1977).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.results import BadInput

Numbers = NDArray[np.float64]
Places = NDArray[np.intp]
Mask = NDArray[np.bool_]

MOST_STEPS = 60
MAY_FALL, LEAST_GAIN, LEAST_STEP = 1e-10, 1e-13, 1e-12
LARGEST_SE = 50.0  # of a covariate in its own SDs: beyond it a likelihood has no maximum
COLLINEAR = 1e-9  # smallest eigenvalue of the covariates' correlations


@dataclass(frozen=True, eq=False)
class Estimates:
    """coef, se: (trials, p), NaN in a trial whose likelihood has no maximum. events: (trials,)."""

    coef: Numbers
    se: Numbers
    events: NDArray[np.int64]


def estimated(time: ArrayLike, event: ArrayLike, x: ArrayLike, strata: ArrayLike | None = None) -> Estimates:
    """Cox's model in each trial, with a baseline hazard for each stratum.

    time: (trials, n) >= 0. event: (trials, n) bool. x: (trials, n, p). strata: (trials, n) codes; None = one stratum.
    Newton's steps, halved where the likelihood would fall. Raises BadInput where a number is missing or infinite.
    """
    times, events = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=np.bool_)
    covariates = np.asarray(x, dtype=np.float64)
    codes = np.zeros(times.shape, dtype=np.intp) if strata is None else np.asarray(strata, dtype=np.intp)
    if not (np.isfinite(times).all() and np.isfinite(covariates).all()):
        raise BadInput("a time or a covariate is missing or infinite.\n  Give every simulated patient all of them.")
    spread = covariates.std(axis=1, ddof=1)
    standard = (covariates - covariates.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)[:, None]
    correlations = standard.swapaxes(1, 2) @ standard / times.shape[1]
    estimable = events.any(axis=1) & (np.linalg.eigvalsh(correlations)[:, 0] >= COLLINEAR)
    coef, se = np.full(spread.shape, np.nan), np.full(spread.shape, np.nan)
    if estimable.any():
        kept = Trials.of(times[estimable], events[estimable], standard[estimable], codes[estimable])
        beta, errors = _maximised(kept)
        coef[estimable], se[estimable] = beta / spread[estimable], errors / spread[estimable]
    return Estimates(coef, se, events.sum(axis=1))


@dataclass(frozen=True, eq=False)
class Trials:
    """Patients of each trial by stratum, in it from the latest time to the earliest; all (trials, n), x (p, trials, n).

    Places in a running sum over a trial's patients, which is 0 at first: opens, ends: of a patient's stratum; first,
    beyond: of those with the same time. So those at risk with her stand from opens to beyond, and those who die while
    she is at risk from first to ends. share: of the deaths at her time that Efron takes out before hers.
    """

    event: Mask
    x: Numbers
    opens: Places
    ends: Places
    first: Places
    beyond: Places
    share: Numbers

    @classmethod
    def of(cls, time: Numbers, event: Mask, x: Numbers, stratum: Places) -> "Trials":
        order = np.lexsort((-time, stratum), axis=1)
        time, stratum = np.take_along_axis(time, order, axis=1), np.take_along_axis(stratum, order, axis=1)
        event = np.take_along_axis(event, order, axis=1)
        begins = np.diff(stratum, axis=1, prepend=-1) != 0
        opens, ends = _runs(begins)
        first, beyond = _runs(begins | (np.diff(time, axis=1, prepend=-1) != 0))
        dead = _running(event)
        before = _taken(dead, first)
        deaths = _taken(dead, beyond) - before
        share = np.where(event, (dead[:, :-1] - before) / np.maximum(deaths, 1), 0.0)
        ordered = np.take_along_axis(x, order[:, :, None], axis=1)
        return cls(event, np.ascontiguousarray(np.moveaxis(ordered, 2, 0)), opens, ends, first, beyond, share)

    def only(self, kept: Mask) -> "Trials":
        opens, ends, first, beyond = (each[kept] for each in (self.opens, self.ends, self.first, self.beyond))
        return Trials(self.event[kept], self.x[:, kept], opens, ends, first, beyond, self.share[kept])

    def at(self, beta: Numbers) -> "Point":
        """The partial likelihood at (trials, p) coefficients."""
        eta = np.einsum("rp,prn->rn", beta, self.x)
        with np.errstate(over="ignore", invalid="ignore"):
            risk = np.exp(eta)
            weighted = np.concatenate([risk[None], risk * self.x])
            sums = self._between(weighted, self.opens, self.beyond)
            if self.share.any():
                sums -= self.share * self._between(weighted * self.event, self.first, self.beyond)
            total, mean = sums[0], np.where(self.event, sums[1:] / sums[0], 0.0)
            loglik = np.where(self.event, eta - np.log(total), 0.0).sum(axis=1)
            score = np.where(self.event, self.x - mean, 0.0).sum(axis=2).T
            hazard = risk * self._spent(np.where(self.event, 1 / total, 0.0))
            return Point(loglik, score, _products(hazard * self.x, self.x) - _products(mean, mean))

    def _spent(self, amounts: Numbers) -> Numbers:
        """(trials, n) sums of the amounts over the deaths while each is at risk, less what Efron takes out."""
        spent = self._between(amounts, self.first, self.ends)
        if self.share.any():
            spent = spent - self.event * self._between(amounts * self.share, self.first, self.beyond)
        return spent

    @staticmethod
    def _between(values: Numbers, start: Places, stop: Places) -> Numbers:
        running = _running(values)
        return _taken(running, stop) - _taken(running, start)


@dataclass(frozen=True, eq=False)
class Point:
    """loglik (trials,), score (trials, p), information (trials, p, p)."""

    loglik: Numbers
    score: Numbers
    information: Numbers

    def step(self) -> Numbers:
        """(trials, p) Newton's."""
        return np.asarray((np.linalg.pinv(self.information, hermitian=True) @ self.score[:, :, None])[:, :, 0])

    def where(self, better: Mask, other: "Point") -> "Point":
        """This point in the trials that are better, the other's in the rest."""
        return Point(
            np.where(better, self.loglik, other.loglik),
            np.where(better[:, None], self.score, other.score),
            np.where(better[:, None, None], self.information, other.information),
        )


def _maximised(trials: Trials) -> tuple[Numbers, Numbers]:
    """(trials, p) coefficients and standard errors, NaN where there is no maximum."""
    beta = np.zeros((trials.x.shape[1], len(trials.x)))
    top = np.empty((len(beta), beta.shape[1], beta.shape[1]))
    at, going = beta.copy(), np.arange(len(beta))
    now = trials.at(at)
    step = now.step()
    for _ in range(MOST_STEPS):
        there = trials.at(at + step)
        risen = there.loglik >= now.loglik - MAY_FALL * np.abs(now.loglik)
        least = np.abs(there.loglik - now.loglik) <= LEAST_GAIN * np.abs(now.loglik)
        over = risen & (least | (np.abs(step).max(axis=1) < LEAST_STEP))
        at, now = np.where(risen[:, None], at + step, at), there.where(risen, now)
        beta[going], top[going] = at, now.information
        if over.all():
            break
        step = np.where(risen[:, None], now.step(), step / 2)[~over]
        trials, at, going = trials.only(~over), at[~over], going[~over]
        now = Point(now.loglik[~over], now.score[~over], now.information[~over])
    return _judged(beta, top)


def _judged(beta: Numbers, information: Numbers) -> tuple[Numbers, Numbers]:
    """As `analysis.survival.cox` judges whether there is a maximum."""
    variance = np.diagonal(np.linalg.pinv(information, hermitian=True), axis1=1, axis2=2)
    flat = np.diagonal(information, axis1=1, axis2=2) < 1 / LARGEST_SE**2
    found = ~(flat | ~(variance > 0) | ~(variance < LARGEST_SE**2)).any(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.where(found, beta, np.nan), np.where(found, np.sqrt(variance), np.nan)


def _runs(begins: Mask) -> tuple[Places, Places]:
    """(trials, n) the place at which each one's run begins, and the one after its end."""
    n = begins.shape[1]
    first = np.maximum.accumulate(np.where(begins, np.arange(n), 0), axis=1)
    ends = np.concatenate([begins[:, 1:], np.ones((len(begins), 1), dtype=np.bool_)], axis=1)
    beyond = np.minimum.accumulate(np.where(ends, np.arange(n) + 1, n)[:, ::-1], axis=1)[:, ::-1]
    return first, np.ascontiguousarray(beyond)


def _running(values: NDArray[np.generic]) -> Numbers:
    """(..., n + 1) sums of those before each place."""
    running = np.zeros((*values.shape[:-1], values.shape[-1] + 1))
    np.cumsum(values, axis=-1, out=running[..., 1:])
    return running


def _taken(running: Numbers, places: Places) -> Numbers:
    """(..., trials, n) running sums (..., trials, n + 1) at places of each trial (trials, n)."""
    trials, width = running.shape[-2:]
    flat = (places + width * np.arange(trials)[:, None]).ravel()
    taken = np.take(running.reshape(*running.shape[:-2], -1), flat, axis=-1)
    return np.asarray(taken.reshape(*running.shape[:-1], width - 1))


def _products(one: Numbers, other: Numbers) -> Numbers:
    """(trials, p, p) sums over patients of (p, trials, n) by (p, trials, n)."""
    return np.asarray(one.transpose(1, 0, 2) @ other.transpose(1, 2, 0))
