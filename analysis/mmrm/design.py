"""Which columns does a formula make of the rows?"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from formulaic import ModelSpecs
from formulaic.errors import FormulaicError
from numpy.typing import NDArray

from analysis.mmrm.reading import Rows, Variables
from analysis.results import BadInput

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class EqualMeans:
    """The arms have one mean at this visit, as randomisation makes it at baseline."""

    arm: str
    visit: Any


@dataclass(frozen=True, eq=False, repr=False)
class Design:
    """Columns of rows. columns: which of the formula's columns are kept."""

    spec: ModelSpecs
    rows: Rows
    visit: str
    equal_means: EqualMeans | None
    columns: NDArray[np.intp]

    @property
    def seen(self) -> NDArray[np.bool_]:
        return self.rows.seen

    @property
    def subjects(self) -> int:
        return int(self.rows.patients.sum())

    @property
    def levels(self) -> list[Any]:
        return list(self.rows.few[self.visit].cat.categories)

    @property
    def names(self) -> list[str]:
        every = list(self.spec.rhs.column_names)
        return [every[column] for column in self.columns]

    def matrix(self, rows: pd.DataFrame) -> Numbers:
        """(rows, p) the design of other rows, which need no outcome."""
        return dense(self.spec.rhs, constrained(rows, self.visit, self.equal_means))[:, self.columns]

    def outcome(self, rows: pd.DataFrame) -> Numbers:
        """(rows,)"""
        return dense(self.spec.lhs, rows)[:, 0]

    def term(self, name: str) -> list[int]:
        """Columns of one term of the formula. Raises BadInput."""
        slices = {str(term): indices for term, indices in self.spec.rhs.term_indices.items()}
        if name not in slices:
            raise BadInput(f"{name} is no term of the formula.\n  Its terms are: {', '.join(slices)}.")
        return [at for at, column in enumerate(self.columns) if column in slices[name]]

    def blocks(self) -> Iterator[tuple[int, Numbers, Numbers]]:
        """Pattern, design (n, visits of the pattern, p) and outcome (n, visits), some hundred thousand rows at once."""
        for rows, patterns in self.rows.pieces():
            x, y = self.matrix(rows), self.outcome(rows)
            at = 0
            for pattern, n in zip(*np.unique(patterns, return_counts=True), strict=True):
                m = int(self.seen[pattern].sum())
                size = int(n) * m
                yield int(pattern), x[at : at + size].reshape(n, m, -1), y[at : at + size].reshape(n, m)
                at += size

    @cached_property
    def between(self) -> NDArray[np.bool_]:
        """(p,) which columns never differ within a subject."""
        same = np.ones(len(self.columns), dtype=np.bool_)
        for _, x, _ in self.blocks():
            same &= (x == x[:, :1]).all(axis=(0, 1))
        return same


def design_of(variables: Variables, rows: Rows, spec: ModelSpecs, equal_means: EqualMeans | None) -> Design:
    """Every column of the formula."""
    return Design(spec, rows, variables.visit, equal_means, np.arange(len(spec.rhs.column_names)))


def constrained(rows: pd.DataFrame, visit: str, equal: EqualMeans | None) -> pd.DataFrame:
    """Rows with the reference arm at the visit at which the arms have one mean."""
    if equal is None:
        return rows
    reference = rows[equal.arm].cat.categories[0]
    return rows.assign(**{equal.arm: rows[equal.arm].where(rows[visit] != equal.visit, reference)})


def spec_of(variables: Variables, frame: pd.DataFrame, equal: EqualMeans | None) -> ModelSpecs:
    """How rows become columns, as these rows, whose factors have all levels, tell. Raises BadInput."""
    if equal is not None and equal.visit not in frame[variables.visit].cat.categories:
        raise BadInput(f"equal_means names a visit that nobody has: {equal.visit}.")
    if equal is not None and (equal.arm not in frame or not isinstance(frame[equal.arm].dtype, pd.CategoricalDtype)):
        raise BadInput(f"equal_means names {equal.arm}, which is no factor of the formula.")
    try:
        return variables.formula.get_model_matrix(frame, output="numpy").model_spec
    except FormulaicError as error:
        raise BadInput(f"the formula does not fit the data: {error}") from error


def is_fitted_to_rows(spec: ModelSpecs) -> bool:
    """Whether a term depends on all rows at once, as one that is centred or scaled."""
    return bool(spec.rhs.transform_state or spec.lhs.transform_state)


def dense(spec: Any, rows: pd.DataFrame) -> Numbers:
    """(rows, columns) numbers of one side of the formula. Raises BadInput where one is not finite."""
    matrix = np.asarray(spec.get_model_matrix(rows), dtype=np.float64)
    if len(matrix) != len(rows) or not np.isfinite(matrix).all():
        raise BadInput("a term of the formula is not finite in some row.\n  Look for logarithms and divisions by 0.")
    return matrix
