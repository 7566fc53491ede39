"""Where is the joint likelihood highest?"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from analysis.joint.likelihood import Centre, Likelihood, Numbers
from analysis.joint.reading import Data
from analysis.results import CannotEstimate

EM_STEPS = 60
ROUNDS = 12  # of a search with the nodes where they are, and of moving them
SETTLED = 1e-5  # of the log likelihood, when the nodes are moved
STEEPEST = 1e-3  # gradient by a standard error where the search may end
DIFFERENCE = 1e-2  # standard errors, for the second derivatives
FEW = "too few deaths or forms for this formula; simplify it, or take the weibull baseline"
FLOOR = 1e-8  # share of the largest spread


@dataclass(frozen=True, eq=False)
class Top:
    """theta (k,), its covariance (k, k), the log likelihood there."""

    theta: Numbers
    covariance: Numbers
    loglik: float


def maximised(likelihood: Likelihood) -> Top:
    """Quasi-Newton steps measured in standard errors, the nodes being moved to the new modes after each search.

    Raises CannotEstimate where the likelihood has no maximum, or is flat in some direction.
    """
    try:
        with np.errstate(all="ignore"):  # a search may pass where a hazard is beyond numbers
            top = _searched(likelihood)
    except np.linalg.LinAlgError as error:
        raise CannotEstimate(f"the joint likelihood has no maximum: {FEW}") from error
    if not (np.isfinite(top.covariance).all() and np.isfinite(top.loglik) and (np.diag(top.covariance) > 0).all()):
        raise CannotEstimate(f"the joint likelihood has no maximum: {FEW}")
    return top


def _searched(likelihood: Likelihood) -> Top:
    theta = start(likelihood)
    centre = likelihood.centred(theta, np.zeros((len(likelihood.data.time), 2)))
    before = -np.inf
    for _ in range(ROUNDS):
        theta, loglik = _climbed(likelihood, theta, centre)
        centre = likelihood.centred(theta, centre.mode)
        if abs(loglik - before) < SETTLED:
            break
        before = loglik
    covariance = _covariance(likelihood, theta, centre)
    value, score = likelihood.scores(theta, centre)
    slope = score.sum(axis=0)
    if slope @ covariance @ slope > 1e-2:
        raise CannotEstimate("the search ended before the top of the joint likelihood")
    return Top(theta, covariance, float(value.sum()))


def start(likelihood: Likelihood) -> Numbers:
    """The scores as if nobody died, and a hazard that no score changes."""
    data = likelihood.data
    beta, sigma, root = _without_death(likelihood)
    shape = [np.log(root[0, 0]), root[1, 0], np.log(root[1, 1])]
    zeros = np.zeros(data.w.shape[1] + 1)
    return np.concatenate([beta, [np.log(sigma)], shape, zeros, _hazard(data, likelihood.baseline)])


def _hazard(data: Data, baseline: str) -> Numbers:
    if baseline == "weibull":
        return np.array([np.log(data.event.sum() / data.time.sum()), 0.0])
    lived = np.bincount(data.piece, data.weight.sum(axis=0), data.pieces)
    died = np.bincount(data.last_piece[data.event], minlength=data.pieces)
    return np.asarray(np.log(died / lived))


def _without_death(likelihood: Likelihood) -> tuple[Numbers, float, Numbers]:
    """Fixed effects, residual SD and root of the random effects' covariance, by EM (Laird and Ware 1982)."""
    data, z = likelihood.data, likelihood.z
    gram = np.linalg.inv(data.x.T @ data.x)
    beta = gram @ (data.x.T @ data.y)
    left = data.y - data.x @ beta
    variance = float(left @ left / len(left)) / 2
    spread = float(np.mean(data.month**2)) or 1.0
    d = np.diag([variance, variance / spread])
    for _ in range(EM_STEPS):
        inverse = np.linalg.inv(np.linalg.inv(d) + likelihood.squares / variance)
        mean = np.einsum("nij,nj->ni", inverse, likelihood.summed(z * left[:, None])) / variance
        beta = gram @ (data.x.T @ (data.y - (z * mean[data.who]).sum(axis=1)))
        left = data.y - data.x @ beta
        away = left - (z * mean[data.who]).sum(axis=1)
        variance = float((away**2).sum() + np.einsum("nij,nji->", likelihood.squares, inverse)) / len(left)
        d = (mean.T @ mean + inverse.sum(axis=0)) / len(mean)
    return beta, float(np.sqrt(variance)), np.linalg.cholesky(d)


def _climbed(likelihood: Likelihood, theta: Numbers, centre: Centre) -> tuple[Numbers, float]:
    """The top with the nodes where they are."""
    root = _root_of_spread(likelihood.scores(theta, centre)[1])

    def negative(step: Numbers) -> tuple[float, Numbers]:
        with np.errstate(all="ignore"):
            value, score = likelihood.scores(theta + root @ step, centre)
        total = float(value.sum())
        return (-total, -(root.T @ score.sum(axis=0))) if np.isfinite(total) else (np.inf, np.zeros(len(step)))

    found = minimize(negative, np.zeros(len(theta)), jac=True, method="BFGS", options={"gtol": STEEPEST})
    return theta + root @ found.x, -float(found.fun)


def _root_of_spread(score: Numbers) -> Numbers:
    """(k, k) root of the inverse of the patients' summed squared scores, which is near the estimates' covariance."""
    scale = np.sqrt((score**2).sum(axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh((score / scale).T @ (score / scale))
    values = np.maximum(values, FLOOR * values[-1])
    return np.asarray((vectors / np.sqrt(values)) / scale[:, None])


def _covariance(likelihood: Likelihood, theta: Numbers, centre: Centre) -> Numbers:
    """Inverse of the observed information, by central differences of the score."""
    root = _root_of_spread(likelihood.scores(theta, centre)[1])

    def score(step: Numbers) -> Numbers:
        return np.asarray(root.T @ likelihood.scores(theta + root @ step, centre)[1].sum(axis=0))

    steps = DIFFERENCE * np.eye(len(theta))
    information = np.array([score(-step) - score(step) for step in steps]) / (2 * DIFFERENCE)
    information = (information + information.T) / 2
    try:
        np.linalg.cholesky(information)
    except np.linalg.LinAlgError as error:
        raise CannotEstimate(f"the joint likelihood is flat in some direction: {FEW}") from error
    return np.asarray(root @ np.linalg.inv(information) @ root.T)
