"""Which event came first, if any?"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from analysis.results import CannotEstimate
from analysis.survival.outcome import Labels, Mask, Numbers, outcome


def causes(time: ArrayLike, cause: ArrayLike) -> tuple[Numbers, Labels]:
    """Times, and causes as labels, "" = censored (0 or missing). Raises BadInput."""
    given = np.asarray(cause, dtype=object)
    times, _ = outcome(time, np.zeros(given.shape, dtype=np.bool_))
    censored = np.asarray(pd.isna(given) | (given == 0))
    return times, np.array(["" if no else _label(value) for value, no in zip(given, censored, strict=True)], object)


def of_interest(labels: Labels, cause: Any) -> Mask:
    """Which events have this cause. Raises CannotEstimate when none has."""
    known = sorted(set(labels) - {""})
    if _label(cause) not in known:
        raise CannotEstimate(f"no event has the cause {cause}; there are {', '.join(known) or 'no events'}")
    return np.asarray(labels == _label(cause))


def _label(value: Any) -> str:
    whole = isinstance(value, float | np.floating) and float(value).is_integer()
    return str(int(value)) if whole else str(value)
