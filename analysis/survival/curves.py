"""What share is still free of the event at each time, and when is it half?"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal, get_args

import numpy as np
import pandas as pd
from lifelines import KaplanMeierFitter
from numpy.typing import ArrayLike
from scipy import stats

from analysis.intervals import Z
from analysis.results import Account, BadInput, Result
from analysis.survival.counting import Counted, counted
from analysis.survival.outcome import Numbers, allow_probability

SAME = 1.5e-8  # a curve this near a quantile lies on it
Interval = Literal["log-log", "log", "plain"]


@dataclass(frozen=True)
class KaplanMeier(Result):
    """Survival curves with 95 % intervals.

    curves: by group, a row per distinct time: time, at_risk, events, censored, survival, se (Greenwood), lower, upper.
    Before the first event and once survival is 0 there is no interval (NaN).
    """

    curves: dict[str, pd.DataFrame]
    interval: Interval

    @property
    def account(self) -> Account:
        n = sum(int(curve["at_risk"].iloc[0]) for curve in self.curves.values())
        events = sum(int(curve["events"].sum()) for curve in self.curves.values())
        return Account(n, events, {}, f"Kaplan-Meier, Greenwood's variance, {self.interval} interval")

    def title(self) -> str:
        return f"Kaplan-Meier, median with 95 % interval ({self.interval}); NaN = not reached"

    def to_frame(self) -> pd.DataFrame:
        """By group: n, events, median, lower, upper; NaN = not reached.

        The median is where the curve crosses 1/2; where it lies on 1/2 for a while, the middle of that while. Its
        interval is where the curve's bounds cross 1/2 (Brookmeyer and Crowley 1982).
        """
        rows = {}
        for group, curve in self.curves.items():
            rows[group] = {
                "n": int(curve["at_risk"].iloc[0]),
                "events": int(curve["events"].sum()),
                "median": _crossing(curve, "survival", 0.5),
                "lower": _crossing(curve, "lower", 0.5),
                "upper": _crossing(curve, "upper", 0.5),
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("group")

    def quantile(self, share: float) -> pd.DataFrame:
        """By group: the time by which this share (0 to 1) had the event: estimate, lower, upper; NaN = not reached."""
        columns = {"estimate": "survival", "lower": "lower", "upper": "upper"}
        rows = {
            group: {name: _crossing(curve, column, 1 - share) for name, column in columns.items()}
            for group, curve in self.curves.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("group")

    def difference_at(self, time: float) -> pd.DataFrame:
        """By pair of groups, later less earlier: difference in survival at a time, se, lower, upper, z, p.

        Greenwood's variances added, plain normal interval; NaN where a group is not followed that far.
        """
        at = self.survival_at(time)
        rows = {}
        for one, other in combinations(at.index, 2):
            difference = at.loc[other, "survival"] - at.loc[one, "survival"]
            se = float(np.hypot(at.loc[other, "se"], at.loc[one, "se"]))
            z = difference / se if se > 0 else np.nan
            bounds = {"lower": difference - Z * se, "upper": difference + Z * se}
            p = 2 * float(stats.norm.sf(abs(z)))
            rows[f"{other} - {one}"] = {"difference": difference, "se": se, **bounds, "z": z, "p": p}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("groups")

    def survival_at(self, time: float) -> pd.DataFrame:
        """By group: survival, se, lower, upper, at_risk; NaN where the last patient left, alive, before `time`."""
        rows = {}
        for group, curve in self.curves.items():
            last = curve[curve["time"] <= time].iloc[-1]
            row = last[["survival", "se", "lower", "upper"]].to_dict()
            ended = curve["time"].iloc[-1] < time and curve["survival"].iloc[-1] > 0
            if ended:
                row = dict.fromkeys(row, np.nan)
            rows[group] = {**row, "at_risk": _at_risk(curve, time)}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("group")

    def at_risk(self, times: Iterable[float]) -> pd.DataFrame:
        """By group (row) and time (column): how many are still followed just before that time."""
        times = list(times)
        rows = {group: [_at_risk(curve, time) for time in times] for group, curve in self.curves.items()}
        return pd.DataFrame.from_dict(rows, orient="index", columns=times).rename_axis("group")


def kaplan_meier(
    time: ArrayLike,
    event: ArrayLike,
    arm: ArrayLike | None = None,
    *,
    strata: ArrayLike | pd.DataFrame | None = None,
    interval: str = "log-log",
) -> KaplanMeier:
    """Kaplan-Meier curves, one for every arm, or every arm in every stratum.

    time: (n,) >= 0, any unit. event: (n,) bool, True = event, False = censored. arm: (n,) labels. strata: (n,) or
    (n, k) labels. interval: on which scale it is symmetric: log-log (Borgan and Liestol 1990), log or plain.
    All may be columns of one Dask frame: patients are counted where they lie, and the counts are added.
    Raises BadInput, and NoProbability for times that ignore death.
    """
    allow_probability(time)
    if interval not in get_args(Interval):
        raise BadInput(f"there is no interval {interval}.\n  Choose one of: {', '.join(get_args(Interval))}.")
    people = counted(time, event, [("arm", arm), ("strata", strata)])
    return _estimated(people, interval)  # type: ignore[arg-type]


def follow_up(
    time: ArrayLike, event: ArrayLike, arm: ArrayLike | None = None, *, strata: ArrayLike | pd.DataFrame | None = None
) -> KaplanMeier:
    """How long patients were followed: the curve with events and censoring exchanged (Schemper and Smith 1996).

    Arguments as kaplan_meier; its events are ends of follow-up, its median the median follow-up. Raises BadInput.
    """
    people = counted(time, event, [("arm", arm), ("strata", strata)])
    return _estimated(replace(people, event=~people.event), "log-log")


def _estimated(people: Counted, interval: Interval) -> KaplanMeier:
    group = people.groups[0]
    return KaplanMeier({label: _curve(people.only(group == label), interval) for label in sorted(set(group))}, interval)


def _curve(people: Counted, interval: Interval) -> pd.DataFrame:
    fitter = KaplanMeierFitter().fit(people.time, people.event, weights=people.patients)
    table = fitter.event_table
    at_risk, died = table["at_risk"].to_numpy(float), table["observed"].to_numpy(float)
    survival = fitter.survival_function_.iloc[:, 0].to_numpy(float)
    certain = (survival == 0) | (survival == 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.cumsum(died / (at_risk * (at_risk - died)))
    se = np.where(survival > 0, survival * np.sqrt(greenwood), np.nan)
    lower, upper = _bounds(survival, np.sqrt(greenwood), interval)
    return pd.DataFrame(
        {
            "time": table.index.to_numpy(float),
            "at_risk": at_risk.astype(np.int64),
            "events": died.astype(np.int64),
            "censored": table["censored"].to_numpy(np.int64),
            "survival": survival,
            "se": se,
            "lower": np.where(certain, np.nan, lower),
            "upper": np.where(certain, np.nan, upper),
        }
    )


def _bounds(survival: Numbers, spread: Numbers, interval: str) -> tuple[Numbers, Numbers]:
    """Bounds of survival from the standard error of its logarithm, where it is neither 1 nor 0."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if interval == "plain":
            half = Z * survival * spread
            return np.clip(survival - half, 0, 1), np.clip(survival + half, 0, 1)
        if interval == "log":
            return survival * np.exp(-Z * spread), np.minimum(survival * np.exp(Z * spread), 1)
        half = Z * spread / np.abs(np.log(survival))
        return survival ** np.exp(half), survival ** np.exp(-half)


def _at_risk(curve: pd.DataFrame, time: float) -> int:
    later = curve[curve["time"] >= time]
    return int(later["at_risk"].iloc[0]) if len(later) else 0


def _crossing(curve: pd.DataFrame, column: str, level: float) -> float:
    """The time at which a falling step function passes a level; NaN = it does not."""
    values, times = curve[column].to_numpy(float), curve["time"].to_numpy(float)
    below = np.flatnonzero(values < level - SAME)
    on = np.flatnonzero(np.abs(values - level) <= SAME)
    if len(on):
        return float((times[on[0]] + times[below[0] if len(below) else -1]) / 2)
    return float(times[below[0]]) if len(below) else float("nan")
