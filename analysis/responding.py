"""Whose odds to be worse, stable or better are higher?"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.tools.sm_exceptions import PerfectSeparationError, PerfectSeparationWarning
from statsmodels.tools.tools import add_constant

from analysis.intervals import ratios
from analysis.results import Account, CannotEstimate, Result

LARGEST_SE = 50.0  # of a log odds: beyond it the likelihood has no maximum


@dataclass(frozen=True)
class OddsRatios(Result):
    """Logistic model. terms: by covariate, coef, se, odds_ratio, lower, upper (95 %), z, p. excluded: rows."""

    terms: pd.DataFrame
    n: int
    events: int
    excluded: int

    @property
    def account(self) -> Account:
        return Account(self.n, self.events, {"missing values": self.excluded}, "maximum likelihood")

    def title(self) -> str:
        return f"Logistic model: n {self.n}, events {self.events}, excluded for missing values {self.excluded}"

    def to_frame(self) -> pd.DataFrame:
        return self.terms


def odds_ratios(event: ArrayLike, covariates: pd.DataFrame) -> OddsRatios:
    """Odds ratios of an event by maximum likelihood.

    event: (n,) bool or missing. covariates: (n, k) numbers; rows with anything missing are left out and counted.
    Raises CannotEstimate when nobody or everybody has the event, a covariate does not vary, or it separates them.
    """
    data = covariates.reset_index(drop=True).astype(float)
    happened = pd.Series(event).reset_index(drop=True).astype("boolean")
    known = data.notna().all(axis=1) & happened.notna()
    x, y = data[known], happened[known].astype(float)
    if y.nunique() < 2:
        raise CannotEstimate("nobody or everybody has the event")
    if same := [str(name) for name in x if x[name].nunique() < 2]:
        raise CannotEstimate(f"{', '.join(same)} is the same for all patients")
    terms = _terms(x, y)
    return OddsRatios(terms, len(x), int(y.sum()), int((~known).sum()))


def _terms(x: pd.DataFrame, y: "pd.Series[float]") -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PerfectSeparationWarning)
            fitted: Any = GLM(y, add_constant(x), family=Binomial()).fit()
    except (PerfectSeparationError, PerfectSeparationWarning):
        raise CannotEstimate("a covariate tells those with the event from those without") from None
    names = [str(name) for name in x]
    coef, se = fitted.params[list(x)].to_numpy(), fitted.bse[list(x)].to_numpy()
    if not np.isfinite(se).all() or (se * x.std().to_numpy() > LARGEST_SE).any():
        raise CannotEstimate("the likelihood has no maximum: a covariate tells those with the event from those without")
    return ratios(coef, se, names, "odds_ratio")
