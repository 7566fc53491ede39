"""Which rows of the data enter the model, as which columns, and what are their cross-products?"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from formulaic import Formula, ModelSpecs
from formulaic.errors import FormulaicError
from numpy.typing import NDArray
from scipy import sparse

from analysis.mmrm.likelihood import CrossProducts
from analysis.results import BadInput, CannotEstimate

Numbers = NDArray[np.float64]
ROWS_AT_ONCE = 250_000
ALIASED = 1e-9  # share of a column's squares that no earlier column explains
SAMPLED_ROWS = 5_000
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
        return _dense(self.spec.rhs, constrained(rows, self.visit, self.equal_means))[:, self.columns]

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
            x, y = self.matrix(rows), _dense(self.spec.lhs, rows)[:, 0]
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


@dataclass(frozen=True, eq=False, repr=False)
class Scaled:
    """Cross-products of columns of length 1 and of what is left of the outcome after least squares, of variance 1.

    Coefficients of the data = offset + scale * coefficients of these.
    """

    products: CrossProducts
    offset: Numbers
    scale: Numbers
    outcome_scale: float

    @property
    def deviance_shift(self) -> Numbers:
        """(2,) to add to the deviance of these for that of the data: maximum likelihood, restricted likelihood."""
        n, p = self.products.rows, len(self.scale)
        log = 2 * np.log(self.outcome_scale)
        columns = 2 * np.log(self.outcome_scale / self.scale).sum()
        return np.array([n * log, (n - p) * log + columns])


def design(
    formula: str, data: pd.DataFrame, *, subject: str, visit: str, equal_means: EqualMeans | None
) -> tuple[Design, Scaled]:
    """The rows with all variables, and their cross-products. Raises BadInput and CannotEstimate."""
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
    whole = Design(spec, frame, visit, equal_means, excluded, visits, patterns, seen, everything)
    gram, offset = _summed(whole)
    q = len(everything) + 1
    squares = np.asarray(gram.reshape((-1, q * q))[_same_visit(seen)].sum(axis=0)).reshape(q, q)
    kept = _kept(squares[:-1, :-1], whole.names, may_drop=equal_means is not None)
    return replace(whole, columns=everything[kept]), _scaled(whole, gram, offset, squares, kept)


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


def _dense(spec: Any, rows: pd.DataFrame) -> Numbers:
    matrix = np.asarray(spec.get_model_matrix(rows), dtype=np.float64)
    if len(matrix) != len(rows) or not np.isfinite(matrix).all():
        raise BadInput("a term of the formula is not finite in some row.\n  Look for logarithms and divisions by 0.")
    return matrix


def _summed(whole: Design) -> tuple[sparse.csr_array, Numbers]:
    """(patterns m m, q q) products of the design and of the outcome less an offset, and that offset (p,).

    The offset keeps a large mean from swallowing the digits of the squares; any will do that is near.
    """
    m, p = len(whole.levels), len(whole.columns)
    q = p + 1
    some = whole.frame.iloc[:: max(1, len(whole.frame) // SAMPLED_ROWS)]
    offset = _near(whole.matrix(some), _dense(whole.spec.lhs, some)[:, 0])
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64], Numbers]] = []
    for pattern, x, y in whole.blocks():
        z = np.concatenate([x, (y - x @ offset)[:, :, None]], axis=2)
        at, column = np.nonzero((z != 0).any(axis=0))
        compact = z[:, at, column]
        products = compact.T @ compact
        where = np.flatnonzero(whole.seen[pattern])[at]
        row = (pattern * m + where[:, None]) * m + where
        parts.append((row.ravel(), (column[:, None] * q + column).ravel(), products.ravel()))
    rows, columns, values = (np.concatenate(each) for each in zip(*parts, strict=True))
    shape = (len(whole.seen) * m * m, q * q)
    return sparse.csr_array((values, (rows, columns)), shape=shape), offset


def _near(x: Numbers, y: Numbers) -> Numbers:
    """(p,) least-squares coefficients, the shortest where there are many, refined until only rounding is left."""
    length = np.sqrt(np.maximum((x**2).sum(axis=0), 1e-300))
    unit = x / length
    found = np.zeros(x.shape[1])
    for _ in range(3):
        left = y - unit @ found
        found = found + np.linalg.lstsq(unit.T @ unit, unit.T @ left, rcond=None)[0]
    return np.asarray(found / length)


def _same_visit(seen: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Rows of the gram that are a visit with itself."""
    patterns, m = seen.shape
    return np.asarray((np.arange(patterns)[:, None] * m * m + np.arange(m) * (m + 1)).ravel())


def _kept(squares: Numbers, names: list[str], *, may_drop: bool) -> list[int]:
    """Columns that no earlier ones determine."""
    length = np.sqrt(np.diag(squares))
    unit = squares / np.outer(np.where(length > 0, length, 1), np.where(length > 0, length, 1))
    kept: list[int] = []
    for column in range(len(unit)):
        explained = np.linalg.lstsq(unit[np.ix_(kept, kept)], unit[kept, column], rcond=None)[0]
        if unit[column, column] - unit[kept, column] @ explained > ALIASED:
            kept.append(column)
        elif not may_drop:
            others = [names[at] for at, share in zip(kept, explained, strict=True) if abs(share) > 1e-6]
            why = f"is determined by {', '.join(others)}" if others else "is 0 in all rows"
            raise CollinearDesign(
                f"{names[column]} {why}; leave out a term, or the visit at which an arm or a level has no forms"
            )
    return kept


def _scaled(whole: Design, gram: sparse.csr_array, offset: Numbers, squares: Numbers, kept: list[int]) -> Scaled:
    seen, n = whole.seen, len(whole.frame)
    x, xy = squares[np.ix_(kept, kept)], squares[kept, -1]
    if n - len(kept) < 1:
        raise CannotEstimate(f"{n} rows are too few for {len(kept)} coefficients")
    length = np.sqrt(np.diag(x))
    fitted = np.linalg.solve(x / np.outer(length, length), xy / length) / length
    variance = (squares[-1, -1] - xy @ fitted) / (n - len(kept))
    spread = float(np.abs(whole.spec.lhs.get_model_matrix(whole.frame.iloc[:ROWS_AT_ONCE])).max())
    if not variance > (1e-7 * max(spread, 1e-300)) ** 2:
        raise ConstantOutcome("the outcome is constant, or the covariates determine it: nothing is left to explain")
    sd = float(np.sqrt(variance))
    turn = np.zeros((squares.shape[0], len(kept) + 1))
    turn[kept, np.arange(len(kept))] = 1 / length
    turn[kept, -1], turn[-1, -1] = -fitted / sd, 1 / sd
    small = sparse.csr_array(turn)
    turned = sparse.csr_array(gram @ sparse.csr_array(sparse.kron(small, small)))
    patients = np.bincount(whole.patterns, minlength=len(seen)).astype(np.float64)
    products = CrossProducts(seen, patients, turned, len(kept) + 1)
    return Scaled(products, _offset(offset, kept, squares) + fitted, sd / length, sd)


def _offset(offset: Numbers, kept: list[int], squares: Numbers) -> Numbers:
    """The offset as a combination of the kept columns."""
    if len(kept) == len(offset):
        return offset
    x = squares[:-1, :-1]
    return np.asarray(np.linalg.solve(x[np.ix_(kept, kept)], x[kept] @ offset))
