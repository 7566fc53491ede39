"""Several kinds of event, of which only the first is seen: incidence, its comparison, hazards."""

from analysis.competing.incidence import CumulativeIncidence, cumulative_incidence
from analysis.competing.regression import FineGray, cause_specific, fine_gray
from analysis.competing.testing import Gray, gray

__all__ = ["CumulativeIncidence", "FineGray", "Gray", "cause_specific", "cumulative_incidence", "fine_gray", "gray"]
