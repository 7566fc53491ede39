"""How long do patients live when each month counts by how well it was?"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.qtwist.areas import Numbers, Weighted, check_followed, drawn, interval
from analysis.results import Account, BadInput, CannotEstimate, Result, require, rows_of
from analysis.survival.outcome import labels, outcome


@dataclass(frozen=True)
class QualityAdjusted(Result):
    """Quality-adjusted survival up to a horizon.

    means: by arm: n, deaths, forms, estimate, se, lower, upper. differences: by pair of arms, later less earlier.
    utility: by arm and month, the mean among those alive and answering, and how many. excluded: forms by reason.
    """

    horizon: float
    means: pd.DataFrame
    differences: pd.DataFrame
    utility: pd.DataFrame
    n: int
    events: int
    excluded: dict[str, int]
    replicates: int
    seed: int

    @property
    def account(self) -> Account:
        method = f"quality times survival to {self.horizon:g}, bootstrap {self.replicates}"
        return Account(self.n, self.events, self.excluded, method)

    def title(self) -> str:
        left = ", ".join(f"{n} ({why})" for why, n in self.excluded.items() if n) or "none"
        counts = f"n {self.n}, deaths {self.events}; forms left out: {left}"
        method = f"{self.replicates} bootstrap replicates, seed {self.seed}"
        return f"Quality-adjusted survival to {self.horizon:g}: {counts}\n{method}"

    def to_frame(self) -> pd.DataFrame:
        return self.means


def quality_adjusted(
    forms: pd.DataFrame,
    subjects: pd.DataFrame,
    *,
    utility: str,
    horizon: float,
    arm: str = "arm",
    subject: str = "subject",
    month: str = "month",
    time: str = "time",
    died: str = "died",
    replicates: int = 1000,
    seed: int = 1,
) -> QualityAdjusted:
    """Area under the product of survival and of the mean utility among the living, by arm.

    forms: subject, month (the planned one, the same for all) and utility (1 = full health, 0 = as bad as death; may be
    below 0); forms after the end of follow-up, and those without a utility, are left out and counted. subjects: one row
    each: subject, arm, time, died (bool). horizon: in the unit of time and month. Between visits the mean runs
    straight, after the last one and before the first it stays. Glasziou, Cole, Gelber, Hilden and Simes (1998), with
    bootstrap replicates drawn by patient within arms. The mean utility is that of those who answer.
    Raises BadInput, and CannotEstimate when an arm has no form or was not followed to the horizon.
    """
    require(forms, [subject, month, utility], "forms")
    require(subjects, [subject, arm, time, died], "subjects")
    times, deaths = outcome(subjects[time], subjects[died])
    group = labels([("arm", subjects[arm])], len(times))
    if not horizon > 0 or replicates < 2:
        raise BadInput(f"horizon is {horizon}, replicates {replicates}.\n  Give a time after 0, and 2 at least.")
    known, excluded = _known(forms, subjects, subject, month, utility, times)
    who = pd.Index(subjects[subject]).get_indexer(known[subject])
    given = _Forms(known[month].to_numpy(float), known[utility].to_numpy(float), np.asarray(who))
    weights = drawn(group, replicates, seed)
    arms = {}
    for label in sorted(set(group)):
        mine = np.flatnonzero(group == label)
        check_followed(times[mine], deaths[mine], horizon, label)
        if not (own := given.of(mine)).patients.size:
            raise CannotEstimate(f"{label}: nobody has a form with {utility}")
        arms[label] = _of_an_arm(Weighted(times[mine], deaths[mine], weights[:, mine]), own, weights, horizon)
    return QualityAdjusted(
        horizon=horizon,
        means=_means(arms),
        differences=_differences(arms),
        utility=pd.concat({label: each.course for label, each in arms.items()}, names=["arm"]),
        n=len(times),
        events=int(deaths.sum()),
        excluded=excluded,
        replicates=replicates,
        seed=seed,
    )


@dataclass(frozen=True, eq=False)
class _Forms:
    """(k,) months, utilities, and the row of the patient of each."""

    months: Numbers
    values: Numbers
    patients: NDArray[np.intp]

    def of(self, patients: NDArray[np.intp]) -> "_Forms":
        own = np.isin(self.patients, patients)
        return _Forms(self.months[own], self.values[own], self.patients[own])


@dataclass(frozen=True, eq=False)
class _Arm:
    """counts: n, deaths, forms. area: (r,) quality-adjusted time. course: by month, the mean utility and how many."""

    counts: dict[str, int]
    area: Numbers
    course: pd.DataFrame


def _of_an_arm(curve: Weighted, forms: _Forms, weights: Numbers, horizon: float) -> _Arm:
    at, n = np.unique(forms.months, return_counts=True)
    quality = _course(forms.months, forms.values, weights[:, forms.patients])
    counts = {"n": len(curve.times), "deaths": int(curve.events.sum()), "forms": len(forms.values)}
    course = pd.DataFrame({"mean": quality[0], "n": n}, index=pd.Index(at, name="month"))
    return _Arm(counts, _product(curve, at, quality, horizon), course)


def _means(arms: dict[str, _Arm]) -> pd.DataFrame:
    table = pd.DataFrame({label: {**each.counts, **_row(each.area)} for label, each in arms.items()}).T
    return table.astype({"n": int, "deaths": int, "forms": int}).rename_axis("arm")


def _differences(arms: dict[str, _Arm]) -> pd.DataFrame:
    """By pair of arms, later less earlier."""
    pairs = {f"{other} - {one}": _row(arms[other].area - arms[one].area) for one, other in combinations(arms, 2)}
    return pd.DataFrame.from_dict(pairs, orient="index").rename_axis("arms")


def _row(areas: Numbers) -> dict[str, float]:
    """The estimate, first of (r,), with what the replicates say of it."""
    return {"estimate": float(areas[0]), **interval(areas[1:])}


def _known(
    forms: pd.DataFrame, subjects: pd.DataFrame, subject: str, month: str, utility: str, times: Numbers
) -> tuple[pd.DataFrame, dict[str, int]]:
    if (strange := ~forms[subject].isin(subjects[subject])).any():
        raise BadInput(f"forms has no such subject in rows {rows_of(strange)}.\n  Add it to subjects.")
    if (high := forms[utility] > 1).any():
        raise BadInput(f"{utility} is above 1 in rows {rows_of(high)}.\n  1 is full health.")
    if (twice := forms.duplicated([subject, month])).any():
        raise BadInput(f"forms has a subject twice at one {month} in rows {rows_of(twice)}.\n  Keep one of them.")
    ends = forms[subject].map(pd.Series(times, index=subjects[subject].to_numpy()))
    unknown = forms[utility].isna() | forms[month].isna()
    late = ~unknown & (forms[month] > ends)
    return forms[~unknown & ~late], {f"no {utility}": int(unknown.sum()), "after the end": int(late.sum())}


def _course(months: Numbers, values: Numbers, weights: Numbers) -> Numbers:
    """(r, visits) mean utility at each month; a replicate without a form there takes the month before."""
    found: list[Numbers] = []
    for at in np.unique(months):
        here = months == at
        total = weights[:, here].sum(axis=1)
        mean = np.divide(weights[:, here] @ values[here], total, out=np.full(len(total), np.nan), where=total > 0)
        found.append(np.where(np.isnan(mean) & bool(found), found[-1] if found else np.nan, mean))
    return np.column_stack(found)


def _product(curve: Weighted, months: Numbers, quality: Numbers, horizon: float) -> Numbers:
    """(r,) area under survival times quality: survival is flat, quality straight between the cuts."""
    cuts = np.unique(np.concatenate([[0.0, horizon], months[months < horizon], curve.at[curve.at < horizon]]))
    survival = curve.before(cuts[1:])
    place = np.clip(np.searchsorted(months, cuts, side="right") - 1, 0, len(months) - 1)
    following = np.minimum(place + 1, len(months) - 1)
    gap = np.maximum(months[following] - months[place], 1e-300)
    share = np.clip((cuts - months[place]) / gap, 0.0, 1.0)
    at_cuts = quality[:, place] * (1 - share) + quality[:, following] * share
    return np.asarray((survival * (at_cuts[:, :-1] + at_cuts[:, 1:]) / 2) @ np.diff(cuts))
