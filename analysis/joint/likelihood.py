"""How likely are the scores and the deaths together, the patients' own courses being unknown?

Score of a patient at t: x(t)'beta + b0 + b1 t + error; log hazard: log h0(t) + w'gamma + alpha (the score less error);
b normal (Wulfsohn and Tsiatis 1997; Rizopoulos 2012, chapter 4). The integral over b is Gauss and Hermite's, centred at
each patient's mode and scaled by its curvature (Naylor and Smith 1982; Pinheiro and Bates 1995).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.joint.parameters import Baseline, Parameters
from analysis.joint.reading import Data

Numbers = NDArray[np.float64]
NODES = 7  # a random effect
MODE_STEPS, HALVINGS = 50, 12
AT_ONCE = 2_000_000  # numbers held for one group of patients
LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True, eq=False)
class Centre:
    """Where each patient's random effects are looked for: (N, 2) modes, (N, 2, 2) roots of their spread."""

    mode: Numbers
    spread: Numbers


@dataclass(frozen=True, eq=False)
class Likelihood:
    """Of the data under one form of baseline hazard. The score enters the hazard less its mean, `middle`.

    nodes: of Gauss and Hermite, for each of the two random effects.
    """

    data: Data
    baseline: Baseline
    nodes: int = NODES

    def parameters(self, theta: Numbers) -> Parameters:
        return Parameters(theta, self.data.x.shape[1], self.data.w.shape[1], self.baseline)

    @cached_property
    def middle(self) -> float:
        return float(self.data.y.mean())

    @cached_property
    def z(self) -> Numbers:
        """(R, 2) of the forms."""
        return np.column_stack([np.ones(len(self.data.month)), self.data.month])

    @cached_property
    def forms(self) -> Numbers:
        """(N,) how many each patient filled in."""
        return self.summed(np.ones(len(self.data.y)))

    @cached_property
    def squares(self) -> Numbers:
        """(N, 2, 2) sums of z z' over a patient's forms."""
        return self.summed(self.z[:, :, None] * self.z[:, None, :])

    @cached_property
    def crossed(self) -> Numbers:
        """(N, p, 2) sums of x z' over a patient's forms."""
        return self.summed(self.data.x[:, :, None] * self.z[:, None, :])

    def summed(self, values: NDArray[Any]) -> Numbers:
        """(N, ...) sums over the forms of each patient."""
        total = np.zeros((len(self.data.time), *values.shape[1:]))
        np.add.at(total, self.data.who, values)
        return total

    @cached_property
    def groups(self) -> list[slice]:
        size = max(1, AT_ONCE // (self.nodes**2 * self.data.at.shape[1]))
        return [slice(begin, begin + size) for begin in range(0, len(self.data.time), size)]

    def log_hazards(self, of: Parameters) -> tuple[Numbers, Numbers]:
        """Log hazard at the random effects' zero: (N,) at the end, (N, K) at the times between, with their lengths."""
        data = self.data
        fixed = data.w @ of.gamma - of.alpha * self.middle
        end = of.log_baseline(data.time, data.last_piece)[0] + fixed + of.alpha * (data.x_end @ of.beta)
        between = of.log_baseline(data.at, data.piece)[0] + fixed[:, None] + of.alpha * (data.x_at @ of.beta)
        with np.errstate(divide="ignore"):
            return end, between + np.log(data.weight)

    def centred(self, theta: Numbers, near: Numbers) -> Centre:
        """The mode of every patient's random effects, by Newton steps from `near`, halved where they overshoot."""
        of = self.parameters(theta)
        view = _Modes(self, of)
        mode, value = near.copy(), view.value(near)
        for _ in range(MODE_STEPS):
            gradient, curvature = view.slopes(mode)
            step = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
            for _ in range(HALVINGS):
                tried = view.value(mode + step)
                worse = ~(tried >= value - 1e-12 * np.abs(value))
                if not worse.any():
                    break
                step[worse] /= 2
            mode, value = mode + step, view.value(mode + step)
            if (np.einsum("ni,nij,nj->n", step, curvature, step)).max() < 1e-16:
                break
        inverse = np.linalg.inv(view.slopes(mode)[1])
        return Centre(mode, np.linalg.cholesky(inverse))

    def scores(self, theta: Numbers, centre: Centre) -> tuple[Numbers, Numbers]:
        """(N,) log likelihood and (N, k) its derivatives."""
        of = self.parameters(theta)
        parts = [_Group(self, of, centre, group).scores() for group in self.groups]
        return np.concatenate([value for value, _ in parts]), np.concatenate([score for _, score in parts])


@dataclass(frozen=True, eq=False)
class _Modes:
    """Log density of each patient's random effects (N, 2), up to a constant, with its slopes."""

    of: Likelihood
    at: Parameters

    @cached_property
    def _pull(self) -> tuple[Numbers, Numbers]:
        """Linear part (N, 2) and matrix (N, 2, 2) of the normal parts."""
        data, inverse = self.of.data, np.linalg.inv(self.at.root)
        left = (data.y - data.x @ self.at.beta) / self.at.sigma**2
        matrix = self.of.squares / self.at.sigma**2 + inverse.T @ inverse
        return self.of.summed(self.of.z * left[:, None]), np.asarray(matrix)

    @cached_property
    def _between(self) -> Numbers:
        return self.of.log_hazards(self.at)[1]

    @cached_property
    def _drive(self) -> Numbers:
        """(N, 2) what an event adds to the linear part."""
        data = self.of.data
        return np.asarray(self.at.alpha * data.event[:, None] * np.column_stack([np.ones(len(data.time)), data.time]))

    def _hazard(self, b: Numbers) -> Numbers:
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(self._between + self.at.alpha * (b[:, :1] + b[:, 1:] * self.of.data.at)))

    def value(self, b: Numbers) -> Numbers:
        linear, matrix = self._pull
        square = np.einsum("ni,nij,nj->n", b, matrix, b) / 2
        return np.asarray(((linear + self._drive) * b).sum(axis=1) - square - self._hazard(b).sum(axis=1))

    def slopes(self, b: Numbers) -> tuple[Numbers, Numbers]:
        """Gradient (N, 2) and negative Hessian (N, 2, 2)."""
        linear, matrix = self._pull
        hazard, at = self._hazard(b), self.of.data.at
        zero, one, two = (np.asarray((hazard * at**power).sum(axis=1)) for power in range(3))
        gradient = linear + self._drive - np.einsum("nij,nj->ni", matrix, b)
        gradient -= self.at.alpha * np.column_stack([zero, one])
        bend = np.stack([np.stack([zero, one], axis=1), np.stack([one, two], axis=1)], axis=2)
        return gradient, np.asarray(matrix + self.at.alpha**2 * bend)


@dataclass(frozen=True, eq=False)
class _Group:
    """Some of the patients, their random effects at all nodes (n, Q, 2)."""

    of: Likelihood
    at: Parameters
    centre: Centre
    rows: slice

    @cached_property
    def _nodes(self) -> tuple[Numbers, Numbers]:
        """(n, Q, 2) random effects and (n, Q) log weights."""
        node, weight = np.polynomial.hermite.hermgauss(self.of.nodes)
        both = np.stack(np.meshgrid(node, node, indexing="ij"), axis=-1).reshape(-1, 2)
        log_weight = np.add.outer(np.log(weight), np.log(weight)).ravel() + (both**2).sum(axis=1) + np.log(2)
        spread = self.centre.spread[self.rows]
        size = np.log(spread[:, 0, 0]) + np.log(spread[:, 1, 1])
        b = self.centre.mode[self.rows, None] + np.sqrt(2) * np.einsum("nij,qj->nqi", spread, both)
        return b, log_weight + size[:, None]

    def scores(self) -> tuple[Numbers, Numbers]:
        """(n,) log likelihood and (n, k) its derivatives: the mean of those of the complete data (Louis 1982)."""
        of, at, data, rows = self.of, self.at, self.of.data, self.rows
        b, log_weight = self._nodes
        log_end, log_between = (part[rows] for part in of.log_hazards(at))
        drift = at.alpha * (b[:, :, :1] + b[:, :, 1:] * data.at[rows, None])
        with np.errstate(over="ignore"):
            hazard = np.exp(log_between[:, None] + drift)  # (n, Q, K)
        event, time = data.event[rows], data.time[rows]
        at_end = b[:, :, 0] + b[:, :, 1] * time[:, None]
        lived = event[:, None] * (log_end[:, None] + at.alpha * at_end) - hazard.sum(axis=2)
        total = self._of_scores(b) + self._of_effects(b) + lived + log_weight
        top = total.max(axis=1, keepdims=True)
        share = np.exp(total - top)
        loglik = top[:, 0] + np.log(share.sum(axis=1))
        share = share / share.sum(axis=1, keepdims=True)
        mean = np.einsum("nq,nqi->ni", share, b)
        square = np.einsum("nq,nqi,nqj->nij", share, b, b)
        expected = np.einsum("nq,nqk->nk", share, hazard)
        own = np.einsum("nq,nqk,nqk->n", share, hazard, b[:, :, :1] + b[:, :, 1:] * data.at[rows, None])
        return loglik, np.column_stack(
            [
                self._by_fixed(mean, expected),
                self._by_sigma(mean, square),
                _by_root(at.root, square),
                data.w[rows] * (event - expected.sum(axis=1))[:, None],
                self._by_alpha(mean, expected, own),
                self._by_baseline(expected),
            ]
        )

    @cached_property
    def _left(self) -> tuple[Numbers, Numbers, Numbers]:
        """Of the forms' residuals r at the random effects' zero: r'r (n,), z'r (n, 2), x'r (n, p)."""
        of, data = self.of, self.of.data
        left = data.y - data.x @ self.at.beta
        parts = (left**2, of.z * left[:, None], data.x * left[:, None])
        square, by_z, by_x = (of.summed(part)[self.rows] for part in parts)
        return square, by_z, by_x

    def _of_scores(self, b: Numbers) -> Numbers:
        square, by_z, _ = self._left
        bent = np.einsum("nqi,nij,nqj->nq", b, self.of.squares[self.rows], b)
        away = square[:, None] - 2 * np.einsum("ni,nqi->nq", by_z, b) + bent
        each = LOG_2PI + 2 * np.log(self.at.sigma)
        return np.asarray(-(self.of.forms[self.rows, None] * each + away / self.at.sigma**2) / 2)

    def _of_effects(self, b: Numbers) -> Numbers:
        standard = np.linalg.solve(self.at.root, b.reshape(-1, 2).T)
        size = np.log(np.diag(self.at.root)).sum()
        return np.asarray(-((standard**2).sum(axis=0).reshape(b.shape[:2]) / 2 + LOG_2PI + size))

    def _by_fixed(self, mean: Numbers, expected: Numbers) -> Numbers:
        data, rows = self.of.data, self.rows
        crossed = self.of.crossed[rows]
        forms = self._left[2] - np.einsum("npi,ni->np", crossed, mean)
        event = data.event[rows, None] * data.x_end[rows] - np.einsum("nk,nkp->np", expected, data.x_at[rows])
        return np.asarray(forms / self.at.sigma**2 + self.at.alpha * event)

    def _by_sigma(self, mean: Numbers, square: Numbers) -> Numbers:
        own, by_z, _ = self._left
        bent = np.einsum("nij,nij->n", self.of.squares[self.rows], square)
        away = own - 2 * (by_z * mean).sum(axis=1) + bent
        return np.asarray(away / self.at.sigma**2 - self.of.forms[self.rows])

    def _by_alpha(self, mean: Numbers, expected: Numbers, own: Numbers) -> Numbers:
        data, rows, of = self.of.data, self.rows, self.of
        end = data.x_end[rows] @ self.at.beta - of.middle + mean[:, 0] + mean[:, 1] * data.time[rows]
        fixed = data.x_at[rows] @ self.at.beta - of.middle
        return np.asarray(data.event[rows] * end - (expected * fixed).sum(axis=1) - own)

    def _by_baseline(self, expected: Numbers) -> Numbers:
        data, rows = self.of.data, self.rows
        at_end = self.at.log_baseline(data.time[rows], data.last_piece[rows])[1]
        between = self.at.log_baseline(data.at[rows], data.piece)[1]
        sums = expected @ between if between.ndim == 2 else np.einsum("nk,nkb->nb", expected, between)
        return np.asarray(data.event[rows, None] * at_end - sums)


def _by_root(root: Numbers, square: Numbers) -> Numbers:
    """(n, 3) of the normal density of random effects whose mean square is (n, 2, 2)."""
    inverse = np.linalg.inv(root)
    standard = inverse @ square @ inverse.T - np.eye(2)
    slope = inverse.T @ standard
    return np.column_stack([slope[:, 0, 0] * root[0, 0], slope[:, 1, 0], slope[:, 1, 1] * root[1, 1]])
