"""How well are those who are alive, by arm and visit; and how many live, or live well?

The mean among the living compares groups that differ when the arms' survival does: it describes, and stands beside the
chance to be alive, the chance to be alive and well, and a mean in which death counts as the worst value.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit

from analysis.intervals import CONFIDENCE, with_bounds
from analysis.results import Account, BadInput, CannotEstimate, Result, require, rows_of
from analysis.survival import kaplan_meier
from analysis.survival.outcome import labels, outcome

Numbers = NDArray[np.float64]
FEWEST = 2  # forms by arm and visit
LARGEST_WEIGHT = 10.0  # against 1 on average
FADES_MONTHS, SOON_MONTHS = 6.0, 3.0  # before death, in which few answer
RIDGE = 0.1  # of the model of answering, by standardised column


@dataclass(frozen=True)
class WhileAlive(Result):
    """Means among the living, conditional on survival.

    means: by visit and arm: alive (and followed), answered, estimate, se, df, lower, upper. alive: the chance to be
    alive (Kaplan-Meier). alive_and_well: the chance to be alive with a score at or beyond the threshold; None without
    one. composite: the mean with the worst value for the dead. differences: by quantity, visit and pair of arms, later
    less earlier: estimate, se, lower, upper, p. largest_weight: the largest weight used, 1 on average; cut: how many
    were larger than 10 and cut there. excluded: forms by reason.
    """

    means: pd.DataFrame
    alive: pd.DataFrame
    alive_and_well: pd.DataFrame | None
    composite: pd.DataFrame
    differences: pd.DataFrame
    n: int
    deaths: int
    largest_weight: float
    cut: int
    excluded: dict[str, int]

    @property
    def account(self) -> Account:
        return Account(self.n, self.deaths, self.excluded, "weighted GEE, independence, Mancl-DeRouen errors")

    def title(self) -> str:
        left = ", ".join(f"{n} ({why})" for why, n in self.excluded.items() if n) or "none"
        return (
            f"Mean among those alive at each visit, conditional on survival: n {self.n}, deaths {self.deaths}\n"
            f"GEE, independence, weighted by the inverse probability to answer (largest weight "
            f"{self.largest_weight:.3g}, cut {self.cut}), robust errors after Mancl and DeRouen; forms left out: {left}"
        )

    def to_frame(self) -> pd.DataFrame:
        return self.means


def estimate(
    forms: pd.DataFrame,
    subjects: pd.DataFrame,
    *,
    score: str,
    visits: Mapping[Any, float],
    threshold: float | None = None,
    higher_is_better: bool = True,
    worst: float | None = None,
) -> WhileAlive:
    """Mean score among the living by arm and visit, and what it must not be read without.

    forms: subject, visit, the score (NaN = none), one row per subject and visit. subjects: one row each: subject, arm,
    time (months to death or to the last day known alive), died (bool). visits: code: month, in the unit of time; alive
    at a visit is who is followed beyond its month. threshold: from which score on a patient is well (down to which,
    where lower is better). worst: the value of death in the composite; default 0, or 100 where lower is better.
    Generalised estimating equations with independence working correlation (Kurland and Heagerty 2005: with any other,
    the dead are imputed), each form weighted by the inverse of the chance to answer given arm, visit, the last score,
    whether the visit before was answered, and how near a known death is (Robins, Rotnitzky and Zhao 1995), stabilised
    by arm and visit: what silence owes to the present score beyond these remains; standard errors of Mancl and DeRouen
    (2001), t with the patients of the visit less the arms as degrees of freedom, the weights taken as known. The chance
    to be alive is Kaplan and Meier's.
    Raises BadInput, and CannotEstimate when an arm has fewer than two forms at a visit.
    """
    require(forms, ["subject", "visit", score], "forms")
    require(subjects, ["subject", "arm", "time", "died"], "subjects")
    times, deaths = outcome(subjects["time"], subjects["died"])
    arm = labels([("arm", subjects["arm"])], len(times))
    expected, excluded = _expected(forms, subjects.assign(arm=arm, died=deaths), score, visits)
    weights, cut = _weights(expected, score)
    answered = expected[expected[score].notna()].assign(weight=weights)
    _check_numbers(answered, sorted(set(arm)), list(visits))
    death = worst if worst is not None else 0.0 if higher_is_better else 100.0
    means = _means(answered, expected, answered[score])
    alive = _alive(kaplan_meier(times, deaths, arm), visits)
    tables = {"mean among the living": means, "alive": alive}
    if threshold is not None:
        reached = answered[score] >= threshold if higher_is_better else answered[score] <= threshold
        well = _means(answered, expected, reached.astype(float))
        tables["alive and well"] = _bounded(_of_all(well, alive, 0.0))
    tables["composite"] = _of_all(means, alive, death)
    return WhileAlive(
        means=means,
        alive=alive,
        alive_and_well=tables.get("alive and well"),
        composite=tables["composite"],
        differences=pd.concat({name: _differences(table) for name, table in tables.items()}, names=["of"]),
        n=len(times),
        deaths=int(deaths.sum()),
        largest_weight=float(answered["weight"].max()),
        cut=cut,
        excluded=excluded,
    )


def _expected(
    forms: pd.DataFrame, subjects: pd.DataFrame, score: str, visits: Mapping[Any, float]
) -> tuple[pd.DataFrame, dict[str, int]]:
    """A row per subject and visit at which she is alive and followed, in the order of visits, with her score."""
    if (twice := subjects["subject"].duplicated()).any():
        raise BadInput(f"subjects has a subject twice in rows {rows_of(twice)}.\n  Keep one row a patient.")
    if (twice := forms.duplicated(["subject", "visit"])).any():
        raise BadInput(f"forms has a subject twice at one visit in rows {rows_of(twice)}.\n  Keep one of them.")
    if (strange := ~forms["subject"].isin(subjects["subject"])).any():
        raise BadInput(f"forms has no such subject in rows {rows_of(strange)}.\n  Add it to subjects.")
    if not visits:
        raise BadInput("there are no visits.\n  Give their codes and months.")
    calendar = pd.DataFrame({"visit": list(visits), "month": [float(month) for month in visits.values()]})
    grid = subjects[["subject", "arm", "time", "died"]].merge(calendar.sort_values("month", kind="stable"), how="cross")
    known = grid.merge(forms[["subject", "visit", score]], on=["subject", "visit"], how="left")
    followed = known["time"] > known["month"]
    late = int((known[score].notna() & ~followed).sum())
    other = int((~forms["visit"].isin(calendar["visit"]) & forms[score].notna()).sum())
    rows = known[followed].reset_index(drop=True)
    rows["visit"] = pd.Categorical(rows["visit"], list(calendar.sort_values("month", kind="stable")["visit"]))
    return rows, {"after death or the end of follow-up": late, "at another visit": other}


def _weights(expected: pd.DataFrame, score: str) -> tuple[Numbers, int]:
    """Of each answered form: the share of its arm and visit that answered over its own chance; and how many are cut."""
    seen = expected[score].notna()
    by_subject = expected.groupby("subject", sort=False)
    last = by_subject[score].transform(lambda scores: scores.ffill().shift())
    before = seen.groupby(expected["subject"], sort=False).shift(fill_value=False)
    first = by_subject.cumcount() == 0
    centre = float(expected[score].mean())
    columns = pd.get_dummies(expected[["visit", "arm"]], drop_first=True).astype(float)
    columns = columns.assign(last=last.fillna(centre), none=last.isna() & ~first, before=before & ~first).astype(float)
    left = expected["time"] - expected["month"]
    columns["dying"] = np.where(expected["died"], 1 / (1 + left / FADES_MONTHS), 0.0)
    columns["dying soon"] = (expected["died"] & (left < SOON_MONTHS)).astype(float)
    x = columns.to_numpy()
    spread = x.std(axis=0)
    x = np.column_stack([np.ones(len(x)), (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1.0)])
    chance = _logistic(x, np.asarray(seen, dtype=np.float64))
    share = seen.groupby([expected["arm"], expected["visit"]], observed=True).transform("mean").to_numpy(float)
    raw = (share / chance)[seen.to_numpy()]
    cell = expected.loc[seen, "arm"].astype(str) + " " + expected.loc[seen, "visit"].astype(str)
    raw = raw / pd.Series(raw).groupby(cell.to_numpy()).transform("mean").to_numpy()
    return np.minimum(raw, LARGEST_WEIGHT), int((raw > LARGEST_WEIGHT).sum())


def _logistic(x: Numbers, answered: Numbers) -> Numbers:
    """(n,) chances by logistic regression with a small ridge, so that a visit that all answered does no harm."""
    beta = np.zeros(x.shape[1])
    penalty = RIDGE * np.append(0.0, np.ones(x.shape[1] - 1)) + 1e-8
    for _ in range(50):
        chance = expit(x @ beta)
        slope = x.T @ (answered - chance) - penalty * beta
        bend = (x * (chance * (1 - chance))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(bend, slope)
        beta = beta + step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-8:
            break
    return np.asarray(expit(x @ beta))


def _check_numbers(answered: pd.DataFrame, arms: list[str], visits: list[Any]) -> None:
    counts = answered.groupby(["visit", "arm"], observed=False).size()
    for visit in visits:
        for arm in arms:
            if counts.get((visit, arm), 0) < FEWEST:
                found = counts.get((visit, arm), 0)
                raise CannotEstimate(f"arm {arm} has {found} forms of living patients at visit {visit}; leave it out")


def _means(answered: pd.DataFrame, expected: pd.DataFrame, values: "pd.Series[float]") -> pd.DataFrame:
    """By visit and arm, the solution of the estimating equations.

    A patient has one form a visit, so that her rows touch different means: the equations fall apart into weighted
    means, and Mancl and DeRouen's matrix of leverages into one number a form, its share of the weight.
    """
    cell = [answered["visit"], answered["arm"]]
    weight = answered["weight"].astype(float)
    total = weight.groupby(cell, observed=True).sum()
    estimate = (weight * values).groupby(cell, observed=True).sum() / total
    residual = values - estimate.reindex(pd.MultiIndex.from_frame(answered[["visit", "arm"]])).to_numpy()
    share = weight / weight.groupby(cell, observed=True).transform("sum")
    squares = (share * residual / (1 - share)) ** 2
    se = np.sqrt(squares.groupby(cell, observed=True).sum())
    forms = weight.groupby(cell, observed=True).size()
    df = forms.groupby(level="visit", observed=True).transform(lambda n: n.sum() - len(n))
    living = expected.groupby(["visit", "arm"], observed=True).size()
    columns = {"alive": living[total.index], "answered": forms, "estimate": estimate, "se": se, "df": df.astype(float)}
    table = pd.DataFrame(columns)
    index = total.index.to_frame(index=False).astype(object)
    table.index = pd.MultiIndex.from_frame(index, names=["visit", "arm"])
    half = stats.t.ppf((1 + CONFIDENCE) / 2, table["df"]) * table["se"]
    return table.assign(lower=table["estimate"] - half, upper=table["estimate"] + half)


def _alive(curves: Any, visits: Mapping[Any, float]) -> pd.DataFrame:
    tables = {visit: curves.survival_at(float(month)).rename_axis("arm") for visit, month in visits.items()}
    table = pd.concat(tables, names=["visit"]).rename(columns={"survival": "estimate"})
    certain = table["estimate"].isin([0.0, 1.0])  # nobody has died yet, or everybody has
    bounds = {bound: table[bound].where(~certain, table["estimate"]) for bound in ("lower", "upper")}
    return pd.DataFrame(table.assign(**bounds)[["at_risk", "estimate", "se", "lower", "upper"]])


def _of_all(means: pd.DataFrame, alive: pd.DataFrame, worst: float) -> pd.DataFrame:
    """Of all randomised: the living with their mean, the dead with the worst value; the two estimates independent."""
    chance = alive.loc[means.index]
    gain = means["estimate"] - worst
    estimate = worst + chance["estimate"] * gain
    se = np.hypot(chance["estimate"] * means["se"], chance["se"] * gain)
    return with_bounds(pd.DataFrame({"estimate": estimate, "se": se}))


def _bounded(chances: pd.DataFrame) -> pd.DataFrame:
    return chances.assign(lower=chances["lower"].clip(0, 1), upper=chances["upper"].clip(0, 1))


def _differences(table: pd.DataFrame) -> pd.DataFrame:
    """By visit and pair of arms; the arms are independent. t where there are degrees of freedom, else normal."""
    rows = {}
    for visit, here in table.groupby(level="visit", sort=False):
        here = here.droplevel("visit")
        for one, other in combinations(here.index, 2):
            apart = here.loc[other, "estimate"] - here.loc[one, "estimate"]
            se = float(np.hypot(here.loc[one, "se"], here.loc[other, "se"]))
            df = float(here.loc[one, "df"]) if "df" in here else np.inf
            half = float(stats.t.ppf((1 + CONFIDENCE) / 2, df)) * se
            p = 2 * float(stats.t.sf(abs(apart) / se, df)) if se > 0 else np.nan
            key = (visit, f"{other} - {one}")
            rows[key] = {"estimate": apart, "se": se, "lower": apart - half, "upper": apart + half, "p": p}
    index = pd.MultiIndex.from_tuples(list(rows), names=["visit", "arms"])
    return pd.DataFrame(list(rows.values()), index=index, columns=["estimate", "se", "lower", "upper", "p"])
