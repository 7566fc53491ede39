"""How sure is a combination of coefficients, and on how many degrees of freedom?

Satterthwaite after Fai and Cornelius (1996); Kenward and Roger (1997), scaled as in their section 2; between-within
after Schluchter and Elashoff (1990); empirical covariances and their degrees of freedom after Bell and McCaffrey (2002)
and Pustejovsky and Tipton (2018). Choices among variants are those of R's mmrm 0.3.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from analysis.mmrm.design import Design, Numbers
from analysis.mmrm.likelihood import Point
from analysis.mmrm.products import Scaled

Method = Literal[
    "satterthwaite",
    "kenward-roger",
    "kenward-roger-linear",
    "between-within",
    "residual",
    "empirical",
    "empirical-bias-reduced",
]
METHODS: tuple[Method, ...] = get_args(Method)
EQUAL_DF = 1e-8


class Inference(ABC):
    """Covariance and degrees of freedom of combinations of the scaled coefficients."""

    @property
    @abstractmethod
    def covariance(self) -> Numbers:
        """(p, p) of the coefficients."""

    @abstractmethod
    def df(self, row: Numbers) -> float:
        """Degrees of freedom of one combination (p,)."""

    def joint(self, rows: Numbers) -> tuple[float, float]:
        """Denominator df, and the factor of F, of several combinations (r, p) at once."""
        values, vectors = np.linalg.eigh(rows @ self.covariance @ rows.T)
        turned = vectors.T @ rows
        each = np.array([self.df(row) for row in turned[values > 0]])
        if np.ptp(each) < EQUAL_DF:
            return float(each.mean()), 1.0
        if (each <= 2).any():
            return 2.0, 1.0
        total = float((each / (each - 2)).sum())
        return 2 * total / (total - len(each)), 1.0


@dataclass(frozen=True)
class Satterthwaite(Inference):
    point: Point

    @property
    def covariance(self) -> Numbers:
        return self.point.covariance

    @cached_property
    def theta_covariance(self) -> Numbers:
        return np.asarray(2 * np.linalg.inv(self.point.hessian))

    def df(self, row: Numbers) -> float:
        spread = self.point.covariance @ row
        slope = -np.einsum("i,hij,j->h", spread, self.point.precision_first, spread)
        return float(2 * (row @ spread) ** 2 / (slope @ self.theta_covariance @ slope))


@dataclass(frozen=True)
class KenwardRoger(Satterthwaite):
    """curved: with the second derivatives of the covariance, which depend on its parameters; else linear."""

    curved: bool

    @cached_property
    def _adjusted(self) -> Numbers:
        w, phi, first = self.theta_covariance, self.point.covariance, self.point.precision_first
        bending = self.point.bending(w, curved=self.curved)
        turned = np.tensordot(np.linalg.cholesky(w).T, first, 1)
        bending = bending - (turned @ phi @ turned).sum(axis=0)
        return np.asarray(phi + 2 * phi @ bending @ phi)

    @property
    def covariance(self) -> Numbers:
        return self._adjusted

    def df(self, row: Numbers) -> float:
        return self.joint(row[None])[0]

    def joint(self, rows: Numbers) -> tuple[float, float]:
        r, phi = len(rows), self.point.covariance
        theta = rows.T @ np.linalg.solve(rows @ phi @ rows.T, rows)
        turned = np.tensordot(np.linalg.cholesky(self.theta_covariance).T, self.point.precision_first, 1)
        each = theta @ phi @ turned @ phi
        a1 = float((np.trace(each, axis1=1, axis2=2) ** 2).sum())
        a2 = float(np.einsum("kij,kji->", each, each))
        b = (a1 + 6 * a2) / (2 * r)
        g = ((r + 1) * a1 - (r + 4) * a2) / ((r + 2) * a2)
        below = 3 * r + 2 * (1 - g)
        c1, c2, c3 = g / below, (r - g) / below, (r + 2 - g) / below
        mean = 1 / (1 - a2 / r)
        variance = 2 / r * (1 + c1 * b) / ((1 - c2 * b) ** 2 * (1 - c3 * b))
        ratio = variance / (2 * mean**2)
        df = 4 + (r + 2) / (r * ratio - 1)
        return df, df / (mean * (df - 2))


@dataclass(frozen=True)
class BetweenWithin(Inference):
    point: Point
    design: Design

    @property
    def covariance(self) -> Numbers:
        return self.point.covariance

    @cached_property
    def _by_coefficient(self) -> Numbers:
        between = self.design.between
        intercept = np.array([name == "Intercept" for name in self.design.names])
        subjects, rows = self.design.subjects, self.design.rows.number
        outer = subjects - between.sum()
        inner = rows - subjects - (~between).sum()
        return np.asarray(np.where(between & ~intercept, outer, inner), dtype=np.float64)

    def df(self, row: Numbers) -> float:
        return float(self._by_coefficient[np.abs(row) > 1e-12].min())

    def joint(self, rows: Numbers) -> tuple[float, float]:
        return self.df(np.abs(rows).max(axis=0)), 1.0


@dataclass(frozen=True)
class Empirical(Inference):
    """Covariance from each subject's own residuals; reduced: inflated for their having been fitted."""

    point: Point
    design: Design
    scaled: Scaled
    reduced: bool

    @cached_property
    def _subjects(self) -> tuple[Numbers, Numbers, Numbers]:
        """By subject, in whitened space: score (n, p), X' A X (n, p, p), X' A A X (n, p, p)."""
        scores, once, twice = [], [], []
        phi, points = self.point.covariance, self.point
        for pattern, x, y in self.design.blocks():
            seen = self.scaled.products.seen[pattern]
            white = np.linalg.inv(np.linalg.cholesky(points.sigma[np.ix_(seen, seen)]))
            residual = (y - x @ self.scaled.offset) / self.scaled.outcome_scale
            x = white @ (x * self.scaled.scale / self.scaled.outcome_scale)
            r = (residual @ white.T) - x @ points.coefficients
            grown = _root_of_inverse(np.eye(int(seen.sum())) - x @ phi @ x.swapaxes(1, 2)) if self.reduced else None
            ax = x if grown is None else grown @ x
            scores.append(np.einsum("nmp,nm->np", ax, r))
            once.append(ax.swapaxes(1, 2) @ x)
            twice.append(ax.swapaxes(1, 2) @ ax)
        return np.concatenate(scores), np.concatenate(once), np.concatenate(twice)

    @cached_property
    def covariance(self) -> Numbers:
        scores = self._subjects[0] @ self.point.covariance
        return np.asarray(scores.T @ scores)

    def df(self, row: Numbers) -> float:
        spread = self.point.covariance @ row
        t = self._subjects[1].swapaxes(1, 2) @ spread
        own = np.einsum("i,nij,j->n", spread, self._subjects[2], spread)
        shared = np.einsum("ni,ij,nj->n", t, self.point.covariance, t)
        cross = self.point.covariance @ (t.T @ t)
        total = (own - shared).sum()
        squares = (own**2 - 2 * own * shared).sum() + np.einsum("ij,ji->", cross, cross)
        return float(total**2 / squares)


@dataclass(frozen=True)
class Residual(Empirical):
    """Empirical covariance on the rows less the coefficients."""

    def df(self, row: Numbers) -> float:
        return float(self.design.rows.number - len(self.design.columns))


def inference_of(method: Method, point: Point, design: Design, scaled: Scaled) -> Inference:
    """The inference of one name."""
    if method == "satterthwaite":
        return Satterthwaite(point)
    if method == "between-within":
        return BetweenWithin(point, design)
    if method == "residual":
        return Residual(point, design, scaled, reduced=False)
    if method in ("empirical", "empirical-bias-reduced"):
        return Empirical(point, design, scaled, reduced=method == "empirical-bias-reduced")
    return KenwardRoger(point, curved=method == "kenward-roger")


def _root_of_inverse(matrices: Numbers) -> Numbers:
    values, vectors = np.linalg.eigh(matrices)
    root = np.where(values > 1e-10, 1 / np.sqrt(np.maximum(values, 1e-10)), 0.0)
    return np.asarray((vectors * root[:, None, :]) @ vectors.swapaxes(1, 2))
