"""Where is the likelihood highest, and is that a maximum?

The first search is the one of R's mmrm, step for step: L-BFGS-B (Byrd, Lu, Nocedal and Zhu 1995) with the same
parameters, start and rule to stop. It ends a little below the top, at the same point as R's, so that digits agree.
Where that is no maximum, and where all patients have the same visits, trust-region Newton steps go to the very top.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import minimize

from analysis.mmrm.covariances import Numbers
from analysis.mmrm.descent import descended
from analysis.mmrm.likelihood import CrossProducts, Likelihood, Point
from analysis.results import CannotEstimate

MEMORY, LEAST_GAIN, MOST_STEPS = 5, 1e7 * np.finfo(np.float64).eps, 100  # R's lmm, factr and maxit
FIRST_AUTOREGRESSIVE = 0.5  # where R starts the parameter of ar1 and ar1h; all others at 0
LEFT = 1e-5  # of the log likelihood may be left to gain at R's point; beyond it the search goes on
STEEPEST = 1e-5  # of the deviance, by log scales and correlations
STARTS = (0.2, 0.9)  # share of independence mixed into the moments
LARGEST = 30.0  # a parameter of C beyond it is a correlation of 0.9994
SMALLEST = -6.0  # a log scale below it is a variance of 6e-6 of the outcome's
EDGE = "a variance or a correlation runs to the edge of what is possible"
POLISHING_STEPS = 3


@dataclass
class _Visited:
    """The likelihood remembers where it is asked, since value, gradient and Hessian are asked one after another."""

    likelihood: Likelihood
    theta: Numbers = field(default_factory=lambda: np.empty(0))
    point: Point | None = None

    def at(self, theta: Numbers) -> Point | None:
        if not np.array_equal(theta, self.theta):
            self.theta, self.point = theta.copy(), self.likelihood.at(theta)
        return self.point

    def value(self, theta: Numbers) -> float:
        point = self.at(theta)
        return np.inf if point is None else point.deviance

    def gradient(self, theta: Numbers) -> Numbers:
        point = self.at(theta)
        return np.full(len(theta), np.nan) if point is None else point.gradient

    def hessian(self, theta: Numbers) -> Numbers:
        point = self.at(theta)
        return np.eye(len(theta)) if point is None else point.hessian

    def stop_at_the_edge(self, theta: Numbers) -> None:
        if _is_at_the_edge(self.likelihood, theta):
            raise StopIteration


class _NotFinite(Exception):
    """The search came to a point without a likelihood."""


def maximised(likelihood: Likelihood, outcome_scale: float = 1.0, constant: float = 0.0) -> Point:
    """The maximum: R's search first, then trust-region Newton steps from several starts, the first that ends in one.

    outcome_scale: what 1 in the likelihood's outcome is in the units in which R would search. constant: to add to the
    deviance for that of these units.
    Raises CannotEstimate when no search ends in a maximum, and says what was found instead.
    """
    alike = len(likelihood.data.seen) == 1  # then t-tests and covariance analysis are the same to the last digit
    point = None if alike else _where_r_stops(likelihood, float(np.log(outcome_scale)), constant)
    return _by_newton(likelihood) if point is None else point


def from_near(likelihood: Likelihood, theta: Numbers) -> Point:
    """The maximum by plain Newton steps from a place near it; by a whole search where they do not end in one.

    Raises CannotEstimate as `maximised`.
    """
    return _judged(likelihood, theta)[1] or _by_newton(likelihood)


def _where_r_stops(likelihood: Likelihood, log_scale: float, constant: float) -> Point | None:
    """The end of L-BFGS-B from the identity matrix; None where that is no maximum."""
    structure = likelihood.structure
    origin = np.zeros(structure.size)
    origin[: structure.scales] = log_scale

    def half_deviance(theta: Numbers) -> tuple[float, Numbers]:
        point = likelihood.at(theta - origin)
        if point is None:
            raise _NotFinite
        return (point.deviance + constant) / 2, point.gradient / 2

    start = np.zeros(structure.size)
    if structure.code in ("ar1", "ar1h"):
        start[structure.scales :] = FIRST_AUTOREGRESSIVE
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            found = descended(half_deviance, start, memory=MEMORY, least_gain=LEAST_GAIN, most_steps=MOST_STEPS)
    except _NotFinite:
        return None
    theta = found - origin
    point = likelihood.at(theta)
    return point if point is not None and _is_near_the_top(point) else _judged(likelihood, theta)[1]


def _is_near_the_top(point: Point) -> bool:
    if _is_at_the_edge(point.of, point.theta):
        return False
    try:
        root = np.linalg.cholesky(point.hessian)
    except np.linalg.LinAlgError:
        return False
    return bool((np.linalg.solve(root, point.gradient) ** 2).sum() / 4 < LEFT)


def _by_newton(likelihood: Likelihood) -> Point:
    found = "no start has a finite likelihood"
    moments = _moments(likelihood.data)
    for share in STARTS:
        mixed = (1 - share) * moments + share * np.diag(np.diag(moments))
        start = _admissible(likelihood, likelihood.structure.start(mixed))
        if start is None:
            continue
        visited = _Visited(likelihood)
        with np.errstate(over="ignore", invalid="ignore"):
            result = minimize(
                visited.value,
                start,
                jac=visited.gradient,
                hess=visited.hessian,
                method="trust-exact",
                callback=visited.stop_at_the_edge,
                options={"gtol": STEEPEST / 10, "maxiter": 200},
            )
        found, point = _judged(likelihood, result.x)
        if point is not None:
            return point
    raise CannotEstimate(found)


def _judged(likelihood: Likelihood, theta: Numbers) -> tuple[str, Point | None]:
    """The point after a few plain Newton steps; or why it is no maximum."""
    point = likelihood.at(theta)
    if point is None:
        return "the likelihood is not finite where the search ended", None
    if _is_at_the_edge(likelihood, theta):
        return EDGE, None
    for _ in range(POLISHING_STEPS):
        try:
            np.linalg.cholesky(point.hessian)
        except np.linalg.LinAlgError:
            return "the likelihood is flat in some direction: its Hessian is not positive definite", None
        better = likelihood.at(point.theta - np.linalg.solve(point.hessian, point.gradient))
        if better is None or np.abs(better.gradient).max() >= np.abs(point.gradient).max():
            break
        point = better
    if np.abs(point.gradient).max() > STEEPEST:
        return "the search ended before the top of the likelihood", None
    return "", point


def _is_at_the_edge(likelihood: Likelihood, theta: Numbers) -> bool:
    s = likelihood.structure.scales
    return bool(theta[:s].min() < SMALLEST or np.abs(theta[s:]).max(initial=0) > LARGEST)


def _moments(data: CrossProducts) -> Numbers:
    """(m, m) positive definite mean products of the outcome, which is a residual here, over patients seen at both."""
    form = np.zeros((data.columns, data.columns))
    form[-1, -1] = 1.0
    total = data.moments(form).sum(axis=0)
    both = np.tensordot(data.patients, data.seen[:, :, None] & data.seen[:, None, :], 1)
    mean = np.divide(total, both, out=np.zeros_like(total), where=both > 0)
    sd = np.sqrt(np.maximum(np.diag(mean), 1e-4))
    values, vectors = np.linalg.eigh(mean / np.outer(sd, sd))
    near = (vectors * np.maximum(values, 0.05)) @ vectors.T
    return np.asarray(near * np.outer(sd, sd))


def _admissible(likelihood: Likelihood, theta: Numbers) -> Numbers | None:
    """Theta with its correlations shrunk until the matrix is positive definite."""
    s = likelihood.structure.scales
    for _ in range(8):
        if likelihood.at(theta) is not None:
            return theta
        theta = np.concatenate([theta[:s], theta[s:] / 2])
    return None
