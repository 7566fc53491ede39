"""Does a hazard ratio stay the same over time?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from scipy import stats

from analysis.results import Account, BadInput, Result
from analysis.survival.hazards import Cox
from analysis.survival.partial import Numbers, Partial

Scale = Literal["km", "rank", "identity", "log"]
GLOBAL = "GLOBAL"


@dataclass(frozen=True)
class ProportionalHazards(Result):
    """Tests by term, and GLOBAL for all: chi_square, df, p; a small p speaks against a constant hazard ratio."""

    table: pd.DataFrame
    scale: Scale
    n: int
    events: int
    excluded: dict[str, int]

    @property
    def account(self) -> Account:
        method = f"score test against a coefficient linear in time ({self.scale})"
        return Account(self.n, self.events, self.excluded, method)

    def title(self) -> str:
        return f"Proportional hazards, score test against a coefficient linear in time ({self.scale})"

    def to_frame(self) -> pd.DataFrame:
        return self.table


def ph_test(model: Cox, *, scale: str = "km", terms: Mapping[str, Sequence[str]] | None = None) -> ProportionalHazards:
    """Test of proportional hazards after Grambsch and Therneau (1994), as R's cox.zph from survival 3.0 on.

    The score test of a coefficient that changes linearly with a function of time: km (1 less the Kaplan-Meier curve of
    all), rank, identity or log; exact, not the approximation with one variance for all times. terms: name: covariates
    that are tested together, such as the levels of one factor; default each alone. Strata are those of the model.
    Raises BadInput.
    """
    if scale not in get_args(Scale):
        raise BadInput(f"there is no time scale {scale}.\n  Choose one of: {', '.join(get_args(Scale))}.")
    names = list(model.terms.index)
    groups = {str(name): [name] for name in names} if terms is None else dict(terms)
    if unknown := [each for group in groups.values() for each in group if each not in names]:
        raise BadInput(f"{', '.join(unknown)} is no covariate of the model.\n  It has: {', '.join(map(str, names))}.")
    at = model._at
    g = _transformed(at.of, scale)
    g = g - g.mean()
    score, inner = at.scored(g), at.informed(g)
    curvature = at.informed(g**2) - inner @ np.linalg.solve(at.information, inner)
    rows = {}
    for name, group in [*groups.items(), (GLOBAL, names)]:
        columns = [names.index(each) for each in group]
        part = curvature[np.ix_(columns, columns)]
        chi_square = float(score[columns] @ np.linalg.solve(part, score[columns]))
        p = float(stats.chi2.sf(chi_square, len(columns)))
        rows[name] = {"chi_square": chi_square, "df": len(columns), "p": p}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("term")
    return ProportionalHazards(table, scale, model.n, model.events, model.account.excluded)  # type: ignore[arg-type]


def _transformed(partial: Partial, scale: str) -> Numbers:
    """The function of time at each death."""
    times = partial.times
    if scale == "identity":
        return times
    if scale == "log":
        return np.log(times)
    if scale == "rank":
        ordered = np.sort(partial.stop)  # of all rows, censored ones too
        first, last = np.searchsorted(ordered, times, "left"), np.searchsorted(ordered, times, "right")
        return np.asarray((first + last + 1) / 2)
    at = np.unique(times)
    died = np.bincount(np.searchsorted(at, times))
    risk = np.searchsorted(np.sort(partial.start), at, "left") - np.searchsorted(np.sort(partial.stop), at, "left")
    before = np.concatenate([[1.0], np.cumprod(1 - died / risk)[:-1]])
    return np.asarray(1 - before[np.searchsorted(at, times)])
