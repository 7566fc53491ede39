"""How much time do patients spend with toxicity, without symptoms, and after progression, and what is it worth?"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import pandas as pd

from analysis.qtwist.areas import Mask, Numbers, Weighted, check_followed, drawn, interval
from analysis.results import Account, BadInput, CannotEstimate, Result, require, rows_of
from analysis.survival.outcome import labels, outcome

STATES = ("toxicity", "without symptoms", "after progression", "alive")
UTILITIES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class QTwist(Result):
    """Mean time in each state up to a horizon, and quality-adjusted time (Q-TWiST).

    states: by arm and state (toxicity, without symptoms, after progression, alive = their sum): estimate, se, lower,
    upper. differences: by pair of arms and state, later less earlier. sweep: by pair of arms, utility of toxicity and
    of the time after progression: the difference in quality-adjusted time; time without symptoms counts fully.
    Standard errors and 95 % percentile intervals from bootstrap replicates, drawn within arms.
    """

    horizon: float
    states: pd.DataFrame
    differences: pd.DataFrame
    sweep: pd.DataFrame
    n: int
    events: int
    replicates: int
    seed: int

    @property
    def account(self) -> Account:
        return Account(
            self.n, self.events, {}, f"partitioned survival to {self.horizon:g}, bootstrap {self.replicates}"
        )

    def title(self) -> str:
        counts = f"n {self.n}, deaths {self.events}"
        return f"Q-TWiST to {self.horizon:g}: {counts}; {self.replicates} bootstrap replicates, seed {self.seed}"

    def to_frame(self) -> pd.DataFrame:
        """Difference in quality-adjusted time by pair of arms and utilities."""
        return self.sweep


def estimate(
    subjects: pd.DataFrame,
    *,
    horizon: float,
    toxicity: pd.DataFrame | None = None,
    arm: str = "arm",
    subject: str = "subject",
    time: str = "time",
    died: str = "died",
    progression_time: str = "progression_time",
    progressed: str = "progressed",
    utilities: Sequence[float] = UTILITIES,
    replicates: int = 1000,
    seed: int = 1,
) -> QTwist:
    """Time with toxicity, without symptoms or toxicity, and after progression, by arm, and quality-adjusted time.

    subjects: one row each: subject, arm, time and died (bool), progression_time and progressed (bool; progression or
    death, whichever is first), in the unit of horizon. toxicity: subject, start, stop: stretches with grade 3 or worse;
    what overlaps counts once, what lies after progression or after the horizon does not count. utilities: 0 to 1, each
    with each for toxicity and for the time after progression.
    Partitioned survival (Glasziou, Simes and Gelber 1990): areas under and between Kaplan-Meier curves of progression-
    free and overall survival; time with toxicity weighted by the inverse probability of not being censored (Zhao and
    Tsiatis 1997), by the same censoring as progression.
    Raises BadInput, and CannotEstimate when an arm was not followed to the horizon or there is one arm.
    """
    require(subjects, [subject, arm, time, died, progression_time, progressed], "subjects")
    times, deaths = outcome(subjects[time], subjects[died])
    free, ended = outcome(subjects[progression_time], subjects[progressed])
    group = labels([("arm", subjects[arm])], len(times))
    _check(horizon, utilities, replicates, free, times)
    stretches = _stretches(toxicity, subjects, subject, free, horizon)
    arms = sorted(set(group))
    if len(arms) < 2:
        raise CannotEstimate("all patients are in one arm")
    weights = drawn(group, replicates, seed)
    means: dict[str, Numbers] = {}
    for label in arms:
        mine = np.flatnonzero(group == label)
        lived = Weighted(times[mine], deaths[mine], weights[:, mine])
        kept = Weighted(free[mine], ended[mine], weights[:, mine])
        means[label] = _states(label, lived, kept, [stretches[at] for at in mine], horizon)
    apart = {f"{other} - {one}": means[other] - means[one] for one, other in combinations(arms, 2)}
    return QTwist(
        horizon=horizon,
        states=_table(means),
        differences=_table(apart),
        sweep=_sweep(apart, utilities),
        n=len(times),
        events=int(deaths.sum()),
        replicates=replicates,
        seed=seed,
    )


def _states(label: str, lived: Weighted, free: Weighted, stretches: list[Numbers], horizon: float) -> Numbers:
    """(r, states) mean time of an arm in each of STATES."""
    check_followed(free.times, free.events, horizon, f"{label}, free of progression")
    check_followed(lived.times, lived.events, horizon, label)
    alive, well = lived.area(horizon), free.area(horizon)
    toxic = _toxic(free.times, free.events, free.weights, stretches)
    return np.column_stack([toxic, well - toxic, alive - well, alive])


def _check(horizon: float, utilities: Sequence[float], replicates: int, free: Numbers, times: Numbers) -> None:
    if not horizon > 0:
        raise BadInput(f"horizon is {horizon}.\n  Give a time after 0.")
    if not utilities or not all(0 <= each <= 1 for each in utilities):
        raise BadInput(f"utilities are {list(utilities)}.\n  Give numbers from 0 (as bad as death) to 1.")
    if replicates < 2:
        raise BadInput(f"replicates is {replicates}.\n  Give 2 at least; 1000 are usual.")
    if (late := free > times).any():
        raise BadInput(f"progression comes after the end of follow-up in rows {rows_of(late)}.\n  Correct either time.")


def _stretches(
    toxicity: pd.DataFrame | None, subjects: pd.DataFrame, subject: str, free: Numbers, horizon: float
) -> list[Numbers]:
    """Of each patient (k, 2) separate stretches with toxicity before progression and the horizon."""
    found: list[Numbers] = [np.empty((0, 2)) for _ in range(len(subjects))]
    if toxicity is None or toxicity.empty:
        return found
    require(toxicity, [subject, "start", "stop"], "toxicity")
    if (bad := ~(toxicity["stop"] >= toxicity["start"]) | ~(toxicity["start"] >= 0)).any():
        raise BadInput(
            f"toxicity has no stretch of time in rows {rows_of(bad)}.\n  Give start >= 0, and stop >= start."
        )
    places = {name: at for at, name in enumerate(subjects[subject])}
    if (strange := ~toxicity[subject].isin(places)).any():
        raise BadInput(f"toxicity has no such subject in rows {rows_of(strange)}.\n  Add it to subjects.")
    for name, rows in toxicity.groupby(subject, sort=False):
        at = places[name]
        found[at] = _united(rows[["start", "stop"]].to_numpy(float), min(free[at], horizon))
    return found


def _united(stretches: Numbers, end: float) -> Numbers:
    """Sorted stretches up to an end, those that touch made one."""
    whole: list[list[float]] = []
    for start, stop in sorted(np.minimum(stretches, end).tolist()):
        if whole and start <= whole[-1][1]:
            whole[-1][1] = max(whole[-1][1], stop)
        elif stop > start:
            whole.append([start, stop])
    return np.array(whole).reshape(-1, 2)


def _toxic(free: Numbers, ended: Mask, weights: Numbers, stretches: list[Numbers]) -> Numbers:
    """(r,) mean time with toxicity, each moment over the probability to be still followed."""
    who = np.repeat(np.arange(len(free)), [len(each) for each in stretches])
    if len(who) == 0:
        return np.zeros(len(weights))
    both = np.concatenate(stretches)
    censored = Weighted(free, ~ended, weights)
    cuts = np.unique(np.concatenate([[0.0], censored.at[censored.at < both.max()], both.ravel()]))
    chance = censored.before(cuts[1:])
    pieces = np.divide(np.diff(cuts), chance, out=np.zeros_like(chance), where=chance > 0)
    summed = np.hstack([np.zeros((len(weights), 1)), np.cumsum(pieces, axis=1)])
    each = summed[:, np.searchsorted(cuts, both[:, 1])] - summed[:, np.searchsorted(cuts, both[:, 0])]
    return np.asarray((weights[:, who] * each).sum(axis=1) / weights.sum(axis=1))


def _sweep(apart: dict[str, Numbers], utilities: Sequence[float]) -> pd.DataFrame:
    rows = {}
    for pair, times in apart.items():
        for of_toxicity, of_progression in product(utilities, utilities):
            worth = times @ np.array([of_toxicity, 1.0, of_progression, 0.0])
            rows[pair, of_toxicity, of_progression] = {"estimate": float(worth[0]), **interval(worth[1:])}
    names = ["arms", "utility of toxicity", "utility after progression"]
    return pd.DataFrame(list(rows.values()), index=pd.MultiIndex.from_tuples(list(rows), names=names))


def _table(means: dict[str, Numbers]) -> pd.DataFrame:
    """By arm or pair of arms and state, the estimate and what the replicates say of it."""
    rows = {
        (label, state): {"estimate": float(values[0]), **interval(values[1:])}
        for label, times in means.items()
        for state, values in zip(STATES, times.T, strict=True)
    }
    return pd.DataFrame(list(rows.values()), index=pd.MultiIndex.from_tuples(list(rows), names=["arm", "state"]))
