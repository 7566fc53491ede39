"""What share is still free of the event at each time, and when is it half?"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from lifelines import KaplanMeierFitter
from numpy.typing import ArrayLike

from analysis.results import Result
from analysis.survival.outcome import CONFIDENCE, Mask, Numbers, labels, outcome

SAME = 1.5e-8  # a curve this near 1/2 lies on it


@dataclass(frozen=True)
class KaplanMeier(Result):
    """Survival curves with 95 % log-log intervals.

    curves: by group, a row per distinct time: time, at_risk, events, censored, survival, se (Greenwood), lower, upper.
    Before the first event and once survival is 0 there is no interval (NaN).
    """

    curves: dict[str, pd.DataFrame]

    def title(self) -> str:
        return "Kaplan-Meier, median with 95 % interval (log-log); NaN = not reached"

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
                "median": _crossing(curve, "survival"),
                "lower": _crossing(curve, "lower"),
                "upper": _crossing(curve, "upper"),
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("group")

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
    time: ArrayLike, event: ArrayLike, arm: ArrayLike | None = None, *, strata: ArrayLike | pd.DataFrame | None = None
) -> KaplanMeier:
    """Kaplan-Meier curves, one for every arm, or every arm in every stratum.

    time: (n,) >= 0, any unit. event: (n,) bool, True = event, False = censored. arm: (n,) labels. strata: (n,) or
    (n, k) labels. Raises BadInput.
    """
    times, events = outcome(time, event)
    group = labels([("arm", arm), ("strata", strata)], len(times))
    curves = {}
    for label in sorted(set(group)):
        mine = group == label
        curves[label] = _curve(times[mine], events[mine])
    return KaplanMeier(curves)


def _curve(times: Numbers, events: Mask) -> pd.DataFrame:
    fitter = KaplanMeierFitter(alpha=1 - CONFIDENCE).fit(times, events)
    table, bounds = fitter.event_table, fitter.confidence_interval_
    at_risk, died = table["at_risk"].to_numpy(float), table["observed"].to_numpy(float)
    survival = fitter.survival_function_.iloc[:, 0].to_numpy(float)
    certain = (survival == 0) | (survival == 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.cumsum(died / (at_risk * (at_risk - died)))
    se = np.where(survival > 0, survival * np.sqrt(greenwood), np.nan)
    return pd.DataFrame(
        {
            "time": table.index.to_numpy(float),
            "at_risk": at_risk.astype(np.int64),
            "events": died.astype(np.int64),
            "censored": table["censored"].to_numpy(np.int64),
            "survival": survival,
            "se": se,
            "lower": np.where(certain, np.nan, bounds.iloc[:, 0].to_numpy(float)),
            "upper": np.where(certain, np.nan, bounds.iloc[:, 1].to_numpy(float)),
        }
    )


def _at_risk(curve: pd.DataFrame, time: float) -> int:
    later = curve[curve["time"] >= time]
    return int(later["at_risk"].iloc[0]) if len(later) else 0


def _crossing(curve: pd.DataFrame, column: str) -> float:
    """The time at which a falling step function passes 1/2; NaN = it does not."""
    values, times = curve[column].to_numpy(float), curve["time"].to_numpy(float)
    below = np.flatnonzero(values < 0.5 - SAME)
    on = np.flatnonzero(np.abs(values - 0.5) <= SAME)
    if len(on):
        return float((times[on[0]] + times[below[0] if len(below) else -1]) / 2)
    return float(times[below[0]]) if len(below) else float("nan")
