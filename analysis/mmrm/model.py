"""What is the mean of each arm at each visit, and by how much do the arms differ, from incomplete repeated measures?"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.mmrm.covariances import CODES, NAMES, Code, Structure
from analysis.mmrm.design import Design, EqualMeans, Numbers
from analysis.mmrm.enough import check_numbers
from analysis.mmrm.fitting import maximised
from analysis.mmrm.inference import METHODS, Inference, Method, inference_of
from analysis.mmrm.leaving import Leaving
from analysis.mmrm.likelihood import Likelihood, Point
from analysis.mmrm.means import grid_of, table_of
from analysis.mmrm.partitioned import summed_over_partitions
from analysis.mmrm.products import Scaled, reduced, summed
from analysis.mmrm.reading import Variables
from analysis.partitions import is_partitioned
from analysis.results import Account, BadInput, CannotEstimate, Result

FALLBACK: tuple[Code, ...] = ("toeph", "ar1h", "csh", "cs")


class CovarianceFellBack(UserWarning):
    """The covariance asked for could not be fitted; another one was."""


@dataclass(frozen=True)
class MMRM(Result):
    """A fitted mixed model for repeated measures.

    coefficients: by term, estimate, se, df, lower, upper, t, p. covariance: (visits, visits). loglik: restricted where
    reml. refused: by structure, why it was not fitted. Where refused is not empty every table has robust_se, robust_df
    and robust_p beside: the empirical bias-reduced standard error with its Satterthwaite df.
    """

    formula: str
    structure: Code
    asked: Code
    method: Method
    reml: bool
    loglik: float
    covariance: pd.DataFrame
    subjects: int
    rows: int
    excluded: dict[str, int]
    refused: dict[str, str]
    parameters: int
    _design: Design
    _scaled: Scaled
    _point: Point
    _inference: Inference
    _robust: Inference | None

    @property
    def aic(self) -> float:
        """-2 loglik + 2 for each parameter of the covariance; coefficients do not count, as in R's mmrm."""
        return -2 * self.loglik + 2 * self.parameters

    @property
    def bic(self) -> float:
        """As aic, with log(subjects) for each parameter."""
        return float(-2 * self.loglik + np.log(self.subjects) * self.parameters)

    @property
    def coefficients(self) -> pd.DataFrame:
        names = pd.Index(self._design.names, name="term")
        return self._estimates(np.eye(len(names)), names)

    def ls_means(self, factor: str, *, by: str | None = None) -> pd.DataFrame:
        """Means of a factor's levels, at each level of `by`, or averaged over visits with equal weight.

        Other factors are weighted equally and covariates set to their mean over the rows used (emmeans). Indexed by
        the levels of `by`, with a column for the factor; without `by`, indexed by the factor. Columns: estimate, se,
        df, lower, upper, t, p. Raises BadInput.
        """
        rows, where, levels = self._means(factor, by)
        if by is None:
            return self._estimates(rows, pd.Index(levels, name=factor))
        table = self._estimates(rows, pd.Index(where, name=by))
        table.insert(0, factor, levels)
        return table

    def contrasts(self, factor: str, *, by: str | None = None) -> pd.DataFrame:
        """Differences between a factor's levels, each less every earlier one, at each level of `by` or averaged.

        With `by` indexed by its levels, with a column contrast; without, indexed by contrast. Columns as ls_means.
        Where equal_means makes a difference 0, its se is 0, and df, t and p are NaN: there is nothing to test.
        Raises BadInput, and CannotEstimate when the factor has one level.
        """
        rows, where, levels = self._means(factor, by)
        differences, names, places = [], [], []
        for later, (place, level) in enumerate(zip(where, levels, strict=True)):
            for earlier in range(later):
                if where[earlier] == place:
                    differences.append(rows[later] - rows[earlier])
                    names.append(f"{level} - {levels[earlier]}")
                    places.append(place)
        if not names:
            raise CannotEstimate(f"{factor} has one level")
        order = sorted(range(len(names)), key=lambda at: where.index(places[at]))
        matrix = np.array([differences[at] for at in order])
        names = [names[at] for at in order]
        if by is None:
            return self._estimates(matrix, pd.Index(names, name="contrast"))
        table = self._estimates(matrix, pd.Index([places[at] for at in order], name=by))
        table.insert(0, "contrast", names)
        return table

    def predicted(self, rows: pd.DataFrame) -> pd.Series:
        """The mean of each row of covariates, arm and visit; no outcome is needed. Raises BadInput."""
        x = self.matrix(rows)
        return pd.Series(x @ (self._scaled.offset + self._scaled.scale * self._point.coefficients), index=rows.index)

    def matrix(self, rows: pd.DataFrame) -> Numbers:
        """(rows, p) the design of rows of covariates, arm and visit. Raises BadInput."""
        return self._design.matrix(rows)

    def leaving(self) -> Leaving:
        """What the model would be without one of its patients."""
        return Leaving(self._point, self._scaled)

    def averaged(self, factor: str, *, by: str, weights: Mapping[Any, float]) -> pd.DataFrame:
        """Differences between a factor's levels, each less every earlier one, averaged over the levels of `by`.

        weights: of the levels of `by`; one that is not named has none. They need not sum to 1: an area over time that
        starts at 0 gives its start no term. Indexed by contrast; columns as ls_means. Raises BadInput.
        """
        rows, where, levels = self._means(factor, by)
        summed: dict[Any, Numbers] = {}
        for row, place, level in zip(rows, where, levels, strict=True):
            summed[level] = summed.get(level, 0.0) + weights.get(place, 0.0) * row
        pairs = list(combinations(summed, 2))
        matrix = np.array([summed[later] - summed[earlier] for earlier, later in pairs])
        return self._estimates(matrix, pd.Index([f"{later} - {earlier}" for earlier, later in pairs], name="contrast"))

    def f_test(self, term: str) -> pd.DataFrame:
        """All coefficients of one term together: f, numerator_df, denominator_df, p. Raises BadInput."""
        columns = self._design.term(term)
        if not columns:
            raise CannotEstimate(f"{term} has no coefficient of its own")
        rows = np.eye(len(self._design.names))[columns] * self._scaled.scale
        estimate = rows @ self._point.coefficients + self._scaled.offset[columns]
        denominator, factor = self._inference.joint(rows)
        covariance = rows @ self._inference.covariance @ rows.T
        f = factor * float(estimate @ np.linalg.solve(covariance, estimate)) / len(columns)
        p = float(stats.f.sf(f, len(columns), denominator))
        row = {"f": f, "numerator_df": len(columns), "denominator_df": denominator, "p": p}
        return pd.DataFrame(row, index=pd.Index([term], name="term"))

    def to_frame(self) -> pd.DataFrame:
        return self.coefficients

    @property
    def account(self) -> Account:
        method = f"MMRM, {NAMES[self.structure]}, {'REML' if self.reml else 'ML'}, {self.method}"
        return Account(self.subjects, None, self.excluded, method)

    def title(self) -> str:
        likelihood = "restricted likelihood" if self.reml else "likelihood"
        lines = [
            f"MMRM {self.formula}",
            f"{self.subjects} subjects, {self.rows} rows; left out: "
            + (", ".join(f"{n} ({why})" for why, n in self.excluded.items() if n) or "none"),
            f"Covariance: {NAMES[self.structure]}, by {likelihood}, log {self.loglik:.6g}; inference: {self.method}",
            *(f"Not fitted, {NAMES[code]}: {why}" for code, why in self.refused.items()),
        ]
        return "\n".join(lines)

    def _means(self, factor: str, by: str | None) -> tuple[Numbers, list[Any], list[Any]]:
        """Rows of coefficients, level of `by` and level of the factor, of every mean."""
        grid = grid_of(self._design)
        for name in (factor, *([by] if by else [])):
            if name not in grid or not isinstance(grid[name].dtype, pd.CategoricalDtype):
                raise BadInput(f"{name} is no factor of the formula.\n  Give it as text or as a category.")
        matrix = pd.DataFrame(self._design.matrix(grid))
        key = [grid[by], grid[factor]] if by else [grid[factor]]
        means = matrix.groupby(key, observed=True, sort=True).mean()
        levels = list(means.index.get_level_values(factor))
        where = list(means.index.get_level_values(by)) if by else ["all"] * len(levels)
        return means.to_numpy(), where, levels

    def _estimates(self, rows: Numbers, index: pd.Index) -> pd.DataFrame:
        scaled = rows * self._scaled.scale
        estimate = scaled @ self._point.coefficients + rows @ self._scaled.offset
        found = table_of(estimate, scaled, self._inference, index)
        if self._robust is not None:
            beside = table_of(estimate, scaled, self._robust, index)
            found = found.assign(robust_se=beside["se"], robust_df=beside["df"], robust_p=beside["p"])
        return found


def fit(
    formula: str,
    data: pd.DataFrame,
    *,
    subject: str,
    visit: str,
    covariance: str = "us",
    inference: str = "kenward-roger-linear",
    reml: bool = True,
    fallback: Sequence[str] | None = None,
    equal_means: tuple[str, Any] | None = None,
) -> MMRM:
    """Mixed model for repeated measures: means by the formula, one covariance matrix of a subject's visits.

    data: one row per subject and visit; rows with a missing variable are left out and counted. visit: levels in the
    order of their categories, or sorted. covariance: us toeph toep ar1h ar1 csh cs adh ad. inference: satterthwaite,
    kenward-roger (with the parameters of R's mmrm), kenward-roger-linear (SAS's for us and cs), between-within,
    residual, empirical, empirical-bias-reduced. fallback: what is tried, in this order, when the covariance cannot be
    fitted, with the warning CovarianceFellBack; default toeph, ar1h, csh, cs, from those after the one asked for; () =
    nothing. equal_means: (arm, visit) for a constrained longitudinal analysis, in which baseline is an outcome and the
    arms have one mean there (Liang and Zeger 2000). Of a Dask frame each partition gives its sums; its categories must
    be known, and no term may be fitted to all rows, as center() is.
    Raises BadInput (columns, duplicates, names), and CannotEstimate (collinear design, constant outcome, no structure
    can be fitted).
    """
    code, method = _asked(covariance, inference)
    equal = None if equal_means is None else EqualMeans(*equal_means)
    variables = Variables.of(formula, list(data.columns), subject=subject, visit=visit)
    read, scaled = reduced((summed_over_partitions if is_partitioned(data) else summed)(variables, data, equal))
    refused: dict[str, str] = {}
    for structure in _order(code, fallback):
        try:
            check_numbers(structure, read)
            likelihood = Likelihood(scaled.products, Structure(structure, len(read.levels)), reml)
            unit = scaled.unit
            constant = scaled.deviance_shift(reml=reml, unit=unit)
            point = maximised(likelihood, scaled.outcome_scale / unit, constant)
        except CannotEstimate as error:
            refused[structure] = str(error)
            continue
        if refused:
            reasons = "; ".join(f"{each}: {why}" for each, why in refused.items())
            warnings.warn(f"{structure} was fitted in place of {code} ({reasons})", CovarianceFellBack, stacklevel=2)
        return _result(formula, code, method, reml, read, scaled, point, refused)
    raise CannotEstimate("no covariance could be fitted: " + "; ".join(f"{each}: {w}" for each, w in refused.items()))


def _asked(covariance: str, inference: str) -> tuple[Code, Method]:
    if covariance not in CODES:
        raise BadInput(f"there is no covariance {covariance}.\n  Choose one of: {', '.join(CODES)}.")
    if inference not in METHODS:
        raise BadInput(f"there is no inference {inference}.\n  Choose one of: {', '.join(METHODS)}.")
    return covariance, inference


def _order(code: Code, fallback: Sequence[str] | None) -> list[Code]:
    """The structure asked for, and those to fall back on."""
    if fallback is not None:
        return [code, *(_asked(each, "satterthwaite")[0] for each in fallback if each != code)]
    later = FALLBACK[FALLBACK.index(code) + 1 :] if code in FALLBACK else FALLBACK
    return [code, *later] if code in ("us", "adh", *FALLBACK) else [code, "cs"] if code != "cs" else [code]


def _result(
    formula: str,
    asked: Code,
    method: Method,
    reml: bool,
    read: Design,
    scaled: Scaled,
    point: Point,
    refused: dict[str, str],
) -> MMRM:
    shift = scaled.deviance_shift(reml=reml)
    levels = pd.Index(read.levels, name=read.visit)
    return MMRM(
        formula=formula,
        structure=point.of.structure.code,
        asked=asked,
        method=method,
        reml=reml,
        loglik=float(-(point.deviance + shift) / 2),
        covariance=pd.DataFrame(point.sigma * scaled.outcome_scale**2, index=levels, columns=levels),
        subjects=read.subjects,
        rows=read.rows.number,
        excluded=read.rows.excluded,
        refused=refused,
        parameters=point.of.structure.size,
        _design=read,
        _scaled=scaled,
        _point=point,
        _inference=inference_of(method, point, read, scaled),
        _robust=inference_of("empirical-bias-reduced", point, read, scaled) if refused else None,
    )
