"""What would the model be without one of its patients?

Her cross-products are taken off those of all, and a few Newton steps lead from the old maximum to the new one: the same
model as that of the other patients' rows, for a hundredth of the work.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from analysis.mmrm.design import Numbers
from analysis.mmrm.fitting import from_near
from analysis.mmrm.likelihood import CrossProducts, Point
from analysis.mmrm.products import Scaled


@dataclass(frozen=True, eq=False, repr=False)
class Leaving:
    """A fitted model's sums and maximum, from which any one of its patients may be taken."""

    point: Point
    scaled: Scaled

    def without(self, x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
        """Coefficients (p,) and covariance (m, m) of the structure fitted, without the patient whose rows these are.

        x: (m, p) her design at every visit; y: (m,) her outcome, NaN where there is none.
        Raises CannotEstimate where the others do not determine the model.
        """
        sigma, coefficients = self.point.sigma, self.point.coefficients
        if np.isfinite(y).any():
            others = replace(self.point.of, data=_less(self.scaled.products, self._row(x, y), np.isfinite(y)))
            point = from_near(others, self.point.theta)
            sigma, coefficients = point.sigma, point.coefficients
        scale, offset = self.scaled.scale, self.scaled.offset
        return offset + scale * coefficients, sigma * self.scaled.outcome_scale**2

    def _row(self, x: Numbers, y: Numbers) -> Numbers:
        """(m, q) the columns and the outcome as they stand in the products, 0 at unseen visits."""
        seen = np.isfinite(y)[:, None]
        left = (y - x @ self.scaled.offset)[:, None]
        columns = np.hstack([x * self.scaled.scale, left]) / self.scaled.outcome_scale
        return np.where(seen, columns, 0.0)


def _less(products: CrossProducts, z: Numbers, seen: NDArray[np.bool_]) -> CrossProducts:
    """The products without one patient's."""
    pattern = int(np.flatnonzero((products.seen == seen).all(axis=1))[0])
    m, q = z.shape
    own = np.einsum("ai,bj->abij", z, z).reshape(m * m, q * q)
    at, column = np.nonzero(own)
    shape = products.gram.shape
    gram = products.gram - sparse.csr_array((own[at, column], (pattern * m * m + at, column)), shape=shape)
    patients = products.patients.copy()
    patients[pattern] -= 1
    return replace(products, patients=patients, gram=gram)
