"""What do the answers to an instrument mean: which scores, from how many answers, and why is one missing?"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from questionnaires.columns import (
    InvalidAnswers,
    InvalidCell,
    Numbers,
    WrongColumns,
    check_columns,
    invalid_cells,
    read_columns,
)
from questionnaires.definition import Instrument
from questionnaires.partitioned import is_partitioned, score_partitions
from questionnaires.tallies import Tally, tallies_of

__all__ = ["InvalidAnswers", "InvalidCell", "NotScored", "WrongColumns", "explain", "score"]

ROWS_AT_ONCE = 1 << 15  # what fits a processor's cache: faster, and millions of forms take little memory


class NotScored(ValueError):
    """No score is offered for this instrument, for a reason."""

    def __init__(self, instrument: str, reason: str) -> None:
        self.instrument, self.reason = instrument, reason
        super().__init__(instrument, reason)

    def __str__(self) -> str:
        return f"{self.instrument}: no score is offered.\n  {self.reason}"


def score(
    answers: pd.DataFrame, instrument: Instrument, *, on_invalid: Literal["raise", "missing"] = "raise"
) -> pd.DataFrame:
    """The scores of every form: same index as the answers, one column a scale code, never rounded, NaN = missing.

    answers: one row a form, one column an item code; whole numbers of any numeric, nullable or categorical type,
    missing = NaN, None or NA. Text is refused, even "2": what it stands for is the reader's to decide.
    on_invalid: what to do with an answer that is none of its item's options: "raise" InvalidAnswers, which names
    every such row and item, or take it as "missing" and list it in `.attrs["invalid"]` (of InvalidCell).
    Answers count as given: whether an item should have been asked is decided when it is asked (`branching`).
    Of a Dask frame the scores are one too, cut alike and scored when they are computed, which is when InvalidAnswers
    is raised, of one partition; its `.attrs["invalid"]` is a Delayed of the list.
    Raises WrongColumns when an item has no column, or two; NotScored when the instrument offers no score.
    """
    if on_invalid not in ("raise", "missing"):
        raise ValueError(f'on_invalid is {on_invalid!r}.\n  It must be "raise" or "missing".')
    _check(answers, instrument)
    if is_partitioned(answers):
        scored: pd.DataFrame = score_partitions(score, answers, instrument, on_invalid)
        return scored
    invalid: list[InvalidCell] = []
    values: dict[str, Numbers] = {}
    for first, tallies in _batches(answers, instrument, invalid):
        for code, tally in tallies.items():
            whole = values.setdefault(code, np.empty(len(answers)))
            whole[first : first + len(tally.value)] = tally.value
    if invalid and on_invalid == "raise":
        raise InvalidAnswers(invalid)
    scores = pd.DataFrame(values, index=answers.index, copy=False)
    scores.attrs["invalid"] = invalid
    return scores


def explain(answers: pd.DataFrame, instrument: Instrument) -> pd.DataFrame:
    """How each score came about: one line a form and scale, forms in the order of the answers.

    Columns: row (label in the answers), scale, value (NaN = missing), answered and needed (items; of a composite:
    scales), reason (None, or why the value is missing: "no answers", "not applicable" by a closed gate, "too few
    answers", "invalid answers", "a scale is missing"), flag (None, or the instrument's threshold that the value has
    passed, as "below 83"). Invalid answers count as not answered. Raises WrongColumns, NotScored.
    """
    _check(answers, instrument)
    tallies = list(tallies_of(read_columns(answers, instrument), instrument).values())
    forms, scales = len(answers), len(tallies)
    return pd.DataFrame(
        {
            "row": answers.index.repeat(scales),
            "scale": np.tile(np.array([tally.score.code for tally in tallies], dtype=object), forms),
            "value": np.column_stack([tally.value for tally in tallies]).ravel(),
            "answered": np.column_stack([tally.answered for tally in tallies]).ravel().astype(np.int64),
            "needed": np.tile([tally.needed for tally in tallies], forms),
            "reason": np.column_stack([_reasons(tally) for tally in tallies]).ravel(),
            "flag": np.column_stack([_flags(tally, instrument) for tally in tallies]).ravel(),
        }
    )


def refuse_unscored(instrument: Instrument) -> None:
    """Raises NotScored."""
    if instrument.not_scored is not None:
        raise NotScored(f"{instrument.id} {instrument.version}", instrument.not_scored)


def _check(answers: pd.DataFrame, instrument: Instrument) -> None:
    refuse_unscored(instrument)
    check_columns(answers, instrument)


def _batches(
    answers: pd.DataFrame, instrument: Instrument, invalid: list[InvalidCell]
) -> Iterator[tuple[int, dict[str, Tally]]]:
    """The tallies of some rows after the other, and where they begin; `invalid` collects the cells that are none."""
    for first in range(0, max(len(answers), 1), ROWS_AT_ONCE):
        rows = answers.iloc[first : first + ROWS_AT_ONCE]
        columns = read_columns(rows, instrument)
        invalid.extend(invalid_cells(rows, instrument, columns))
        yield first, tallies_of(columns, instrument)


def _reasons(tally: Tally) -> NDArray[np.object_]:
    """Why each row has no score; None where it has one."""
    reasons = np.full(len(tally.value), "too few answers", dtype=object)
    if tally.of_items:
        reasons[tally.answered == 0] = "no answers"
        reasons[(tally.answered == 0) & (tally.closed > 0)] = "not applicable"
        reasons[(tally.invalid > 0) & (tally.answered + tally.invalid >= tally.needed)] = "invalid answers"
    else:
        reasons[:] = "a scale is missing"
    reasons[~np.isnan(tally.value)] = None
    return reasons


def _flags(tally: Tally, instrument: Instrument) -> NDArray[np.object_]:
    """The first threshold of the instrument that each value has passed; None where there is none."""
    flags = np.full(len(tally.value), None, dtype=object)
    for threshold in reversed(instrument.thresholds):
        side = threshold.flag(tally.score.code)
        if side is not None:
            word, at = side
            passed = tally.value < at if word == "below" else tally.value > at
            flags[passed] = f"{word} {at:g}"
    return flags
