"""Which answers does a table hold, and which of its cells are none?"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from questionnaires.definition import Gate, Instrument

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]


class InvalidCell(NamedTuple):
    """An answer that is none of its item's options: row label, item code, what is wrong with it (never its value)."""

    row: Hashable
    item: str
    problem: str


class InvalidAnswers(ValueError):
    """Answers that are none of their items' options, all of them, in `.cells`."""

    def __init__(self, cells: list[InvalidCell]) -> None:
        self.cells = cells
        super().__init__(cells)

    def __str__(self) -> str:
        places = "\n".join(f"  row {cell.row}, {cell.item}: {cell.problem}" for cell in self.cells)
        return (
            f"answers that cannot be scored: {len(self.cells)}\n{places}\n"
            '  Correct them, or score with on_invalid="missing" to leave them out.'
        )


class WrongColumns(ValueError):
    """The answers lack columns that the instrument needs, or have one twice. More columns than needed are no fault."""

    def __init__(self, instrument: str, missing: list[str], doubled: list[str]) -> None:
        self.instrument, self.missing, self.doubled = instrument, missing, doubled
        super().__init__(instrument, missing, doubled)

    def __str__(self) -> str:
        faults = [f"no column {', '.join(self.missing)}"] * bool(self.missing)
        faults += [f"more than one column {', '.join(self.doubled)}"] * bool(self.doubled)
        return (
            f"{self.instrument}: {'; '.join(faults)}.\n"
            "  Give one column per item, named by its code; one that nobody was asked is a column of missing values."
        )


@dataclass(frozen=True)
class Column:
    """The answers to one item: their values (0 where there is none), and where there is one.

    invalid: where a cell is none; closed: where its gate says that it is not asked; None = nowhere.
    """

    values: Numbers
    answered: Mask
    invalid: Mask | None = None
    closed: Mask | None = None


def check_columns(answers: pd.DataFrame, instrument: Instrument) -> None:
    """Raises WrongColumns."""
    codes = [item.code for item in instrument.items if item.scored]
    present = set(answers.columns)
    needed = [item.code for item in instrument.items if item.scored and not item.optional]
    missing = [code for code in needed if code not in present]
    if not missing and not present.intersection(codes):
        missing = codes  # every item may be absent, but not all of them at once
    doubled = [] if answers.columns.is_unique else [code for code in codes if (answers.columns == code).sum() > 1]
    if missing or doubled:
        raise WrongColumns(f"{instrument.id} {instrument.version}", missing, doubled)


def read_columns(answers: pd.DataFrame, instrument: Instrument) -> dict[str, Column]:
    """The columns of all items that are scored and there, by code."""
    columns: dict[str, Column] = {}
    for item in instrument.items:
        if not item.scored or item.code not in answers.columns:
            continue
        columns[item.code] = _column(answers[item.code], instrument.options(item.code))
        if item.asked_when is not None and item.asked_when.item in columns:
            columns[item.code] = _gated(columns[item.code], columns[item.asked_when.item], item.asked_when)
    return columns


def invalid_cells(
    answers: pd.DataFrame, instrument: Instrument, columns: Mapping[str, Column]
) -> Iterator[InvalidCell]:
    """The invalid cells row by row, in each row in the order of the items."""
    wrong = {code: column.invalid for code, column in columns.items() if column.invalid is not None}
    if not wrong:
        return
    numbers = {code: _numbers(answers[code])[0] for code in wrong}
    positions = np.flatnonzero(np.logical_or.reduce(list(wrong.values())))
    for position, row in zip(positions, answers.index[positions].tolist(), strict=True):
        for code in wrong:
            if wrong[code][position]:
                yield InvalidCell(row, code, _problem(numbers[code][position], instrument.options(code)))


def _column(series: "pd.Series[Any]", options: tuple[int, ...]) -> Column:
    numbers, strange = _numbers(series)
    if len(options) == options[-1] - options[0] + 1:  # without gaps: much faster than isin
        answered = (numbers >= options[0]) & (numbers <= options[-1]) & (np.floor(numbers) == numbers)
    else:
        answered = np.isin(numbers, options)
    known = answered | np.isnan(numbers)
    if strange is None and known.all():
        return Column(np.where(answered, numbers, 0), answered)
    invalid = ~known if strange is None else ~known | strange
    return Column(np.where(answered, numbers, 0), answered, invalid if invalid.any() else None)


def _gated(column: Column, gate: Column, rule: Gate) -> Column:
    closed = gate.answered & ~np.isin(gate.values, rule.answers)
    if gate.closed is not None:
        closed |= gate.closed
    if rule.counts_as is None:
        return Column(column.values, column.answered, column.invalid, closed)
    unasked = closed & ~column.answered
    if column.invalid is not None:
        unasked &= ~column.invalid
    values = np.where(unasked, rule.counts_as, column.values)
    return Column(values, column.answered | unasked, column.invalid, closed)


def _numbers(column: "pd.Series[Any]") -> tuple[Numbers, Mask | None]:
    """A column as numbers (NaN = missing), and where it holds something that is no number (None = nowhere)."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        numbers, strange = _numbers(pd.Series(column.cat.categories))
        codes = column.cat.codes.to_numpy()  # -1 = missing: the last place
        return np.append(numbers, np.nan)[codes], None if strange is None else np.append(strange, False)[codes]
    if column.dtype.kind in "iuf":
        return column.to_numpy(dtype=np.float64, na_value=np.nan), None
    objects = column.to_numpy(dtype=object)
    number = np.array([_is_number(each) for each in objects], dtype=np.bool_)
    numbers = np.full(len(objects), np.nan)
    numbers[number] = objects[number].astype(np.float64)
    return numbers, ~number & ~pd.isna(objects)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _problem(value: float, options: tuple[int, ...]) -> str:
    if np.isnan(value):
        return "not a number"
    if not float(value).is_integer():
        return "not a whole number"
    if len(options) > 12:
        return f"not a whole number from {options[0]} to {options[-1]}"
    return f"not one of {' '.join(map(str, options))}"
