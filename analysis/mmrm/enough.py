"""Do enough patients have a visit, and a pair of visits, for what a covariance structure asks of them?"""

import numpy as np

from analysis.mmrm.covariances import Code
from analysis.mmrm.design import Design
from analysis.results import CannotEstimate

FEWEST = 5  # patients at a visit that has its own variance, and at a pair of visits that has its own covariance


def check_numbers(code: Code, read: Design) -> None:
    """Raises CannotEstimate when a visit or a pair of visits has too few patients for a parameter of its own."""
    together = np.tensordot(read.rows.patients, read.seen[:, :, None] & read.seen[:, None, :], 1)
    own = np.diag(together)
    if (code == "us" or code.endswith("h")) and own.min() < FEWEST:
        few = read.levels[int(own.argmin())]
        raise CannotEstimate(f"visit {few} has {own.min()} forms, and a variance of its own needs {FEWEST}")
    if code == "us" and together.min() < FEWEST:
        one, other = np.unravel_index(together.argmin(), together.shape)
        pair = f"{read.levels[one]} and {read.levels[other]}"
        raise CannotEstimate(f"{together.min()} patients have both {pair}, and a covariance needs {FEWEST}")
