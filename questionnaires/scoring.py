"""What do the answers to an instrument mean: which scores, from how many answers, and why is one missing?"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from questionnaires.definition import Composite, Instrument, Scale

Numbers = NDArray[np.float64]
Counts = NDArray[np.int16]  # of items or scales; small, as millions of forms may be scored at once
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
class _Tally:
    """One scale over all rows: its score (NaN = missing), and how many of its parts count, or are invalid."""

    scale: Scale | Composite
    score: Numbers
    answered: Counts
    invalid: Counts
    needed: int


def score(
    answers: pd.DataFrame, instrument: Instrument, *, on_invalid: Literal["raise", "missing"] = "raise"
) -> pd.DataFrame:
    """The scores of every form: same index as the answers, one column a scale code, never rounded, NaN = missing.

    answers: one row a form, one column an item code; whole numbers of any numeric, nullable or categorical type,
    missing = NaN, None or NA. Text is refused, even "2": what it stands for is the reader's to decide.
    on_invalid: what to do with an answer that is none of its item's options: "raise" InvalidAnswers, which names
    every such row and item, or take it as "missing" and list it in `.attrs["invalid"]` (of InvalidCell).
    Raises WrongColumns when an item has no column, or two.
    """
    if on_invalid not in ("raise", "missing"):
        raise ValueError(f'on_invalid is {on_invalid!r}.\n  It must be "raise" or "missing".')
    tallies, invalid = _tallied(answers, instrument)
    if invalid and on_invalid == "raise":
        raise InvalidAnswers(invalid)
    scores = pd.DataFrame({tally.scale.code: tally.score for tally in tallies}, index=answers.index)
    scores.attrs["invalid"] = invalid
    return scores


def explain(answers: pd.DataFrame, instrument: Instrument) -> pd.DataFrame:
    """How each score came about: one line a form and scale, forms in the order of the answers.

    Columns: row (label in the answers), scale, value (NaN = missing), answered and needed (items; of a composite:
    scales), reason (None, or why the value is missing: "no answers", "too few answers", "invalid answers",
    "a scale is missing"), flag (None: no thresholds are described yet). Invalid answers count as not answered.
    Raises WrongColumns.
    """
    tallies, _ = _tallied(answers, instrument)
    forms, scales = len(answers), len(tallies)
    return pd.DataFrame(
        {
            "row": answers.index.repeat(scales),
            "scale": np.tile(np.array([tally.scale.code for tally in tallies], dtype=object), forms),
            "value": np.column_stack([tally.score for tally in tallies]).ravel(),
            "answered": np.column_stack([tally.answered for tally in tallies]).ravel().astype(np.int64),
            "needed": np.tile([tally.needed for tally in tallies], forms),
            "reason": np.column_stack([_reasons(tally) for tally in tallies]).ravel(),
            "flag": np.full(forms * scales, None, dtype=object),
        }
    )


def _tallied(answers: pd.DataFrame, instrument: Instrument) -> tuple[list[_Tally], list[InvalidCell]]:
    _check_columns(answers, instrument)
    wrong: dict[str, Mask] = {}
    tallies = {scale.code: _tally(answers, instrument, scale, wrong) for scale in instrument.scales}
    composites = [_composed(composite, tallies) for composite in instrument.composites]
    return [*tallies.values(), *composites], list(_cells(answers, instrument, wrong))


def _check_columns(answers: pd.DataFrame, instrument: Instrument) -> None:
    codes = [item.code for item in instrument.items]
    missing = [code for code in codes if code not in answers.columns]
    doubled = [] if answers.columns.is_unique else [code for code in codes if (answers.columns == code).sum() > 1]
    if missing or doubled:
        raise WrongColumns(f"{instrument.id} {instrument.version}", missing, doubled)


def _tally(answers: pd.DataFrame, instrument: Instrument, scale: Scale, wrong: dict[str, Mask]) -> _Tally:
    """Scores of one scale. Columns are read one at a time, to keep memory small; invalid cells go into `wrong`."""
    total = np.zeros(len(answers))
    answered = np.zeros(len(answers), dtype=np.int16)
    invalid = np.zeros(len(answers), dtype=np.int16)
    for code in scale.items:
        values, strange = _numbers(answers[code])
        missing = np.isnan(values)
        valid = np.isin(values, instrument.options(code))
        bad = strange | ~(valid | missing)
        if bad.any():
            wrong[code] = bad
            invalid += bad
        total += np.where(valid, values, 0)
        answered += valid
    scored = answered >= scale.needed
    lowest = instrument.options(scale.items[0])[0]
    raw = np.divide(total, answered, out=np.full(len(answers), np.nan), where=scored)
    symptom = (raw - lowest) / scale.range * 100
    return _Tally(scale, 100 - symptom if scale.formula == "functional" else symptom, answered, invalid, scale.needed)


def _composed(composite: Composite, tallies: dict[str, _Tally]) -> _Tally:
    parts = [tallies[code].score for code in composite.scales]
    parts += [100 - tallies[code].score for code in composite.reversed]
    answered = sum((~np.isnan(part) for part in parts), np.zeros(len(parts[0]), dtype=np.int16))
    mean = sum(parts[1:], parts[0]) / len(parts)
    return _Tally(composite, mean, answered, np.zeros_like(answered), len(parts))


def _numbers(column: "pd.Series[Any]") -> tuple[Numbers, Mask]:
    """A column as numbers (NaN = missing), and where it holds something that is no number."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        numbers, strange = _numbers(pd.Series(column.cat.categories))
        codes = column.cat.codes.to_numpy()  # -1 = missing: the last place
        return np.append(numbers, np.nan)[codes], np.append(strange, False)[codes]
    if column.dtype.kind in "iuf":
        return column.to_numpy(dtype=np.float64, na_value=np.nan), np.zeros(len(column), dtype=np.bool_)
    objects = column.to_numpy(dtype=object)
    number = np.array([isinstance(each, Real) and not isinstance(each, bool) for each in objects], dtype=np.bool_)
    numbers = np.full(len(objects), np.nan)
    numbers[number] = objects[number].astype(np.float64)
    return numbers, ~number & ~pd.isna(objects)


def _cells(answers: pd.DataFrame, instrument: Instrument, wrong: dict[str, Mask]) -> Iterator[InvalidCell]:
    """The invalid cells row by row, in each row in the order of the items."""
    items = [item.code for item in instrument.items if item.code in wrong]
    numbers = {code: _numbers(answers[code])[0] for code in items}
    positions = np.flatnonzero(np.logical_or.reduce([np.zeros(len(answers), dtype=np.bool_), *wrong.values()]))
    for position, row in zip(positions, answers.index[positions].tolist(), strict=True):
        for code in items:
            if wrong[code][position]:
                yield InvalidCell(row, code, _problem(numbers[code][position], instrument.options(code)))


def _problem(value: float, options: tuple[int, ...]) -> str:
    if np.isnan(value):
        return "not a number"
    if not float(value).is_integer():
        return "not a whole number"
    return f"not one of {' '.join(map(str, options))}"


def _reasons(tally: _Tally) -> NDArray[np.object_]:
    """Why each row has no score; None where it has one."""
    reasons = np.full(len(tally.score), "too few answers", dtype=object)
    if isinstance(tally.scale, Composite):
        reasons[:] = "a scale is missing"
    else:
        reasons[tally.answered == 0] = "no answers"
        reasons[(tally.invalid > 0) & (tally.answered + tally.invalid >= tally.needed)] = "invalid answers"
    reasons[~np.isnan(tally.score)] = None
    return reasons
