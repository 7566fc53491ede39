"""Which rows of the data enter a model, of which kind is each variable, and which visits does each subject have?"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from formulaic import Formula
from formulaic.errors import FormulaicError
from numpy.typing import NDArray

from analysis.formulas import columns_in
from analysis.results import BadInput, CannotEstimate

Patterns = NDArray[np.int64]
ROWS_AT_ONCE = 250_000
SAMPLED_ROWS = 5_000
SHOWN = 5


class DuplicateForms(BadInput):
    """A subject has two rows at one visit."""


class CollinearDesign(CannotEstimate):
    """A column of the design is a combination of others."""


@dataclass(frozen=True)
class Variables:
    """What a formula, a subject and a visit need of the data: names of columns."""

    formula: Formula
    outcome: list[str]
    names: list[str]
    subject: str
    visit: str

    @classmethod
    def of(cls, formula: str, columns: Sequence[Any], *, subject: str, visit: str) -> "Variables":
        """Raises BadInput."""
        try:
            parsed = Formula(formula)
            outcome = sorted(columns_in(parsed.lhs, columns))
            variables = sorted({*outcome, *columns_in(parsed.rhs, columns)})
        except (FormulaicError, AttributeError) as error:
            raise BadInput(f'"{formula}" is no formula.\n  Write outcome ~ terms, as "chg ~ base * visit".') from error
        names = list(dict.fromkeys([*variables, subject, visit]))
        if unknown := [name for name in names if name not in columns]:
            raise BadInput(
                f"the data have no column {', '.join(unknown)}.\n  They have: {', '.join(map(str, columns))}."
            )
        return cls(parsed, outcome, names, subject, visit)

    def complete(self, data: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
        """The rows that have all variables; how many do not, by reason."""
        wanted = data[self.names]
        outcome, missing = wanted[self.outcome].isna().any(axis=1), wanted.isna().any(axis=1)
        excluded = {"no outcome": int(outcome.sum()), "no covariate": int((missing & ~outcome).sum())}
        return wanted[~missing], excluded

    def factors(self, frame: pd.DataFrame) -> dict[str, pd.CategoricalDtype]:
        """The levels that rows have of every variable that is no number, and of the visit."""
        found: dict[str, pd.CategoricalDtype] = {}
        for name in self.names:
            dtype = frame[name].dtype
            number = pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)
            if name == self.visit or (name != self.subject and not number):
                levels = frame[name].astype("category").cat.remove_unused_categories().cat
                found[name] = pd.CategoricalDtype(levels.categories, levels.ordered)
        return found

    def check_levels(self, factors: dict[str, pd.CategoricalDtype]) -> None:
        """Raises CollinearDesign when a factor of the formula has one level."""
        for name, dtype in factors.items():
            if name not in (self.subject, self.visit) and len(dtype.categories) < 2:
                raise CollinearDesign(f"{name} is {dtype.categories[0]} in all rows; leave it out of the formula")

    def check_once(self, frame: pd.DataFrame) -> None:
        """Raises DuplicateForms."""
        twice = frame.duplicated([self.subject, self.visit], keep=False)
        if twice.any():
            rows = [str(row) for row in frame.index[twice][:SHOWN]]
            raise DuplicateForms(
                f"{self.subject} and {self.visit} are the same in {int(twice.sum())} rows, "
                f"among them {', '.join(rows)}.\n  Keep one row per subject and visit."
            )


class Rows(ABC):
    """The rows of a model.

    seen: (patterns, m) which visits each pattern of missing forms has. patients: (patterns,) how many have it.
    few: some rows from all over, with the levels of all. excluded: how many rows are left out, by reason.
    """

    seen: NDArray[np.bool_]
    patients: NDArray[np.int64]
    few: pd.DataFrame
    excluded: dict[str, int]

    @property
    def number(self) -> int:
        return int(self.seen.sum(axis=1) @ self.patients)

    @abstractmethod
    def mean(self, name: str) -> float:
        """Of a number, over all rows."""

    @abstractmethod
    def pieces(self) -> Iterator[tuple[pd.DataFrame, Patterns]]:
        """Some hundred thousand rows at once, by pattern, subject and visit; and the pattern of each subject."""


@dataclass(frozen=True, eq=False, repr=False)
class RowsInMemory(Rows):
    """frame: the rows by pattern, subject and visit; patterns: (subjects,) in that order."""

    frame: pd.DataFrame
    patterns: Patterns
    seen: NDArray[np.bool_]
    patients: NDArray[np.int64]
    few: pd.DataFrame
    excluded: dict[str, int]

    @classmethod
    def of(cls, variables: Variables, frame: pd.DataFrame, excluded: dict[str, int]) -> "RowsInMemory":
        """Complete rows whose factors are categories. Raises DuplicateForms."""
        variables.check_once(frame)
        m = len(frame[variables.visit].cat.categories)
        who = np.asarray(pd.factorize(frame[variables.subject])[0], dtype=np.int64)
        visits = np.asarray(frame[variables.visit].cat.codes, dtype=np.int64)
        seen = np.zeros((int(who.max()) + 1, m), dtype=np.bool_)
        seen[who, visits] = True
        distinct, patterns = distinct_patterns(seen)
        rank = np.empty(len(patterns), dtype=np.int64)
        by_pattern = np.argsort(patterns, kind="stable")
        rank[by_pattern] = np.arange(len(patterns))
        ordered = frame.iloc[np.argsort(rank[who] * m + visits, kind="stable")]
        patients = np.bincount(patterns, minlength=len(distinct)).astype(np.int64)
        few = ordered.iloc[:: max(1, len(ordered) // SAMPLED_ROWS)]
        return cls(ordered, patterns[by_pattern], distinct, patients, few, excluded)

    def mean(self, name: str) -> float:
        return float(self.frame[name].mean())

    def pieces(self) -> Iterator[tuple[pd.DataFrame, Patterns]]:
        lengths = self.seen.sum(axis=1)[self.patterns]
        ends = np.cumsum(lengths)
        start = 0
        while start < len(lengths):
            begin = ends[start] - lengths[start]
            stop = max(start + 1, int(np.searchsorted(ends, begin + ROWS_AT_ONCE, side="right")))
            yield self.frame.iloc[begin : ends[stop - 1]], self.patterns[start:stop]
            start = stop


def rows_of(variables: Variables, data: pd.DataFrame) -> RowsInMemory:
    """The rows that have all variables. Raises BadInput and CannotEstimate."""
    frame, excluded = variables.complete(data)
    if frame.empty:
        raise CannotEstimate("no row has the outcome and all covariates")
    factors = variables.factors(frame)
    variables.check_levels(factors)
    return RowsInMemory.of(variables, frame.astype(factors), excluded)


def distinct_patterns(seen: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Patterns]:
    """The patterns among (n, m) seen visits, in one order whatever the rows; and the place of each row's."""
    _, first, places = np.unique(np.packbits(seen, axis=1), axis=0, return_index=True, return_inverse=True)
    return seen[first], np.asarray(places.ravel(), dtype=np.int64)
