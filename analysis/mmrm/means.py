"""At which values of factors and covariates is a mean taken, and how is a combination of coefficients shown?"""

from itertools import product

import numpy as np
import pandas as pd
from scipy import stats

from analysis.formulas import columns_in
from analysis.intervals import CONFIDENCE
from analysis.mmrm.design import Design, Numbers
from analysis.mmrm.inference import Inference


def grid_of(read: Design) -> pd.DataFrame:
    """Every combination of the factors' levels, with covariates at their mean."""
    few = read.rows.few
    names = sorted(columns_in(read.spec.rhs.formula, few.columns))
    factors = [name for name in names if isinstance(few[name].dtype, pd.CategoricalDtype)]
    levels = [list(few[name].cat.categories) for name in factors]
    grid = pd.DataFrame(list(product(*levels)), columns=factors)
    for name in factors:
        grid[name] = grid[name].astype(few[name].dtype)
    for name in set(names) - set(factors):
        grid[name] = read.rows.mean(name)
    return grid if read.visit in grid else grid.assign(**{read.visit: few[read.visit].iloc[0]})


def table_of(estimate: Numbers, rows: Numbers, inference: Inference, index: pd.Index) -> pd.DataFrame:
    """estimate se df lower upper t p of combinations (r, p) of the scaled coefficients."""
    se = np.sqrt(np.einsum("ri,ij,rj->r", rows, inference.covariance, rows))
    df = np.array([inference.df(row) if spread > 0 else np.nan for row, spread in zip(rows, se, strict=True)])
    with np.errstate(divide="ignore", invalid="ignore"):
        t = estimate / se
    half = np.where(se > 0, stats.t.ppf((1 + CONFIDENCE) / 2, df) * se, 0.0)
    columns = {"estimate": estimate, "se": se, "df": df, "lower": estimate - half, "upper": estimate + half, "t": t}
    return pd.DataFrame({**columns, "p": 2 * stats.t.sf(np.abs(t), df)}, index=index)
