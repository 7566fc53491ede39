"""By what factor does a covariate change the hazard?"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter
from lifelines.exceptions import ConvergenceError
from numpy.typing import ArrayLike
from scipy import stats

from analysis.results import BadInput, CannotEstimate, Result
from analysis.survival.outcome import CONFIDENCE, labels, outcome

FULL_NEWTON = {"step_size": 1.0, "precision": 1e-12}  # the default stops with an error of 2e-6 in a coefficient
LARGEST_SE = 50.0  # of a covariate in its own SDs: beyond it the likelihood has no maximum


@dataclass(frozen=True)
class Cox(Result):
    """Cox model, Efron's ties.

    terms: by covariate, coef, se, hr, lower, upper (95 %), z, p. excluded: patients with a missing covariate.
    """

    terms: pd.DataFrame
    n: int
    events: int
    excluded: int
    loglik: float

    def title(self) -> str:
        return f"Cox model (Efron): n {self.n}, events {self.events}, excluded for missing covariates {self.excluded}"

    def to_frame(self) -> pd.DataFrame:
        return self.terms


def cox(
    time: ArrayLike, event: ArrayLike, covariates: pd.DataFrame, *, strata: ArrayLike | pd.DataFrame | None = None
) -> Cox:
    """Cox proportional hazards model with Efron's handling of ties.

    time: (n,) >= 0. event: (n,) bool. covariates: (n, k) numbers; a row with a missing one is left out and counted.
    strata: (n,) or (n, j) labels, each combination with its own baseline hazard. Intervals: coef +- 1.96 se.
    Raises BadInput, and CannotEstimate when a covariate does not vary, or the likelihood has no maximum (an arm
    without events, covariates that determine each other).
    """
    times, events = outcome(time, event)
    if len(covariates) != len(times):
        raise BadInput(f"covariates has {len(covariates)} rows, time has {len(times)}.\n  Give one row per patient.")
    data = covariates.reset_index(drop=True).astype(float)
    names = list(data.columns)
    data["_time"], data["_event"] = times, events
    data["_stratum"] = labels([("strata", strata)], len(times))
    complete = data.dropna()
    _check_varies(complete, names)
    fitter = CoxPHFitter(alpha=1 - CONFIDENCE)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what they warn of is checked below
            fitter.fit(complete, "_time", "_event", strata=["_stratum"], fit_options=FULL_NEWTON)
    except ConvergenceError:
        raise CannotEstimate("the covariates determine each other, or the outcome") from None
    coef, se = fitter.params_[names], fitter.standard_errors_[names]
    spread = complete[names].std()
    endless = [name for name in names if not se[name] * spread[name] < LARGEST_SE]
    if endless:
        raise CannotEstimate(f"the likelihood has no maximum for {', '.join(endless)}: some patients have no events")
    z = coef / se
    half = float(stats.norm.ppf((1 + CONFIDENCE) / 2)) * se
    terms = pd.DataFrame({"coef": coef, "se": se, "hr": np.exp(coef), "lower": np.exp(coef - half)})
    terms = terms.assign(upper=np.exp(coef + half), z=z, p=2 * stats.norm.sf(np.abs(z))).rename_axis("term")
    deaths = int(complete["_event"].sum())
    return Cox(terms, len(complete), deaths, len(data) - len(complete), float(fitter.log_likelihood_))


def _check_varies(complete: pd.DataFrame, names: Sequence[str]) -> None:
    if complete["_event"].sum() == 0:
        raise CannotEstimate("there are no events among patients with all covariates")
    for name in names:
        if complete[name].nunique() < 2:
            raise CannotEstimate(f"{name} is the same for all patients")
        values = complete.loc[complete["_event"], name]
        if complete[name].nunique() == 2 and values.nunique() < 2:
            raise CannotEstimate(f"all events have the same value of {name}")
