"""By what factor does a covariate change the hazard of one kind of event, or of its incidence?"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from analysis.competing.causes import causes, of_interest
from analysis.intervals import ratios
from analysis.results import Account, CannotEstimate, Result
from analysis.survival import Cox, cox
from analysis.survival.outcome import LARGEST_SE, Mask, Numbers, covariates_of, labels


@dataclass(frozen=True)
class FineGray(Result):
    """Model of the subdistribution hazard of one cause.

    terms: by covariate, coef, se, shr, lower, upper (95 %), z, p. excluded: patients with a missing covariate.
    """

    cause: str
    terms: pd.DataFrame
    n: int
    events: int
    excluded: int

    @property
    def account(self) -> Account:
        return Account(self.n, self.events, {"missing covariate": self.excluded}, "Fine-Gray, Breslow ties")

    def title(self) -> str:
        counts = f"n {self.n}, events {self.events}, excluded for missing covariates {self.excluded}"
        return f"Fine-Gray model of {self.cause}: {counts}"

    def to_frame(self) -> pd.DataFrame:
        return self.terms


def cause_specific(
    time: ArrayLike,
    cause: ArrayLike,
    covariates: pd.DataFrame,
    *,
    of: Any,
    strata: ArrayLike | pd.DataFrame | None = None,
) -> Cox:
    """Cox model of one cause's hazard among those still free of every event: the other causes censor.

    time: (n,) >= 0. cause: (n,) label of the first event, 0 or missing = censored. of: the cause in question. The rest,
    and errors, as survival.cox; no incidence can be drawn from it alone.
    """
    times, first = causes(time, cause)
    return cox(times, of_interest(first, of), covariates, strata=strata)


def fine_gray(
    time: ArrayLike,
    cause: ArrayLike,
    covariates: pd.DataFrame,
    *,
    of: Any,
    strata: ArrayLike | pd.DataFrame | None = None,
) -> FineGray:
    """Proportional hazards of the subdistribution of one cause (Fine and Gray 1999), as R's cmprsk::crr.

    time: (n,) >= 0. cause: (n,) label of the first event, 0 or missing = censored. covariates: (n, k) numbers; a row
    with a missing one is left out and counted. of: the cause in question. strata: (n,) or (n, j) labels, each
    combination with its own baseline and its own censoring (Zhou and others 2011). Censoring is weighted by a
    Kaplan-Meier curve, whose estimation the standard errors count; ties after Breslow.
    Raises BadInput, and CannotEstimate when a covariate does not vary or the likelihood has no maximum.
    """
    times, first = causes(time, cause)
    kept, complete = covariates_of(covariates, len(times))
    stratum = labels([("strata", strata)], len(times))[complete]
    times, first = times[complete], first[complete]
    mine = of_interest(first, of)
    x = kept.to_numpy()
    spread = x.std(axis=0, ddof=1)
    standard, other = (x - x.mean(axis=0)) / spread, (first != "") & ~mine
    layers = [
        _Weighted(times[here], mine[here], other[here], standard[here])
        for here in (stratum == label for label in sorted(set(stratum)))
        if mine[here].any()
    ]
    beta = _maximum(layers, [str(name) for name in kept])
    se = np.sqrt(np.diag(_covariance([layer.at(beta) for layer in layers]))) / spread
    terms = ratios(beta / spread, se, [str(name) for name in kept], "shr")
    return FineGray(str(of), terms, len(kept), int(mine.sum()), len(complete) - len(kept))


def _maximum(layers: list["_Weighted"], names: list[str]) -> Numbers:
    beta = np.zeros(len(names))
    for _ in range(50):
        now = [layer.at(beta) for layer in layers]
        information = np.sum([at.information for at in now], axis=0)
        if not np.isfinite(information).all() or np.linalg.cond(information) > LARGEST_SE**4:
            break
        step = np.linalg.solve(information, np.sum([at.score for at in now], axis=0))
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            if np.sqrt(np.diag(np.linalg.inv(information))).max() < LARGEST_SE:
                return beta
            break
    raise CannotEstimate(f"the likelihood has no maximum for {', '.join(names)}: some patients have no events")


def _covariance(layers: list["_At"]) -> Numbers:
    """(p, p) of the coefficients, with the estimation of the censoring curves."""
    spread = np.sum([at.parts.T @ at.parts for at in layers], axis=0)
    inverse = np.linalg.inv(np.sum([at.information for at in layers], axis=0))
    return np.asarray(inverse @ spread @ inverse)


@dataclass(frozen=True, eq=False)
class _Weighted:
    """Patients (n,) of one stratum: time, event of the cause, other event, x (n, p)."""

    times: Numbers
    mine: Mask
    other: Mask
    x: Numbers

    def at(self, beta: Numbers) -> "_At":
        return _At(self, beta)

    @cached_property
    def events(self) -> Numbers:
        """Distinct times of the cause."""
        return np.unique(self.times[self.mine])

    @cached_property
    def died(self) -> Numbers:
        return np.bincount(np.searchsorted(self.events, self.times[self.mine])).astype(np.float64)

    @cached_property
    def order(self) -> "np.ndarray[tuple[int], np.dtype[np.intp]]":
        return np.argsort(self.times, kind="stable")

    @cached_property
    def censored_at(self) -> tuple[Numbers, Numbers]:
        """Distinct times of censoring, and the hazard of it there."""
        censored = ~(self.mine | self.other)
        at, count = np.unique(self.times[censored], return_counts=True)
        return at, count / self.followed(at)

    def followed(self, at: Numbers) -> Numbers:
        return np.asarray(len(self.times) - np.searchsorted(self.times[self.order], at, "left"), dtype=np.float64)

    def uncensored(self, times: Numbers) -> Numbers:
        """Probability not to be censored before each time."""
        at, hazard = self.censored_at
        curve = np.concatenate([[1.0], np.cumprod(1 - hazard)])
        return np.asarray(curve[np.searchsorted(at, times, side="left")])

    def before(self, values: Numbers, at: Numbers) -> Numbers:
        """(len(at), k) sums of (n, k) values over patients whose time is before each of `at`."""
        running = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values[self.order], axis=0)])
        return np.asarray(running[np.searchsorted(self.times[self.order], at, "left")])

    @cached_property
    def gone(self) -> Numbers:
        """(n,) 1 / probability not to be censored before an event of another cause; 0 for the others."""
        return np.where(self.other, 1 / np.where(self.other, self.uncensored(self.times), 1.0), 0.0)


@dataclass(frozen=True, eq=False)
class _At:
    """Score, information and covariance at coefficients (p,)."""

    of: _Weighted
    beta: Numbers

    @cached_property
    def risk(self) -> Numbers:
        with np.errstate(over="ignore"):
            return np.exp(self.of.x @ self.beta)

    @cached_property
    def _means(self) -> tuple[Numbers, Numbers]:
        """At each event: hazard (k,), mean covariates (k, p)."""
        of = self.of
        values = np.column_stack([self.risk, self.risk[:, None] * of.x])
        here = values.sum(axis=0) - of.before(values, of.events)
        later = of.uncensored(of.events)[:, None] * of.before(values * of.gone[:, None], of.events)
        total = here + later
        return of.died / total[:, 0], total[:, 1:] / total[:, :1]

    def _spent(self, amounts: Numbers) -> Numbers:
        """(n, k) sums of (events, k) amounts, weighted as each patient is at risk."""
        of = self.of
        while_seen = np.concatenate([np.zeros((1, amounts.shape[1])), np.cumsum(amounts, axis=0)])
        thinned = of.uncensored(of.events)[:, None] * amounts
        afterwards = np.concatenate([np.cumsum(thinned[::-1], axis=0)[::-1], np.zeros((1, amounts.shape[1]))])
        seen = np.searchsorted(of.events, of.times, side="right")
        return np.asarray(while_seen[seen] + of.gone[:, None] * afterwards[seen])

    @cached_property
    def score(self) -> Numbers:
        return np.asarray(self.of.x[self.of.mine].sum(axis=0) - self.of.died @ self._means[1])

    @cached_property
    def information(self) -> Numbers:
        hazard, mean = self._means
        each = self.risk * self._spent(hazard[:, None])[:, 0]
        return np.asarray(self.of.x.T @ (each[:, None] * self.of.x) - mean.T @ (self.of.died[:, None] * mean))

    @cached_property
    def parts(self) -> Numbers:
        """(n, p) what each patient adds to the score."""
        return self._own + self._of_censoring

    @cached_property
    def _own(self) -> Numbers:
        hazard, mean = self._means
        spent = self._spent(np.column_stack([hazard, hazard[:, None] * mean]))
        parts = -self.risk[:, None] * (spent[:, :1] * self.of.x - spent[:, 1:])
        parts[self.of.mine] += (
            self.of.x[self.of.mine] - mean[np.searchsorted(self.of.events, self.of.times[self.of.mine])]
        )
        return np.asarray(parts)

    @cached_property
    def _of_censoring(self) -> Numbers:
        """What each patient adds to the score through the censoring curve (Fine and Gray 1999, psi)."""
        of, (hazard, mean) = self.of, self._means
        at, censoring = of.censored_at
        if len(at) == 0:
            return np.zeros_like(of.x)
        thinned = of.uncensored(of.events) * hazard
        rest = np.column_stack([thinned, thinned[:, None] * mean])
        rest = np.concatenate([np.cumsum(rest[::-1], axis=0)[::-1], np.zeros((1, rest.shape[1]))])
        from_now = rest[np.searchsorted(of.events, at, side="left")]
        gone = (of.gone * self.risk)[:, None]
        sums = of.before(np.column_stack([gone, gone * of.x]), at)
        q = (sums[:, 1:] * from_now[:, :1] - sums[:, :1] * from_now[:, 1:]) / of.followed(at)[:, None]
        running = np.concatenate([np.zeros((1, q.shape[1])), np.cumsum(q * censoring[:, None], axis=0)])
        parts = -running[np.searchsorted(at, of.times, side="right")]
        censored = ~(of.mine | of.other)
        parts[censored] += q[np.searchsorted(at, of.times[censored])]
        return np.asarray(parts)
