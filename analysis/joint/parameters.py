"""Which numbers does a joint model estimate, and where do they stand in one vector?"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.joint.reading import Counts

Numbers = NDArray[np.float64]
Baseline = Literal["piecewise", "weibull"]


@dataclass(frozen=True, eq=False)
class Parameters:
    """theta in its parts; the covariance of b is root root', root lower triangular with its diagonal as logarithms."""

    theta: Numbers
    p: int
    g: int
    baseline: Baseline

    @property
    def beta(self) -> Numbers:
        return self.theta[: self.p]

    @property
    def sigma(self) -> float:
        return float(np.exp(self.theta[self.p]))

    @property
    def root(self) -> Numbers:
        a, c, d = self.theta[self.p + 1 : self.p + 4]
        return np.array([[np.exp(a), 0.0], [c, np.exp(d)]])

    @property
    def gamma(self) -> Numbers:
        return self.theta[self.p + 4 : self.p + 4 + self.g]

    @property
    def alpha(self) -> float:
        return float(self.theta[self.p + 4 + self.g])

    @property
    def hazard(self) -> Numbers:
        """Of the baseline: log height of each piece; or log scale and log shape of a Weibull hazard."""
        return self.theta[self.p + 5 + self.g :]

    def log_baseline(self, time: Numbers, piece: Counts) -> tuple[Numbers, Numbers]:
        """(...,) log hazard and (..., k) its derivatives."""
        if self.baseline == "piecewise":
            return self.hazard[piece], np.eye(len(self.hazard))[piece]
        shape, log_time = np.exp(self.hazard[1]), np.log(np.maximum(time, 1e-12))
        value = self.hazard[0] + self.hazard[1] + (shape - 1) * log_time
        return value, np.stack([np.ones_like(log_time), 1 + shape * log_time], axis=-1)
