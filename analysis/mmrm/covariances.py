"""Which covariance matrices of a patient's visits does a structure allow, and how do they bend with its parameters?

Sigma = D C D: D holds exp(log scales). C holds correlations, each theta / sqrt(1 + theta^2), for cs and csh a logistic
function of theta from -1 / (visits - 1) to 1; for us C is a unit lower triangle times its transpose. These are the
parameters of R's mmrm, on which its default Kenward-Roger standard errors depend (vignette "Covariance structures").
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

Numbers = NDArray[np.float64]
Code = Literal["us", "toeph", "toep", "ar1h", "ar1", "csh", "cs", "adh", "ad"]
CODES: tuple[Code, ...] = get_args(Code)
NAMES = {
    "us": "unstructured",
    "toeph": "heterogeneous Toeplitz",
    "toep": "Toeplitz",
    "ar1h": "heterogeneous first-order autoregressive",
    "ar1": "first-order autoregressive",
    "csh": "heterogeneous compound symmetry",
    "cs": "compound symmetry",
    "adh": "heterogeneous ante-dependence",
    "ad": "ante-dependence",
}


@dataclass(frozen=True)
class Bent:
    """A symmetric (m, m) matrix, its first derivatives (k, m, m) and second (k, k, m, m) by k parameters."""

    value: Numbers
    first: Numbers
    second: Numbers


@dataclass(frozen=True)
class Structure:
    """One structure over m visits. Parameters: log scales first, then those of C."""

    code: Code
    visits: int

    @property
    def scales(self) -> int:
        return self.visits if self.code == "us" or self.code.endswith("h") else 1

    @property
    def size(self) -> int:
        """How many parameters there are."""
        m = self.visits
        shape = {"us": m * (m - 1) // 2, "cs": 1, "ar1": 1, "toep": m - 1, "ad": m - 1}
        return self.scales + (shape[self._family] if m > 1 else 0)

    @property
    def _family(self) -> str:
        return self.code.removesuffix("h")

    def sigma(self, theta: Numbers) -> Numbers:
        """(m, m) the matrix at theta; not checked to be positive definite."""
        scale = np.exp(np.broadcast_to(theta[: self.scales], self.visits))
        shape = theta[self.scales :]
        c = _triangle(shape, self.visits) if self.code == "us" else None
        correlations = c @ c.T if c is not None else self._correlations(self._rho(shape)[0]).value
        return np.asarray(scale[:, None] * correlations * scale)

    def bent(self, theta: Numbers) -> Bent:
        """The matrix with its derivatives at theta."""
        scale = np.exp(np.broadcast_to(theta[: self.scales], self.visits))
        outer = scale[:, None] * scale
        c = self._shape(theta[self.scales :])
        which = np.eye(self.visits) if self.scales > 1 else np.ones((1, self.visits))
        by_scale = which[:, :, None] + which[:, None, :]  # how a log scale multiplies each cell
        sigma = outer * c.value
        first = np.concatenate([by_scale * sigma, outer * c.first])
        second = np.empty((self.size, self.size, self.visits, self.visits))
        s = self.scales
        second[:s, :s] = by_scale[:, None] * by_scale[None] * sigma
        second[:s, s:] = by_scale[:, None] * (outer * c.first)[None]
        second[s:, :s] = second[:s, s:].swapaxes(0, 1)
        second[s:, s:] = outer * c.second
        return Bent(sigma, first, second)

    def start(self, moments: Numbers) -> Numbers:
        """Parameters near an (m, m) positive definite matrix of moments."""
        sd = np.sqrt(np.diag(moments))
        r = moments / np.outer(sd, sd)
        if self.code == "us":
            lower = np.linalg.cholesky(moments)
            scale = np.diag(lower)
            return np.concatenate([np.log(scale), (lower / scale[:, None])[_below(self.visits)]])
        m = self.visits
        lags = np.array([np.diagonal(r, lag).mean() for lag in range(1, m)])
        near = {"cs": [r[np.tril_indices(m, -1)].mean() if m > 1 else 0.0], "ar1": lags[:1], "toep": lags}
        low = self._lowest if self._family == "cs" else -1.0
        rho = np.clip(np.asarray(near.get(self._family, np.diagonal(r, 1)), dtype=np.float64), 0.99 * low, 0.99)
        rho = rho[: self.size - self.scales]
        log_sd = np.log(sd) if self.scales > 1 else np.array([np.log(np.mean(sd**2)) / 2])
        return np.concatenate([log_sd, self._theta(rho)])

    def _shape(self, theta: Numbers) -> Bent:
        if self.code == "us":
            return _cholesky(theta, self.visits)
        rho, slope, bend = self._rho(theta)
        by_rho = self._correlations(rho)
        second = by_rho.second * (slope[:, None] * slope)[:, :, None, None]
        for k in range(len(theta)):
            second[k, k] += bend[k] * by_rho.first[k]
        return Bent(by_rho.value, by_rho.first * slope[:, None, None], second)

    def _rho(self, theta: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """Correlations with first and second derivatives by theta."""
        if self._family == "cs":
            share, width = expit(theta), 1 - self._lowest
            slope = width * share * (1 - share)
            return self._lowest + width * share, slope, slope * (1 - 2 * share)
        root = 1 + theta**2
        return theta / np.sqrt(root), root**-1.5, -3 * theta * root**-2.5

    def _theta(self, rho: Numbers) -> Numbers:
        if self._family == "cs":
            return np.asarray(logit((rho - self._lowest) / (1 - self._lowest)))
        return np.asarray(rho / np.sqrt(1 - rho**2))

    @property
    def _lowest(self) -> float:
        """The correlation that all pairs of visits can have at least."""
        return -1 / max(self.visits - 1, 1)

    def _correlations(self, rho: Numbers) -> Bent:
        """Correlations with derivatives by rho. cs is toep, and ar1 is ad, with one value for all."""
        m = self.visits
        tied = self._family in ("cs", "ar1")
        every = np.repeat(rho, m - 1) if tied else rho
        bent = _chained(every, m) if self._family in ("ar1", "ad") else _banded(every, m)
        if not tied or m == 1:
            return bent
        return Bent(bent.value, bent.first.sum(axis=0)[None], bent.second.sum(axis=(0, 1))[None, None])


def _below(m: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns below the diagonal, row by row."""
    return np.tril_indices(m, -1)


def _triangle(theta: Numbers, m: int) -> Numbers:
    lower = np.eye(m)
    lower[_below(m)] = theta
    return lower


def _cholesky(theta: Numbers, m: int) -> Bent:
    lower = _triangle(theta, m)
    rows, columns = _below(m)
    k = len(theta)
    half = np.zeros((k, m, m))
    half[np.arange(k), rows] = lower.T[columns]
    second = np.zeros((k, k, m, m))
    one, other = np.nonzero(columns[:, None] == columns)
    np.add.at(second, (one, other, rows[one], rows[other]), 1.0)
    np.add.at(second, (one, other, rows[other], rows[one]), 1.0)
    return Bent(lower @ lower.T, half + half.swapaxes(1, 2), second)


def _banded(rho: Numbers, m: int) -> Bent:
    """One correlation for each lag."""
    lag = np.abs(np.subtract.outer(np.arange(m), np.arange(m)))
    k = m - 1
    first = (lag == np.arange(1, m)[:, None, None]).astype(np.float64)
    return Bent(np.concatenate([[1.0], rho])[lag], first, np.zeros((k, k, m, m)))


def _chained(rho: Numbers, m: int) -> Bent:
    """The product of the correlations of neighbours between two visits."""
    k = m - 1
    i, j = np.minimum.outer(np.arange(m), np.arange(m)), np.maximum.outer(np.arange(m), np.arange(m))
    between = np.array([(i <= step) & (step < j) for step in range(k)], dtype=bool).reshape(k, m, m)
    factors = np.where(between, rho[:, None, None], 1.0)
    first, second = np.zeros((k, m, m)), np.zeros((k, k, m, m))
    for one in range(k):
        first[one] = between[one] * np.delete(factors, one, axis=0).prod(axis=0)
        for other in range(one + 1, k):
            rest = np.delete(factors, (one, other), axis=0).prod(axis=0)
            second[one, other] = second[other, one] = between[one] * between[other] * rest
    return Bent(factors.prod(axis=0), first, second)
