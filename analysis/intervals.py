"""How wide is an interval, and what does a ratio look like beside its logarithm?"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

CONFIDENCE = 0.95
Z = float(stats.norm.ppf((1 + CONFIDENCE) / 2))


def ratios(coef: NDArray[np.float64], se: NDArray[np.float64], terms: list[str], name: str) -> pd.DataFrame:
    """By term: coef, se, the ratio exp(coef) under its name, lower, upper, z, p; normal, on the log scale."""
    columns = {
        "coef": coef,
        "se": se,
        name: np.exp(coef),
        "lower": np.exp(coef - Z * se),
        "upper": np.exp(coef + Z * se),
    }
    z = coef / se
    return pd.DataFrame({**columns, "z": z, "p": 2 * stats.norm.sf(np.abs(z))}, index=pd.Index(terms, name="term"))


def with_bounds(table: pd.DataFrame) -> pd.DataFrame:
    """A table of estimate and se with lower and upper; normal."""
    half = Z * table["se"]
    return table.assign(lower=table["estimate"] - half, upper=table["estimate"] + half)


def tested(table: pd.DataFrame) -> pd.DataFrame:
    """A table of estimate and se with z and p against 0."""
    z = table["estimate"] / table["se"]
    return table.assign(z=z, p=2 * stats.norm.sf(z.abs()))
