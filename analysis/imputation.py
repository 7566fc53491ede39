"""What would the difference be if patients who stop answering went on like the reference arm, or were worse off?

Reference-based imputation by conditional means, with the jackknife (Wolbers and others 2022, R's rbmi): the model of
repeated measures gives the expected missing scores, an analysis of covariance the difference at each visit, and both
are done again without each patient in turn. Nothing is imputed after death.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray

from analysis import mmrm
from analysis.intervals import CONFIDENCE, tested, with_bounds
from analysis.mmrm.leaving import Leaving
from analysis.results import Account, BadInput, CannotEstimate, Result, require, rows_of

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]
Strategy = Literal["missing at random", "jump to reference", "copy increments", "copy reference"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)


@dataclass(frozen=True)
class Imputed(Result):
    """Differences between arms when missing scores of the living are imputed.

    differences: by strategy, visit and pair of arms (reference first): estimate, se, lower, upper, z, p. means: by
    strategy, visit and arm, adjusted: estimate, se, lower, upper. tipping: by visit, pair and points added to imputed
    scores of the reference and of the other arms (under missing at random): the same as differences. counts: by visit
    and arm: observed, imputed, dead.
    """

    reference: str
    differences: pd.DataFrame
    means: pd.DataFrame
    tipping: pd.DataFrame | None
    counts: pd.DataFrame
    n: int
    structure: str

    @property
    def account(self) -> Account:
        return Account(self.n, None, {}, f"conditional means of an MMRM ({self.structure}), jackknife")

    def title(self) -> str:
        imputed = int(self.counts["imputed"].sum())
        return (
            f"Reference-based imputation by conditional means, reference {self.reference}: n {self.n}, "
            f"{imputed} scores imputed, none after death\n"
            f"MMRM ({self.structure}), covariance analysis at each visit, jackknife by patient"
        )

    def to_frame(self) -> pd.DataFrame:
        return self.differences

    def tipping_points(self) -> pd.DataFrame:
        """By visit and pair, points added to the other arm's imputed scores nearest to 0 at which p is first >= 0.05.

        The reference arm's scores have none added; NaN = no points given do that, or there is no difference to tip.
        """
        if self.tipping is None:
            raise BadInput("no points were given to add.\n  Ask estimate for them with deltas=.")
        rows: dict[Any, float] = {}
        for key, table in self.tipping.xs(0.0, level="to reference").groupby(level=["visit", "arms"], sort=False):
            points = table.index.get_level_values("to others").to_numpy(float)
            lost = points[table["p"].to_numpy(float) >= 1 - CONFIDENCE]
            start = table["p"].to_numpy(float)[points == 0]
            tips = len(lost) > 0 and len(start) > 0 and start[0] < 1 - CONFIDENCE
            rows[key] = float(lost[np.abs(lost).argmin()]) if tips else float("nan")
        index = pd.MultiIndex.from_tuples(list(rows), names=["visit", "arms"])
        return pd.DataFrame({"points": list(rows.values())}, index=index)


def estimate(
    data: pd.DataFrame,
    *,
    outcome: str,
    reference: str,
    covariates: Sequence[str] = (),
    strategies: Sequence[str] = STRATEGIES,
    deltas: Sequence[float] = (),
    covariance: str = "us",
    jobs: int = 1,
) -> Imputed:
    """Differences at each visit with missing scores imputed by each strategy, and with points added to them.

    data: one row per subject and visit: subject, visit (in the order of its categories, or sorted), arm, alive (bool),
    the outcome (NaN = missing; must be missing where not alive) and covariates (numbers, the same in all rows of a
    subject, as the baseline score). Every subject has a row at every visit.
    reference: the arm that is referred to; its own patients are always missing at random. Scores missing between two
    answers are, too. From the last answer on (Carpenter, Roger and Kenward 2013): missing at random = the mean goes on
    as in the own arm; jump to reference = it is the reference's; copy increments = it changes as the reference's does;
    copy reference = the patient's means were always the reference's.
    deltas: points, each with each added to imputed scores of the reference and of the other arms: 0 is added to them.
    jobs: processes of the jackknife; joblib's backends, Dask's among them, may be chosen around the call.
    Raises BadInput, and CannotEstimate as mmrm.fit, or when a visit has one arm.
    """
    for strategy in strategies:
        if strategy not in STRATEGIES:
            raise BadInput(f"there is no strategy {strategy}.\n  Choose of: {', '.join(STRATEGIES)}.")
    table = _Table.of(data, outcome, reference, list(covariates))
    steps = sorted({0.0, *map(float, deltas)}) if len(deltas) else []
    task = _Task(tuple(strategies), tuple(steps), covariance, table.arms, table.visits, table.covariates)
    model = task.modelled(table)
    whole = task.estimates(table, model.of_all())
    rows = range(len(table.arm))
    replicates = Parallel(n_jobs=jobs)(delayed(task.without)(table, model, row) for row in rows)
    values = np.array(replicates)
    n = len(values)
    se = np.sqrt((n - 1) / n * ((values - values.mean(axis=0)) ** 2).sum(axis=0))
    found = with_bounds(pd.DataFrame({"estimate": whole.values, "se": se}, index=whole.index))
    compared = tested(found)
    return Imputed(
        reference=reference,
        differences=_part(compared, "difference", ["strategy", "visit", "arms"]),
        means=_part(found, "mean", ["strategy", "visit", "arm"]),
        tipping=_part(compared, "tipping", ["visit", "arms", "to reference", "to others"]) if steps else None,
        counts=table.counts(),
        n=n,
        structure=model.structure,
    )


def _part(found: pd.DataFrame, kind: str, names: list[str]) -> pd.DataFrame:
    keys = [key for key in found.index if key[0] == kind]
    index = pd.MultiIndex.from_tuples([key[1:] for key in keys], names=names)
    return found.loc[keys].set_axis(index)


@dataclass(frozen=True, eq=False, repr=False)
class _Table:
    """n subjects, m visits: y (n, m), NaN = missing; alive (n, m); arm (n,); x (n, k); reference first among arms."""

    y: Numbers
    alive: Mask
    arm: NDArray[np.object_]
    x: Numbers
    arms: tuple[str, ...]
    visits: tuple[Any, ...]
    covariates: tuple[str, ...]

    @classmethod
    def of(cls, data: pd.DataFrame, outcome: str, reference: str, covariates: list[str]) -> "_Table":
        require(data, ["subject", "visit", "arm", "alive", outcome, *covariates], "data")
        _check(data, outcome, covariates)
        kind = data["visit"].astype("category").cat.remove_unused_categories()
        wide = data.assign(visit=kind).pivot(index="subject", columns="visit", values=[outcome, "alive"])
        lacks = np.isnan(wide["alive"].to_numpy(float)).any(axis=1)
        if lacks.any():
            lacking = wide.index[lacks].tolist()
            raise BadInput(
                f"subjects lack a row at some visit: {', '.join(map(str, lacking[:5]))}.\n"
                "  Give a row at every visit, without a score where there is none."
            )
        first = data.drop_duplicates("subject").set_index("subject").loc[wide.index]
        arm = first["arm"].astype(str).to_numpy(dtype=object)
        if reference not in set(arm):
            raise BadInput(f"there is no arm {reference}.\n  There are: {', '.join(sorted(set(arm)))}.")
        others = sorted(set(arm) - {reference})
        if not others:
            raise CannotEstimate("all patients are in the reference arm")
        return cls(
            y=wide[outcome].to_numpy(float),
            alive=wide["alive"].to_numpy(bool),
            arm=arm,
            x=first[covariates].to_numpy(float),
            arms=(reference, *others),
            visits=tuple(kind.cat.categories),
            covariates=tuple(covariates),
        )

    def without(self, row: int) -> "_Table":
        kept = np.arange(len(self.arm)) != row
        whole = self.arms, self.visits, self.covariates
        return _Table(self.y[kept], self.alive[kept], self.arm[kept], self.x[kept], *whole)

    def long(self) -> pd.DataFrame:
        """A row per subject and visit, for the model."""
        n, m = self.y.shape
        columns = {f"x{at}": np.repeat(self.x[:, at], m) for at in range(self.x.shape[1])}
        return pd.DataFrame(
            {
                "subject": np.repeat(np.arange(n), m),
                "visit": pd.Categorical(np.tile([str(visit) for visit in self.visits], n), list(map(str, self.visits))),
                "arm": pd.Categorical(np.repeat(self.arm, m), self.arms),
                "score": self.y.ravel(),
                **columns,
            }
        )

    def counts(self) -> pd.DataFrame:
        rows = {}
        for at, visit in enumerate(self.visits):
            for arm in self.arms:
                mine = self.arm == arm
                seen = int(np.isfinite(self.y[mine, at]).sum())
                living = int(self.alive[mine, at].sum())
                rows[visit, arm] = {"observed": seen, "imputed": living - seen, "dead": int(mine.sum()) - living}
        index = pd.MultiIndex.from_tuples(list(rows), names=["visit", "arm"])
        return pd.DataFrame(list(rows.values()), index=index)


def _check(data: pd.DataFrame, outcome: str, covariates: list[str]) -> None:
    if (twice := data.duplicated(["subject", "visit"])).any():
        raise BadInput(f"a subject is twice at one visit in rows {rows_of(twice)}.\n  Keep one of them.")
    if (dead := data[outcome].notna() & ~data["alive"].astype(bool)).any():
        raise BadInput(f"{outcome} is known and the patient is dead in rows {rows_of(dead)}.\n  Correct either.")
    if (gaps := data[["subject", "visit", "arm", "alive", *covariates]].isna().any(axis=1)).any():
        raise BadInput(f"a label or covariate is missing in rows {rows_of(gaps)}.\n  Leave these patients out.")
    for name in ["arm", *covariates]:
        if (data.groupby("subject")[name].nunique() > 1).any():
            raise BadInput(f"{name} changes within a subject.\n  Give its value at randomisation.")


@dataclass(frozen=True, eq=False)
class _Estimates:
    index: list[tuple[Any, ...]]
    values: Numbers


@dataclass(frozen=True, eq=False)
class _Means:
    """own, referred: (n, m) means in the own and in the reference arm. sigma: (m, m) the covariance of visits."""

    own: Numbers
    referred: Numbers
    sigma: Numbers


@dataclass(frozen=True, eq=False)
class _Modelled:
    """The model of repeated measures. own, referred: (n, m, p) designs in the own and in the reference arm."""

    own: Numbers
    referred: Numbers
    coefficients: Numbers
    sigma: Numbers
    leaving: Leaving
    structure: str

    def of_all(self) -> _Means:
        return _Means(self.own @ self.coefficients, self.referred @ self.coefficients, self.sigma)

    def without(self, row: int, y: Numbers) -> _Means:
        """Of the other patients, by the model of their rows alone."""
        coefficients, sigma = self.leaving.without(self.own[row], y)
        own, referred = (np.delete(each, row, axis=0) @ coefficients for each in (self.own, self.referred))
        return _Means(own, referred, sigma)


@dataclass(frozen=True)
class _Task:
    """What is estimated from a table; done once for all patients and once without each."""

    strategies: tuple[str, ...]
    steps: tuple[float, ...]
    covariance: str
    arms: tuple[str, ...]
    visits: tuple[Any, ...]
    covariates: tuple[str, ...]

    def without(self, table: _Table, model: _Modelled, row: int) -> Numbers:
        return self.estimates(table.without(row), model.without(row, table.y[row])).values

    def estimates(self, table: _Table, means: _Means) -> _Estimates:
        index: list[tuple[Any, ...]] = []
        values: list[float] = []
        for strategy in self.strategies:
            expected = _moved(strategy, means.own, means.referred, table)
            filled = _filled(table.y, expected, means.sigma)
            for at, visit in enumerate(self.visits):
                adjusted = self._adjusted(table, filled[:, at], at)
                index += [("mean", strategy, visit, arm) for arm in self.arms]
                values += adjusted.tolist()
                pairs = combinations(range(len(self.arms)), 2)
                for one, other in pairs:
                    index.append(("difference", strategy, visit, f"{self.arms[other]} - {self.arms[one]}"))
                    values.append(float(adjusted[other] - adjusted[one]))
        if self.steps:
            self._tipped(table, _filled(table.y, means.own, means.sigma), index, values)
        return _Estimates(index, np.array(values))

    def modelled(self, table: _Table) -> _Modelled:
        """The model of all patients."""
        data = table.long()
        terms = " + ".join([*(f"x{at} * visit" for at in range(len(self.covariates))), "arm * visit"])
        model = mmrm.fit(
            f"score ~ {terms}",
            data,
            subject="subject",
            visit="visit",
            covariance=self.covariance,
            inference="satterthwaite",
        )
        if len(model.covariance) < len(self.visits):
            raise CannotEstimate("nobody has a score at some visit; leave it out")
        reference = data.assign(arm=pd.Categorical([self.arms[0]] * len(data), self.arms))
        own, referred = (model.matrix(rows).reshape(*table.y.shape, -1) for rows in (data, reference))
        coefficients, sigma = model.coefficients["estimate"].to_numpy(), model.covariance.to_numpy()
        return _Modelled(own, referred, coefficients, sigma, model.leaving(), model.structure)

    def _design(self, table: _Table, at: int) -> tuple[Numbers, Mask]:
        """Covariance analysis at a visit: columns of the arms, then covariates around their mean; among the living."""
        living = table.alive[:, at]
        arms = np.array([table.arm[living] == arm for arm in self.arms], dtype=np.float64).T
        if absent := [arm for arm, count in zip(self.arms, arms.sum(axis=0), strict=True) if count == 0]:
            raise CannotEstimate(f"nobody of arm {', '.join(absent)} is alive at visit {self.visits[at]}; leave it out")
        x = table.x[living]
        return np.hstack([arms, x - x.mean(axis=0)]), living

    def _adjusted(self, table: _Table, scores: Numbers, at: int) -> Numbers:
        """(arms,) adjusted means at a visit."""
        x, living = self._design(table, at)
        return np.asarray(np.linalg.lstsq(x, scores[living], rcond=None)[0][: len(self.arms)])

    def _tipped(self, table: _Table, filled: Numbers, index: list[tuple[Any, ...]], values: list[float]) -> None:
        """Least squares is linear, so points added to imputed scores add their own difference."""
        missing = np.isnan(table.y)
        for at, visit in enumerate(self.visits):
            base = self._adjusted(table, filled[:, at], at)
            imputed = [(missing[:, at] & (table.arm == arm)).astype(np.float64) for arm in self.arms]
            by_arm = [self._adjusted(table, each, at) for each in imputed]
            others = np.sum(by_arm[1:], axis=0)
            for one, other in combinations(range(len(self.arms)), 2):
                for to_reference, to_others in product(self.steps, self.steps):
                    means = base + to_reference * by_arm[0] + to_others * others
                    pair = f"{self.arms[other]} - {self.arms[one]}"
                    index.append(("tipping", visit, pair, to_reference, to_others))
                    values.append(float(means[other] - means[one]))


def _moved(strategy: str, own: Numbers, referred: Numbers, table: _Table) -> Numbers:
    """(n, m) means that the missing scores are expected around; a patient of the reference arm keeps her own."""
    if strategy == "missing at random":
        return own
    seen = np.isfinite(table.y)
    m = seen.shape[1]
    last = np.where(seen.any(axis=1), m - 1 - seen[:, ::-1].argmax(axis=1), -1)
    after = np.arange(m) > last[:, None]
    if strategy == "copy reference":
        stopped = np.any(after & table.alive, axis=1, keepdims=True)
        return np.where(stopped, referred, own)
    if strategy == "jump to reference":
        return np.where(after, referred, own)
    rows = np.arange(len(last))
    apart = np.where(last >= 0, own[rows, last] - referred[rows, last], 0.0)
    return np.where(after, referred + apart[:, None], own)


def _filled(y: Numbers, mean: Numbers, sigma: Numbers) -> Numbers:
    """The scores, missing ones expected given those seen."""
    filled = y.copy()
    seen = np.isfinite(y)
    for pattern in np.unique(seen, axis=0):
        rows = np.flatnonzero((seen == pattern).all(axis=1))
        missing = ~pattern
        expected = mean[np.ix_(rows, missing)]
        if pattern.any() and missing.any():
            slope = np.linalg.solve(sigma[np.ix_(pattern, pattern)], sigma[np.ix_(pattern, missing)])
            expected = expected + (y[np.ix_(rows, pattern)] - mean[np.ix_(rows, pattern)]) @ slope
        filled[np.ix_(rows, missing)] = expected
    return filled
