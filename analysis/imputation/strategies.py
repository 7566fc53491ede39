"""What is a missing score expected to be, under which strategy?"""

from typing import Literal, get_args

import numpy as np

from analysis.imputation.wide import Numbers, Table

Strategy = Literal["missing at random", "jump to reference", "copy increments", "copy reference"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)


def moved(strategy: str, own: Numbers, referred: Numbers, table: Table) -> Numbers:
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


def filled(y: Numbers, mean: Numbers, sigma: Numbers) -> Numbers:
    """(n, m) scores, missing ones expected given those seen: mean + sigma W (y - mean), W = the seen part inverted."""
    seen = np.isfinite(y)
    m = y.shape[1]
    _, first, pattern = np.unique(seen @ 2.0 ** np.arange(m), return_index=True, return_inverse=True)
    both = seen[first][:, :, None] & seen[first][:, None, :]
    weights = np.where(both, np.linalg.inv(np.where(both, sigma, np.eye(m))), 0.0)
    left = np.where(seen, y - mean, 0.0)
    pulled = (weights[pattern.ravel()] @ left[:, :, None])[:, :, 0]
    return np.where(seen, y, mean + pulled @ sigma)
