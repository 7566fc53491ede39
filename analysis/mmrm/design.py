"""Which rows of the data enter the model, and as which columns?"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from formulaic import Formula, ModelSpecs
from formulaic.errors import FormulaicError
from numpy.typing import NDArray

from analysis.results import BadInput, CannotEstimate

Numbers = NDArray[np.float64]
ROWS_AT_ONCE = 250_000
SHOWN = 5


class DuplicateForms(BadInput):
    """A subject has two rows at one visit."""


class CollinearDesign(CannotEstimate):
    """A column of the design is a combination of others."""


class ConstantOutcome(CannotEstimate):
    """The design explains the outcome fully."""


@dataclass(frozen=True)
class EqualMeans:
    """The arms have one mean at this visit, as randomisation makes it at baseline."""

    arm: str
    visit: Any


@dataclass(frozen=True, eq=False, repr=False)
class Design:
    """Rows sorted by the pattern of a subject's visits, subject and visit.

    frame: the rows. visits: (rows,) codes. patterns: (subjects,) in order of frame; seen: (patterns, m).
    columns: which of the formula's columns are kept. excluded: rows left out, by reason.
    """

    spec: ModelSpecs
    frame: pd.DataFrame
    visit: str
    equal_means: EqualMeans | None
    excluded: dict[str, int]
    visits: NDArray[np.int64]
    patterns: NDArray[np.int64]
    seen: NDArray[np.bool_]
    columns: NDArray[np.intp]

    @property
    def levels(self) -> list[Any]:
        return list(self.frame[self.visit].cat.categories)

    @property
    def names(self) -> list[str]:
        every = list(self.spec.rhs.column_names)
        return [every[column] for column in self.columns]

    def matrix(self, rows: pd.DataFrame) -> Numbers:
        """(rows, p) the design of other rows, which need no outcome."""
        return dense(self.spec.rhs, constrained(rows, self.visit, self.equal_means))[:, self.columns]

    def term(self, name: str) -> list[int]:
        """Columns of one term of the formula. Raises BadInput."""
        slices = {str(term): indices for term, indices in self.spec.rhs.term_indices.items()}
        if name not in slices:
            raise BadInput(f"{name} is no term of the formula.\n  Its terms are: {', '.join(slices)}.")
        return [at for at, column in enumerate(self.columns) if column in slices[name]]

    def blocks(self) -> Iterator[tuple[int, Numbers, Numbers]]:
        """Pattern, design (n, visits of the pattern, p) and outcome (n, visits), some hundred thousand rows at once."""
        lengths = self.seen.sum(axis=1)[self.patterns]
        ends = np.cumsum(lengths)
        start = 0
        while start < len(lengths):
            begin = ends[start] - lengths[start]
            stop = max(start + 1, int(np.searchsorted(ends, begin + ROWS_AT_ONCE, side="right")))
            rows = self.frame.iloc[begin : ends[stop - 1]]
            x, y = self.matrix(rows), dense(self.spec.lhs, rows)[:, 0]
            at = 0
            for pattern, n in zip(*np.unique(self.patterns[start:stop], return_counts=True), strict=True):
                m = int(self.seen[pattern].sum())
                size = int(n) * m
                yield int(pattern), x[at : at + size].reshape(n, m, -1), y[at : at + size].reshape(n, m)
                at += size
            start = stop

    @cached_property
    def between(self) -> NDArray[np.bool_]:
        """(p,) which columns never differ within a subject."""
        same = np.ones(len(self.columns), dtype=np.bool_)
        for _, x, _ in self.blocks():
            same &= (x == x[:, :1]).all(axis=(0, 1))
        return same


def design(formula: str, data: pd.DataFrame, *, subject: str, visit: str, equal_means: EqualMeans | None) -> Design:
    """The rows that have all variables, with every column of the formula. Raises BadInput and CannotEstimate."""
    parsed, variables = _parsed(formula)
    wanted = list(dict.fromkeys([*variables, subject, visit]))
    if unknown := [name for name in wanted if name not in data.columns]:
        raise BadInput(f"the data have no column {', '.join(unknown)}.\n  They have: {', '.join(map(str, data))}.")
    frame, excluded = _complete(data[wanted], parsed, subject, visit)
    if equal_means is not None and equal_means.visit not in frame[visit].cat.categories:
        raise BadInput(f"equal_means names a visit that nobody has: {equal_means.visit}.")
    frame, visits, patterns, seen = _sorted(frame, subject, visit)
    spec = _spec(parsed, frame, visit, equal_means)
    everything = np.arange(len(spec.rhs.column_names))
    return Design(spec, frame, visit, equal_means, excluded, visits, patterns, seen, everything)


def constrained(rows: pd.DataFrame, visit: str, equal: EqualMeans | None) -> pd.DataFrame:
    """Rows with the reference arm at the visit at which the arms have one mean."""
    if equal is None:
        return rows
    reference = rows[equal.arm].cat.categories[0]
    return rows.assign(**{equal.arm: rows[equal.arm].where(rows[visit] != equal.visit, reference)})


def _parsed(formula: str) -> tuple[Formula, list[str]]:
    try:
        parsed = Formula(formula)
        return parsed, sorted({*parsed.lhs.required_variables, *parsed.rhs.required_variables})
    except (FormulaicError, AttributeError) as error:
        raise BadInput(f'"{formula}" is no formula.\n  Write outcome ~ terms, as "chg ~ base * visit".') from error


def _complete(data: pd.DataFrame, parsed: Formula, subject: str, visit: str) -> tuple[pd.DataFrame, dict[str, int]]:
    outcome = data[sorted(parsed.lhs.required_variables)].isna().any(axis=1)
    missing = data.isna().any(axis=1)
    frame = data[~missing].copy()
    if frame.empty:
        raise CannotEstimate("no row has the outcome and all covariates")
    for name in frame:
        if name == visit or (name != subject and not pd.api.types.is_numeric_dtype(frame[name])):
            frame[name] = frame[name].astype("category").cat.remove_unused_categories()
        elif pd.api.types.is_bool_dtype(frame[name]):
            frame[name] = frame[name].astype("category")
    for name in frame.columns.difference([subject, visit]):
        if isinstance(frame[name].dtype, pd.CategoricalDtype) and len(frame[name].cat.categories) < 2:
            raise CollinearDesign(f"{name} is {frame[name].iloc[0]} in all rows; leave it out of the formula")
    if (twice := frame.duplicated([subject, visit], keep=False)).any():
        rows = [str(row) for row in frame.index[twice][:SHOWN]]
        raise DuplicateForms(
            f"{subject} and {visit} are the same in {int(twice.sum())} rows, among them {', '.join(rows)}.\n"
            "  Keep one row per subject and visit."
        )
    return frame, {"no outcome": int(outcome.sum()), "no covariate": int((missing & ~outcome).sum())}


def _sorted(
    frame: pd.DataFrame, subject: str, visit: str
) -> tuple[pd.DataFrame, NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Rows by pattern, subject, visit; their visits; each subject's pattern; the visits of each pattern."""
    m = len(frame[visit].cat.categories)
    who = np.asarray(pd.factorize(frame[subject])[0], dtype=np.int64)
    visits = np.asarray(frame[visit].cat.codes, dtype=np.int64)
    seen = np.zeros((int(who.max()) + 1, m), dtype=np.bool_)
    seen[who, visits] = True
    packed = np.packbits(seen, axis=1)
    _, first, patterns = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    patterns = np.asarray(patterns.ravel(), dtype=np.int64)
    rank = np.empty(len(patterns), dtype=np.int64)
    by_pattern = np.argsort(patterns, kind="stable")
    rank[by_pattern] = np.arange(len(patterns))
    order = np.argsort(rank[who] * m + visits, kind="stable")
    return frame.iloc[order], visits[order], patterns[by_pattern], seen[first]


def _spec(parsed: Formula, frame: pd.DataFrame, visit: str, equal: EqualMeans | None) -> ModelSpecs:
    if equal is not None and (equal.arm not in frame or not isinstance(frame[equal.arm].dtype, pd.CategoricalDtype)):
        raise BadInput(f"equal_means names {equal.arm}, which is no factor of the formula.")
    try:
        spec = parsed.get_model_matrix(frame.iloc[:ROWS_AT_ONCE], output="numpy").model_spec
        if len(frame) > ROWS_AT_ONCE and (spec.rhs.transform_state or spec.lhs.transform_state):
            spec = parsed.get_model_matrix(frame, output="numpy").model_spec
    except FormulaicError as error:
        raise BadInput(f"the formula does not fit the data: {error}") from error
    return spec


def dense(spec: Any, rows: pd.DataFrame) -> Numbers:
    """(rows, columns) numbers of one side of the formula. Raises BadInput where one is not finite."""
    matrix = np.asarray(spec.get_model_matrix(rows), dtype=np.float64)
    if len(matrix) != len(rows) or not np.isfinite(matrix).all():
        raise BadInput("a term of the formula is not finite in some row.\n  Look for logarithms and divisions by 0.")
    return matrix
