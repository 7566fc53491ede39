"""How likely are the outcomes under a covariance matrix, and how does that change with its parameters?

Data enter through cross-products summed over the patients who have the same visits, so that nothing here depends on
how many patients there are. Restricted likelihood after Harville (1977), derivatives after Lindstrom and Bates (1988).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from analysis.mmrm.covariances import Bent, Structure

Numbers = NDArray[np.float64]
LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True)
class CrossProducts:
    """What the likelihood needs of the data. z = the design's columns, and the outcome last.

    seen: (patterns, m) bool, the visits of each pattern. patients: (patterns,). gram: (patterns m m, q q) sparse, the
    sum over a pattern's patients of z at visit a times z at visit b.
    """

    seen: NDArray[np.bool_]
    patients: Numbers
    gram: csr_array
    columns: int

    @property
    def rows(self) -> int:
        return int(self.seen.sum(axis=1) @ self.patients)

    @property
    def visits(self) -> int:
        return int(self.seen.shape[1])

    def weighted(self, weights: Numbers) -> Numbers:
        """(k, q, q) sums of z W z' for (k, patterns, m, m) weights."""
        flat = self.gram.T @ weights.reshape(len(weights), -1).T
        return np.asarray(flat.T.reshape(len(weights), self.columns, self.columns))

    def moments(self, form: Numbers) -> Numbers:
        """(patterns, m, m) sums of z' T z for a (q, q) form T."""
        return np.asarray((self.gram @ form.ravel()).reshape(-1, self.visits, self.visits))


@dataclass(frozen=True)
class Likelihood:
    """The likelihood of one structure; reml: the restricted one."""

    data: CrossProducts
    structure: Structure
    reml: bool

    def at(self, theta: Numbers) -> "Point | None":
        """All that is to be known at theta; None where the matrix is not positive definite."""
        sigma = self.structure.sigma(theta)
        try:
            np.linalg.cholesky(sigma)
            point = Point(self, theta, sigma)
            finite = np.isfinite(point.deviance)
        except np.linalg.LinAlgError:
            return None
        return point if finite else None


@dataclass(frozen=True)
class Point:
    """The likelihood at one value of the parameters. p = fixed effects, k = parameters of the covariance."""

    of: Likelihood
    theta: Numbers
    sigma: Numbers

    @cached_property
    def weights(self) -> Numbers:
        """(patterns, m, m) inverse of each pattern's covariance, 0 for unseen visits."""
        return self._inverted[0]

    @cached_property
    def _inverted(self) -> tuple[Numbers, Numbers]:
        seen = self.of.data.seen
        both = seen[:, :, None] & seen[:, None, :]
        filled = np.where(both, self.sigma, np.eye(self.of.data.visits))
        return np.where(both, np.linalg.inv(filled), 0.0), np.linalg.slogdet(filled)[1]

    @cached_property
    def _products(self) -> Numbers:
        return np.asarray(self.of.data.weighted(self.weights[None])[0])

    @cached_property
    def _root(self) -> Numbers:
        return np.asarray(np.linalg.cholesky(self._products[:-1, :-1]), dtype=np.float64)

    @cached_property
    def covariance(self) -> Numbers:
        """(p, p) inverse of X' W X."""
        inverse = np.linalg.inv(self._root)
        return np.asarray(inverse.T @ inverse)

    @cached_property
    def coefficients(self) -> Numbers:
        return np.asarray(self.covariance @ self._products[:-1, -1])

    @cached_property
    def deviance(self) -> float:
        """-2 log likelihood."""
        data = self.of.data
        lost = len(self._root) if self.of.reml else 0
        residual = self._products[-1, -1] - self.coefficients @ self._products[:-1, -1]
        curvature = 2 * np.log(np.diag(self._root)).sum() if self.of.reml else 0.0
        return float((data.rows - lost) * LOG_2PI + data.patients @ self._inverted[1] + curvature + residual)

    @cached_property
    def _combination(self) -> Numbers:
        """(q,) turns z into the residual."""
        return np.append(-self.coefficients, 1.0)

    @cached_property
    def _pulled(self) -> Numbers:
        """(patterns, m, m) W M W, M the residuals' products, with their uncertainty when reml."""
        form = np.outer(self._combination, self._combination)
        if self.of.reml:
            form[:-1, :-1] += self.covariance
        return np.asarray(self.weights @ self.of.data.moments(form) @ self.weights)

    @cached_property
    def _by_sigma(self) -> Numbers:
        """(m, m) derivative of the deviance by sigma."""
        return np.asarray(np.tensordot(self.of.data.patients, self.weights, 1) - self._pulled.sum(axis=0))

    @cached_property
    def bent(self) -> Bent:
        return self.of.structure.bent(self.theta)

    @cached_property
    def gradient(self) -> Numbers:
        """(k,) of the deviance."""
        return np.asarray(np.tensordot(self.bent.first, self._by_sigma, 2))

    @cached_property
    def _products_first(self) -> Numbers:
        """(k, q, q) derivatives of z' W z."""
        w = self.weights
        return -self.of.data.weighted(w @ self.bent.first[:, None] @ w)

    @cached_property
    def precision_first(self) -> Numbers:
        """(k, p, p) derivatives of X' W X."""
        return self._products_first[:, :-1, :-1]

    @cached_property
    def hessian(self) -> Numbers:
        """(k, k) of the deviance."""
        w, n, m = self.weights, self.of.data.patients, self.of.data.visits
        d = self.bent.first.reshape(len(self.theta), -1)
        pairs = w.reshape(-1, m * m).T @ (2 * self._pulled - n[:, None, None] * w).reshape(-1, m * m)
        spread = pairs.reshape(m, m, m, m).transpose(3, 0, 1, 2).reshape(m * m, m * m)
        quadratic = d @ spread @ d.T
        total = (quadratic + quadratic.T) / 2 + np.tensordot(self.bent.second, self._by_sigma, 2)
        pull = self._products_first[:, :-1] @ self._combination
        total -= 2 * pull @ self.covariance @ pull.T
        if self.of.reml:
            turned = self.covariance @ self.precision_first
            total -= turned.reshape(len(turned), -1) @ turned.swapaxes(1, 2).reshape(len(turned), -1).T
        return np.asarray(total)

    def bending(self, theta_covariance: Numbers, *, curved: bool) -> Numbers:
        """(p, p) the sum of w_hj (Q_hj - R_hj / 4) of Kenward and Roger (1997); curved: with R."""
        w, first = self.weights, self.bent.first
        root = np.linalg.cholesky(theta_covariance)
        turned = np.tensordot(root.T, first, 1)  # makes the double sum a single one
        inner = np.einsum("kab,sbc,kcd->sad", turned, w, turned, optimize=True)
        if curved:
            inner = inner - np.tensordot(theta_covariance, self.bent.second, 2) / 4
        return np.asarray(self.of.data.weighted((w @ inner @ w)[None])[0][:-1, :-1])
