"""How long do patients live on average up to a horizon?"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from analysis.intervals import Z
from analysis.results import Account, BadInput, CannotEstimate, Result
from analysis.survival.outcome import Mask, Numbers, allow_probability, labels, outcome


class HorizonBeyondFollowUp(CannotEstimate):
    """An arm's last observed time is censored and lies before the horizon."""


@dataclass(frozen=True)
class RestrictedMean(Result):
    """Restricted mean survival time up to a horizon.

    means: by arm, n, events, estimate, se, lower, upper, in the unit of time. differences, ratios, lost_ratios: by pair
    of arms, later less (or over) earlier: estimate, lower, upper, p; lost_ratios are of the time lost before the
    horizon. Ratios and their intervals are made on the log scale.
    """

    horizon: float
    means: pd.DataFrame
    differences: pd.DataFrame
    ratios: pd.DataFrame
    lost_ratios: pd.DataFrame

    @property
    def account(self) -> Account:
        n, events = (int(self.means[column].sum()) for column in ("n", "events"))
        return Account(n, events, {}, "area under the Kaplan-Meier curve, variance after Irwin")

    def title(self) -> str:
        return f"Restricted mean survival time to {self.horizon:g}"

    def to_frame(self) -> pd.DataFrame:
        return self.means


def rmst(
    time: ArrayLike,
    event: ArrayLike,
    arm: ArrayLike | None = None,
    *,
    horizon: float,
    strata: ArrayLike | pd.DataFrame | None = None,
) -> RestrictedMean:
    """Area under the Kaplan-Meier curve from 0 to a horizon, by arm, and how the arms differ.

    time: (n,) >= 0. event: (n,) bool. arm: (n,) labels. horizon: > 0, unit of time. strata: (n,) or (n, k) labels; an
    arm's mean is then the mean over strata weighted by the share of all patients in each. Variance after Irwin (1949):
    the squared area right of each event, weighted by Greenwood's terms.
    Raises BadInput; NoProbability for times that ignore death; HorizonBeyondFollowUp when an arm (of a stratum) was not
    followed that far; CannotEstimate when an arm is absent from a stratum.
    """
    allow_probability(time)
    times, events = outcome(time, event)
    if not horizon > 0:
        raise BadInput(f"horizon is {horizon}.\n  Give a time after 0.")
    group, stratum = labels([("arm", arm)], len(times)), labels([("strata", strata)], len(times))
    rows = {}
    for label in sorted(set(group)):
        mean = variance = 0.0
        for layer in sorted(set(stratum)):
            mine = (group == label) & (stratum == layer)
            if not mine.any():
                raise CannotEstimate(f"nobody of arm {label} is in stratum {layer}; merge it with another")
            share = (stratum == layer).mean()
            area, spread = _area(times[mine], events[mine], horizon, label)
            mean, variance = mean + share * area, variance + share**2 * spread
        se, here = float(np.sqrt(variance)), group == label
        counts = {"n": int(here.sum()), "events": int(events[here & (times <= horizon)].sum())}
        rows[label] = {**counts, "estimate": mean, "se": se, "lower": mean - Z * se, "upper": mean + Z * se}
    means = pd.DataFrame.from_dict(rows, orient="index").rename_axis("arm")
    lost = means.assign(estimate=horizon - means["estimate"])
    return RestrictedMean(horizon, means, _differences(means), _ratios(means), _ratios(lost))


def _area(times: Numbers, events: Mask, horizon: float, arm: str) -> tuple[float, float]:
    last = times.max()
    if last < horizon and not events[times == last].any():
        raise HorizonBeyondFollowUp(f"{arm}: the last patient was censored at {last:g}, before the horizon {horizon:g}")
    at = np.unique(times[events & (times <= horizon)])
    ordered, deaths = np.sort(times), np.sort(times[events])
    at_risk = len(ordered) - np.searchsorted(ordered, at, side="left")
    died = np.searchsorted(deaths, at, side="right") - np.searchsorted(deaths, at, side="left")
    survival = np.concatenate([[1.0], np.cumprod(1 - died / at_risk)])
    pieces = survival * np.diff(np.concatenate([[0.0], at, [horizon]]))
    right = np.cumsum(pieces[::-1])[::-1][1:]
    left = at_risk - died
    terms = np.divide(died, at_risk * left, out=np.zeros(len(at)), where=left > 0)
    return float(pieces.sum()), float((right**2 * terms).sum())


def _differences(means: pd.DataFrame) -> pd.DataFrame:
    rows = {}
    for one, other in combinations(means.index, 2):
        value = means.loc[other, "estimate"] - means.loc[one, "estimate"]
        rows[f"{other} - {one}"] = _normal(value, float(np.hypot(means.loc[one, "se"], means.loc[other, "se"])))
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("arms")


def _ratios(means: pd.DataFrame) -> pd.DataFrame:
    rows = {}
    relative = means["se"] / means["estimate"].where(means["estimate"] > 0)
    for one, other in combinations(means.index, 2):
        value = np.log(means["estimate"].where(means["estimate"] > 0))
        row = _normal(value[other] - value[one], float(np.hypot(relative[one], relative[other])))
        rows[f"{other} / {one}"] = {**{key: float(np.exp(row[key])) for key in row if key != "p"}, "p": row["p"]}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("arms")


def _normal(value: float, se: float) -> dict[str, float]:
    p = 2 * float(stats.norm.sf(abs(value) / se)) if se > 0 else float("nan")
    return {"estimate": float(value), "lower": float(value - Z * se), "upper": float(value + Z * se), "p": p}
