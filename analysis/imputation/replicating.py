"""What is estimated from a table with its missing scores imputed, once for all patients and once without each?"""

from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd

from analysis import mmrm
from analysis.imputation.strategies import filled, moved
from analysis.imputation.wide import Mask, Numbers, Table
from analysis.mmrm.leaving import Leaving
from analysis.results import CannotEstimate


@dataclass(frozen=True, eq=False)
class Estimates:
    """values: by index, whose keys start with mean, difference or tipping."""

    index: list[tuple[Any, ...]]
    values: Numbers


@dataclass(frozen=True, eq=False)
class Means:
    """own, referred: (n, m) means in the own and in the reference arm. sigma: (m, m) the covariance of visits."""

    own: Numbers
    referred: Numbers
    sigma: Numbers


@dataclass(frozen=True, eq=False)
class Modelled:
    """The model of repeated measures. own, referred: (n, m, p) designs in the own and in the reference arm."""

    own: Numbers
    referred: Numbers
    coefficients: Numbers
    sigma: Numbers
    leaving: Leaving
    structure: str

    def of_all(self) -> Means:
        return Means(self.own @ self.coefficients, self.referred @ self.coefficients, self.sigma)

    def without(self, row: int, y: Numbers) -> Means:
        """Of the other patients, by the model of their rows alone."""
        coefficients, sigma = self.leaving.without(self.own[row], y)
        own, referred = (np.delete(each, row, axis=0) @ coefficients for each in (self.own, self.referred))
        return Means(own, referred, sigma)


@dataclass(frozen=True)
class Task:
    """What is estimated from a table. steps: points added to imputed scores, 0 among them; none: no tipping."""

    strategies: tuple[str, ...]
    steps: tuple[float, ...]
    covariance: str
    arms: tuple[str, ...]
    visits: tuple[Any, ...]
    covariates: tuple[str, ...]

    def modelled(self, table: Table) -> Modelled:
        """The model of all patients. Raises CannotEstimate."""
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
        return Modelled(own, referred, coefficients, sigma, model.leaving(), model.structure)

    def without(self, table: Table, model: Modelled, row: int) -> Numbers:
        """The estimates of the other patients."""
        return self.estimates(table.without(row), model.without(row, table.y[row])).values

    def estimates(self, table: Table, means: Means) -> Estimates:
        index: list[tuple[Any, ...]] = []
        values: list[float] = []
        at_visits = [_Visit.of(table, at) for at in range(len(self.visits))]
        for strategy in self.strategies:
            scores = filled(table.y, moved(strategy, means.own, means.referred, table), means.sigma)
            for visit, at in zip(self.visits, at_visits, strict=True):
                adjusted = at.adjusted(scores)
                index += [("mean", strategy, visit, arm) for arm in self.arms]
                values += adjusted.tolist()
                for one, other in combinations(range(len(self.arms)), 2):
                    index.append(("difference", strategy, visit, f"{self.arms[other]} - {self.arms[one]}"))
                    values.append(float(adjusted[other] - adjusted[one]))
        if self.steps:
            scores = filled(table.y, means.own, means.sigma)
            for visit, at in zip(self.visits, at_visits, strict=True):
                self._tipped(visit, at, table, scores, index, values)
        return Estimates(index, np.array(values))

    def _tipped(
        self, visit: Any, at: "_Visit", table: Table, scores: Numbers, index: list[tuple[Any, ...]], values: list[float]
    ) -> None:
        """Least squares is linear, so points added to imputed scores add their own difference."""
        base, missing = at.adjusted(scores), np.isnan(table.y)
        by_arm = [at.adjusted((missing & (table.arm == arm)[:, None]).astype(np.float64)) for arm in self.arms]
        others = np.sum(by_arm[1:], axis=0)
        for one, other in combinations(range(len(self.arms)), 2):
            for to_reference, to_others in product(self.steps, self.steps):
                means = base + to_reference * by_arm[0] + to_others * others
                pair = f"{self.arms[other]} - {self.arms[one]}"
                index.append(("tipping", visit, pair, to_reference, to_others))
                values.append(float(means[other] - means[one]))


@dataclass(frozen=True, eq=False)
class _Visit:
    """Covariance analysis at one visit, among the living. turn: (arms, living) what makes adjusted means of scores."""

    at: int
    living: Mask
    turn: Numbers

    @classmethod
    def of(cls, table: Table, at: int) -> "_Visit":
        """Columns of the arms, then covariates around their mean. Raises CannotEstimate."""
        living = table.alive[:, at]
        arms = np.array([table.arm[living] == arm for arm in table.arms], dtype=np.float64).T
        if absent := [arm for arm, count in zip(table.arms, arms.sum(axis=0), strict=True) if count == 0]:
            names = ", ".join(absent)
            raise CannotEstimate(f"nobody of arm {names} is alive at visit {table.visits[at]}; leave it out")
        x = table.x[living]
        design = np.hstack([arms, x - x.mean(axis=0)])
        return cls(at, living, np.linalg.pinv(design)[: len(table.arms)])

    def adjusted(self, scores: Numbers) -> Numbers:
        """(arms,) adjusted means of (n, visits) scores."""
        return np.asarray(self.turn @ scores[self.living, self.at])
