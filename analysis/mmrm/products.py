"""To which cross-products do the rows of a design come down, and which of its columns do they determine?"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from analysis.mmrm.design import Design, EqualMeans, Numbers, design_of, is_fitted_to_rows, spec_of
from analysis.mmrm.likelihood import CrossProducts
from analysis.mmrm.reading import ROWS_AT_ONCE, CollinearDesign, Variables, rows_of
from analysis.results import CannotEstimate

ALIASED = 1e-9  # share of a column's squares that no earlier column explains


class ConstantOutcome(CannotEstimate):
    """The design explains the outcome fully."""


@dataclass(frozen=True, eq=False, repr=False)
class Summed:
    """A whole design, and the products of its rows with an offset taken from the outcome.

    gram: (patterns m m, q q), as in CrossProducts. offset: (p,) coefficients; it keeps a large mean from swallowing the
    digits of the squares, and any will do that is near.
    """

    design: Design
    gram: sparse.csr_array
    offset: Numbers


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
    def unit(self) -> float:
        """The power of ten in which the outcome's spread is nearest to 10: in it the maximum is looked for.

        Scores from 0 to 100 keep their own unit, as in R; the outcome in grams or in tonnes gives the same answer.
        """
        return float(10.0 ** np.round(np.log10(self.outcome_scale / 10)))

    def deviance_shift(self, *, reml: bool, unit: float = 1.0) -> float:
        """To add to the deviance of these for that of the data, the outcome being counted in units."""
        n, p = self.products.rows, len(self.scale)
        columns = 2 * np.log(self.outcome_scale / self.scale).sum() if reml else 0.0
        return float((n - p * reml) * 2 * np.log(self.outcome_scale / unit) + columns)


def summed(variables: Variables, data: pd.DataFrame, equal_means: EqualMeans | None) -> Summed:
    """The design of the rows that have all variables. Raises BadInput and CannotEstimate."""
    rows = rows_of(variables, data)
    spec = spec_of(variables, rows.frame.iloc[:ROWS_AT_ONCE], equal_means)
    if rows.number > ROWS_AT_ONCE and is_fitted_to_rows(spec):
        spec = spec_of(variables, rows.frame, equal_means)
    whole = design_of(variables, rows, spec, equal_means)
    offset = offset_of(whole, rows.few)
    return Summed(whole, gram_of(whole, offset), offset)


def reduced(whole: Summed) -> tuple[Design, Scaled]:
    """The design with the columns that can be told apart, and its cross-products. Raises CannotEstimate."""
    design = whole.design
    q = len(design.columns) + 1
    squares = np.asarray(whole.gram.reshape((-1, q * q))[_same_visit(design.seen)].sum(axis=0)).reshape(q, q)
    kept = _kept(squares[:-1, :-1], design.names, may_drop=design.equal_means is not None)
    return replace(design, columns=design.columns[kept]), _scaled(whole, squares, kept)


def offset_of(whole: Design, some: pd.DataFrame) -> Numbers:
    """(p,) coefficients that fit some rows."""
    return _near(whole.matrix(some), whole.outcome(some))


def gram_of(whole: Design, offset: Numbers) -> sparse.csr_array:
    """(patterns m m, q q) products of the design and of the outcome less the offset."""
    m, q = whole.seen.shape[1], len(whole.columns) + 1
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
    return sparse.csr_array((values, (rows, columns)), shape=(len(whole.seen) * m * m, q * q))


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


def _scaled(whole: Summed, squares: Numbers, kept: list[int]) -> Scaled:
    rows, n = whole.design.rows, whole.design.rows.number
    x, xy = squares[np.ix_(kept, kept)], squares[kept, -1]
    if n - len(kept) < 1:
        raise CannotEstimate(f"{n} rows are too few for {len(kept)} coefficients")
    length = np.sqrt(np.diag(x))
    fitted = np.linalg.solve(x / np.outer(length, length), xy / length) / length
    variance = (squares[-1, -1] - xy @ fitted) / (n - len(kept))
    spread = float(np.abs(whole.design.outcome(rows.few)).max())
    if not variance > (1e-7 * max(spread, 1e-300)) ** 2:
        raise ConstantOutcome("the outcome is constant, or the covariates determine it: nothing is left to explain")
    sd = float(np.sqrt(variance))
    turn = np.zeros((squares.shape[0], len(kept) + 1))
    turn[kept, np.arange(len(kept))] = 1 / length
    turn[kept, -1], turn[-1, -1] = -fitted / sd, 1 / sd
    small = sparse.csr_array(turn)
    turned = sparse.csr_array(whole.gram @ sparse.csr_array(sparse.kron(small, small)))
    products = CrossProducts(rows.seen, rows.patients.astype(np.float64), turned, len(kept) + 1)
    return Scaled(products, _offset(whole.offset, kept, squares) + fitted, sd / length, sd)


def _offset(offset: Numbers, kept: list[int], squares: Numbers) -> Numbers:
    """The offset as a combination of the kept columns."""
    if len(kept) == len(offset):
        return offset
    x = squares[:-1, :-1]
    return np.asarray(np.linalg.solve(x[np.ix_(kept, kept)], x[kept] @ offset))
