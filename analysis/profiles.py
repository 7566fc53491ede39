"""How high is a score on average, by arm and visit, among those alive and answering?"""

import numpy as np
import pandas as pd
from scipy import stats

from analysis.intervals import CONFIDENCE


def mean_profile(scores: pd.DataFrame, scale: str) -> pd.DataFrame:
    """Observed means by arm and visit, each with its 95 % interval from Student's t.

    scores: one row a form: arm, visit, month and the scale, NaN = no score. Index: arm, visit (in order of month).
    Columns: month, n, mean, sd, lower, upper; below two scores there is no interval (NaN). The mean of those who
    are alive and answer is not the mean of the arm: whoever is worse off answers less.
    """
    scored = scores[scores[scale].notna() & scores["arm"].notna()]
    groups = scored.groupby(["arm", "month", "visit"])[scale]
    table = groups.agg(n="count", mean="mean", sd="std").reset_index(level="month")
    n = table["n"].to_numpy(float)
    t = stats.t.ppf((1 + CONFIDENCE) / 2, np.maximum(n - 1, 1))
    half = np.where(n > 1, t * table["sd"] / np.sqrt(n), np.nan)
    return table.assign(lower=table["mean"] - half, upper=table["mean"] + half)
