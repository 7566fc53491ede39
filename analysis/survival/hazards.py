"""By what factor does a covariate change the hazard?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from analysis.intervals import ratios
from analysis.results import Account, BadInput, CannotEstimate, Result
from analysis.survival.outcome import LARGEST_SE, Mask, Numbers, covariates_of, labels, outcome, started
from analysis.survival.partial import At, Counts, Partial, Ties, concordance, maximised

COLLINEAR = 1e-9  # smallest eigenvalue of the covariates' correlations


@dataclass(frozen=True)
class Cox(Result):
    """Cox model.

    terms: by covariate, coef, se, hr, lower, upper (95 %), z, p; with clusters robust: se, z, p and interval are, and
    naive_se stands beside. tests: likelihood ratio, Wald and score test of all covariates, chi_square, df, p.
    excluded: rows with a missing covariate. loglik, loglik_null: at the estimates and at 0.
    """

    terms: pd.DataFrame
    tests: pd.DataFrame
    n: int
    events: int
    excluded: int
    loglik: float
    loglik_null: float
    ties: Ties
    clusters: int | None
    _at: At

    @property
    def account(self) -> Account:
        by = "" if self.clusters is None else ", robust by cluster"
        return Account(self.n, self.events, {"missing covariate": self.excluded}, f"Cox, {self.ties} ties{by}")

    def title(self) -> str:
        se = "" if self.clusters is None else f", robust by {self.clusters} clusters"
        ties = self.ties.capitalize()
        counts = f"n {self.n}, events {self.events}, excluded for missing covariates {self.excluded}"
        return f"Cox model ({ties}{se}): {counts}"

    def to_frame(self) -> pd.DataFrame:
        return self.terms

    @property
    def concordance(self) -> float:
        """Share of pairs in which who has the event first was at higher risk, ties counting half (Harrell 1996).

        Pairs are those at risk when one of them has the event, within strata; NaN when there is none.
        """
        return concordance(self._at)


def cox(
    time: ArrayLike,
    event: ArrayLike,
    covariates: pd.DataFrame,
    *,
    strata: ArrayLike | pd.DataFrame | None = None,
    start: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    ties: str = "efron",
) -> Cox:
    """Cox proportional hazards model.

    time: (n,) >= 0. event: (n,) bool. covariates: (n, k) numbers; a row with a missing one is left out and counted.
    strata: (n,) or (n, j) labels, each combination with its own baseline hazard. start: (n,) a row is at risk from
    start (excluded) to time, for covariates that change: one row per subject and stretch of time. cluster: (n,) labels;
    standard errors are those of Lin and Wei (1989), summed by cluster. ties: efron or breslow.
    Intervals: coef +- 1.96 se.
    Raises BadInput, and CannotEstimate when a covariate does not vary, or the likelihood has no maximum (an arm
    without events, covariates that determine each other).
    """
    read = _read(time, event, covariates, strata, start, cluster, ties)
    at = _maximum(read.partial, read.names)
    covariance = np.asarray(np.linalg.inv(at.information), dtype=np.float64)
    naive = np.sqrt(np.diag(covariance)) / read.spread
    if read.clusters is not None:
        summed = np.zeros((read.clusters.max() + 1, len(read.spread)))
        np.add.at(summed, read.clusters, at.residuals @ covariance)
        covariance = np.asarray(summed.T @ summed)
    terms = ratios(at.beta / read.spread, np.sqrt(np.diag(covariance)) / read.spread, read.names, "hr")
    null = read.partial.at(np.zeros(len(read.spread)))
    return Cox(
        terms=terms if read.clusters is None else terms.assign(naive_se=naive),
        tests=_tests(at, null, covariance),
        n=len(read.partial.x),
        events=int(read.partial.event.sum()),
        excluded=read.excluded,
        loglik=at.loglik,
        loglik_null=null.loglik,
        ties=read.partial.ties,
        clusters=None if read.clusters is None else int(read.clusters.max() + 1),
        _at=at,
    )


@dataclass(frozen=True)
class _Read:
    """Complete rows, covariates in their own SDs (spread, (k,)) around their means; clusters: codes."""

    partial: Partial
    names: list[str]
    spread: Numbers
    clusters: Counts | None
    excluded: int


def _read(
    time: ArrayLike,
    event: ArrayLike,
    covariates: pd.DataFrame,
    strata: ArrayLike | pd.DataFrame | None,
    start: ArrayLike | None,
    cluster: ArrayLike | None,
    ties: str,
) -> _Read:
    times, events = outcome(time, event)
    begun = started(start, times)
    if ties not in get_args(Ties):
        raise BadInput(f"there is no way {ties} to handle ties.\n  Choose efron or breslow.")
    kept, complete = covariates_of(covariates, len(times))
    stratum = pd.factorize(labels([("strata", strata)], len(times)))[0]
    groups = None if cluster is None else pd.factorize(labels([("cluster", cluster)], len(times))[complete])[0]
    _check_events(kept, events[complete])
    x = kept.to_numpy()
    spread = x.std(axis=0, ddof=1)
    x = (x - x.mean(axis=0)) / spread
    partial = Partial(begun[complete], times[complete], events[complete], stratum[complete], x, ties)  # type: ignore[arg-type]
    return _Read(partial, [str(name) for name in kept], spread, groups, len(times) - len(kept))


def _maximum(partial: Partial, names: Sequence[str]) -> At:
    correlations = partial.x.T @ partial.x / len(partial.x)
    if np.linalg.eigvalsh(correlations)[0] < COLLINEAR:
        raise CannotEstimate(f"the covariates determine each other: {', '.join(map(str, names))}")
    at = maximised(partial)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.diag(np.linalg.pinv(at.information, hermitian=True))
        flat = np.diag(at.information) < 1 / LARGEST_SE**2
    endless = [name for name, v, f in zip(names, variance, flat, strict=True) if f or not 0 < v < LARGEST_SE**2]
    if endless:
        raise CannotEstimate(f"the likelihood has no maximum for {', '.join(endless)}: some patients have no events")
    return at


def _tests(at: At, null: At, covariance: Numbers) -> pd.DataFrame:
    df = len(at.beta)
    chi = {
        "likelihood ratio": 2 * (at.loglik - null.loglik),
        "Wald": float(at.beta @ np.linalg.solve(covariance, at.beta)),
        "score": float(null.score @ np.linalg.solve(null.information, null.score)),
    }
    rows = {name: {"chi_square": value, "df": df, "p": float(stats.chi2.sf(value, df))} for name, value in chi.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("test")


def _check_events(kept: pd.DataFrame, events: Mask) -> None:
    if not events.any():
        raise CannotEstimate("there are no events among patients with all covariates")
    for name in kept:
        if kept[name].nunique() == 2 and kept[name][events].nunique() < 2:
            raise CannotEstimate(f"all events have the same value of {name}")
