"""What share has had each kind of event by each time, when the others prevent it?"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from analysis.competing.causes import causes
from analysis.intervals import Z
from analysis.results import Account, Result
from analysis.survival.outcome import Mask, Numbers, allow_probability, labels

WIDEST = 500.0  # on the log-log scale; beyond it the bound is 0 or 1 in every digit


@dataclass(frozen=True)
class CumulativeIncidence(Result):
    """Aalen-Johansen estimates.

    curves: by group and cause, a row per time of an event of any cause, time 0 first: time, at_risk, events, incidence,
    variance, lower, upper (95 %, log-log; NaN where incidence is 0).
    """

    curves: dict[tuple[str, str], pd.DataFrame]
    followed: dict[str, float]

    @property
    def account(self) -> Account:
        table = self.to_frame()
        n = int(table["n"].groupby(level="group").first().sum())
        return Account(n, int(table["events"].sum()), {}, "Aalen-Johansen, log-log interval")

    def title(self) -> str:
        return "Cumulative incidence (Aalen-Johansen) at the end of follow-up, 95 % interval (log-log)"

    def to_frame(self) -> pd.DataFrame:
        """By group and cause, at the last event: n, events, incidence, variance, lower, upper."""
        rows = {}
        for key, curve in self.curves.items():
            counts = {"n": int(curve["at_risk"].iloc[0]), "events": int(curve["events"].sum())}
            rows[key] = counts | _shown(curve)
        return self._indexed(rows)

    def at(self, time: float) -> pd.DataFrame:
        """By group and cause: incidence, variance, lower, upper; NaN where the last patient left before `time`."""
        rows = {}
        for key, curve in self.curves.items():
            row = _shown(curve[curve["time"] <= time])
            rows[key] = row if time <= self.followed[key[0]] else dict.fromkeys(row, np.nan)
        return self._indexed(rows)

    @staticmethod
    def _indexed(rows: dict[tuple[str, str], dict[str, float]]) -> pd.DataFrame:
        table = pd.DataFrame(list(rows.values()))
        table.index = pd.MultiIndex.from_tuples(list(rows), names=["group", "cause"])
        return table


def cumulative_incidence(
    time: ArrayLike,
    cause: ArrayLike,
    arm: ArrayLike | None = None,
    *,
    strata: ArrayLike | pd.DataFrame | None = None,
) -> CumulativeIncidence:
    """Cumulative incidence of every cause, for every arm, or every arm in every stratum.

    time: (n,) >= 0. cause: (n,) label of the first event, 0 or missing = censored. arm, strata: labels. Variance after
    Aalen (1978) with the hypergeometric correction for ties, as R's cmprsk.
    Raises BadInput, and NoProbability for times that ignore death.
    """
    allow_probability(time)
    times, first = causes(time, cause)
    group = labels([("arm", arm), ("strata", strata)], len(times))
    curves, followed = {}, {}
    for label in sorted(set(group)):
        mine = group == label
        complete = (first[mine] != "")[times[mine] == times[mine].max()].all()
        followed[label] = np.inf if complete else float(times[mine].max())
        for each in sorted(set(first) - {""}):
            curves[label, each] = _curve(times[mine], first[mine] == each, first[mine] != "")
    return CumulativeIncidence(curves, followed)


def _shown(curve: pd.DataFrame) -> dict[str, float]:
    """The last row of a curve."""
    return {column: float(curve[column].iloc[-1]) for column in ("incidence", "variance", "lower", "upper")}


def _curve(times: Numbers, mine: Mask, event: Mask) -> pd.DataFrame:
    at = np.unique(times[event])
    n = len(times) - np.searchsorted(np.sort(times), at, side="left")
    d1, d = _counted(times[mine], at), _counted(times[event], at)
    before = np.concatenate([[1.0], np.cumprod(1 - d / n)])
    survival, before = before[1:], before[:-1]
    incidence = np.cumsum(before * d1 / n)
    left = np.divide(1.0, survival, out=np.zeros(len(at)), where=survival > 0)
    own, other = _spread(before, d1, n), np.where(survival > 0, _spread(before, d - d1, n), 0.0)
    own_part = 1 + incidence * left
    square = np.cumsum(own_part**2 * own + (incidence * left) ** 2 * other)
    cross = np.cumsum(own_part * left * own + incidence * left**2 * other)
    flat = np.cumsum(left**2 * (own + other))
    variance = np.maximum(square + incidence**2 * flat - 2 * incidence * cross, 0.0)
    lower, upper = _bounds(incidence, variance)
    table = {"time": at, "at_risk": n, "events": d1, "incidence": incidence, "variance": variance}
    frame = pd.DataFrame({**table, "lower": lower, "upper": upper})
    start = {"time": 0.0, "at_risk": len(times), "events": 0, "incidence": 0.0, "variance": 0.0}
    return pd.concat([pd.DataFrame([{**start, "lower": np.nan, "upper": np.nan}]), frame], ignore_index=True)


def _counted(times: Numbers, at: Numbers) -> Numbers:
    ordered = np.sort(times)
    found = np.searchsorted(ordered, at, side="right") - np.searchsorted(ordered, at, side="left")
    return np.asarray(found, dtype=np.float64)


def _spread(before: Numbers, died: Numbers, n: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> Numbers:
    """Variance of the jump of the incidence."""
    ties = np.where(died > 1, 1 - (died - 1) / np.maximum(n - 1, 1), 1.0)
    return np.asarray(before**2 * ties * died / n**2)


def _bounds(incidence: Numbers, variance: Numbers) -> tuple[Numbers, Numbers]:
    inside = (incidence > 0) & (incidence < 1)
    f = np.where(inside, incidence, 0.5)
    half = np.minimum(Z * np.sqrt(variance) / np.abs(f * np.log(f)), WIDEST)
    return np.where(inside, f ** np.exp(half), np.nan), np.where(inside, f ** np.exp(-half), np.nan)
