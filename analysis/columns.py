"""How is a column of a trial's tables declared, read, checked and written?"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Kind = Literal["text", "date", "instant", "whole", "number", "flag"]

ROWS_SHOWN = 5
FIRST_ROW = 2  # the header is row 1 of the file
RIGHT: dict[Kind, str] = {
    "text": "Write text.",
    "date": "Write a day as 2027-03-01.",
    "instant": "Write an instant with its offset, as 2027-03-01T08:00:00Z.",
    "whole": "Write a whole number.",
    "number": "Write a number, with a point for decimals.",
    "flag": "Write true or false.",
}
FLAGS = {"true": True, "false": False, "1": True, "0": False}
DTYPES: dict[Kind, Any] = {
    "text": "string",
    "date": "datetime64[ns]",
    "instant": pd.DatetimeTZDtype(tz="UTC"),
    "whole": "Int64",
    "number": "float64",
    "flag": "boolean",
}


@dataclass(frozen=True)
class Column:
    """A column of a table.

    required: the file must have it; one that is not is empty when absent. filled: no cell of it may be empty.
    words: the only values it may hold; empty = any of its kind.
    """

    name: str
    kind: Kind = "text"
    required: bool = False
    filled: bool = False
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fault:
    """What is wrong in a file of a trial folder, where, and what would be right. Never shows a cell's value."""

    file: str
    rows: tuple[int, ...]
    column: str | None
    what: str
    cure: str

    def __str__(self) -> str:
        place = [self.file]
        if self.rows:
            shown = ", ".join(map(str, self.rows[:ROWS_SHOWN]))
            more = len(self.rows) - ROWS_SHOWN
            place.append(f"row {shown}" + (f" and {more} more" if more > 0 else ""))
        if self.column:
            place.append(self.column)
        return f"{', '.join(place)}: {self.what}\n  {self.cure}"


class BadTrial(ValueError):
    """A trial folder that cannot be analysed, with every fault found in it."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


def rows_where(mask: "pd.Series[bool]") -> tuple[int, ...]:
    """Row numbers of the file where a mask over the table holds."""
    held = mask.fillna(False).to_numpy(dtype=bool)
    return tuple(int(position) + FIRST_ROW for position in held.nonzero()[0])


def typed(raw: pd.DataFrame, columns: Iterable[Column], file: str) -> tuple[pd.DataFrame, list[Fault]]:
    """A table of text (empty = missing) as its declared types, and everything that does not fit the declaration."""
    columns = list(columns)
    faults = list(_header_faults(raw, columns, file))
    table: dict[str, pd.Series[Any]] = {}
    for column in columns:
        if column.name not in raw.columns:
            table[column.name] = pd.Series([None] * len(raw), index=raw.index, dtype=DTYPES[column.kind])
            continue
        place, distinct = distinct_of(raw[column.name])  # each text is read once, however many rows have it
        text = distinct.astype("string")
        text = text.mask(text == "")
        values = _parsed(text, column.kind)
        faults += _cell_faults(text, values, place, column, file)
        table[column.name] = spread(values, place, raw.index)
    return pd.DataFrame(table), faults


def distinct_of(column: "pd.Series[Any]") -> tuple[NDArray[np.intp], "pd.Series[Any]"]:
    """Which of its distinct cells stands in each row of a column, and these cells."""
    place, distinct = pd.factorize(column, use_na_sentinel=False)
    return place, pd.Series(np.asarray(distinct, dtype=object), dtype=object)


def spread(cells: "pd.Series[Any]", place: NDArray[np.intp], index: pd.Index) -> "pd.Series[Any]":
    """The column that distinct cells make."""
    return pd.Series(cells.array.take(place), index=index)


def as_text(table: pd.DataFrame, columns: Iterable[Column]) -> pd.DataFrame:
    """A table of dates, instants, flags, numbers and text as the text that stands in its file (missing = empty).

    Columns that are declared and absent are empty; columns that are not declared stay, for `typed` to refuse.
    """
    kinds: dict[str, Kind] = {column.name: column.kind for column in columns}
    names = [*kinds, *(name for name in table.columns if name not in kinds)]
    empty = pd.Series("", index=table.index)
    return pd.DataFrame({name: table[name].map(_written) if name in table.columns else empty for name in names})


def _header_faults(raw: pd.DataFrame, columns: list[Column], file: str) -> Iterable[Fault]:
    declared = [column.name for column in columns]
    if len(raw.columns) == 1 and (sign := next((each for each in ";\t|" if each in str(raw.columns[0])), None)):
        name = {";": "semicolons", "\t": "tabs"}.get(sign, "bars")
        yield Fault(file, (1,), None, f"the columns are parted by {name}", "Save it with commas between them.")
        return
    for column in columns:
        if column.required and column.name not in raw.columns:
            yield Fault(file, (), column.name, "there is no such column", "Add it; leave what is not known empty.")
    for name in raw.columns:
        if name not in declared:
            cure = f"Take it out; a trial folder never holds contact data. The columns are {', '.join(declared)}."
            yield Fault(file, (), str(name), "this column is not known", cure)


def _cell_faults(
    text: "pd.Series[Any]", values: "pd.Series[Any]", place: NDArray[np.intp], column: Column, file: str
) -> Iterator[Fault]:
    """Of distinct texts, what they were read as, and the rows where they stand."""

    def fault(cells: "pd.Series[bool]", what: str, cure: str) -> Iterator[Fault]:
        if cells.any():
            yield Fault(file, rows_where(pd.Series(cells.to_numpy(dtype=bool)[place])), column.name, what, cure)

    yield from fault(text.notna() & values.isna(), f"this is no {_noun(column.kind)}", RIGHT[column.kind])
    if column.filled:
        yield from fault(text.isna(), "this may not be empty", "Fill it in.")
    if column.words:
        strange = text.notna() & ~text.isin(column.words)
        yield from fault(strange, "this is none of the words known here", f"Write one of {', '.join(column.words)}.")


def _parsed(text: "pd.Series[Any]", kind: Kind) -> "pd.Series[Any]":
    if kind == "text":
        return text
    if kind == "date":
        return pd.to_datetime(text, format="%Y-%m-%d", errors="coerce").astype(DTYPES["date"])
    if kind == "instant":
        offset = text.where(text.str.contains(r"(?:Z|[+-]\d\d:?\d\d)$", regex=True).fillna(False))
        return pd.to_datetime(offset, format="ISO8601", utc=True, errors="coerce").astype(DTYPES["instant"])
    if kind == "whole":
        whole = text.where(text.str.fullmatch(r"-?\d{1,18}(\.0+)?").fillna(False))  # 2.0: a table with empty cells
        return whole.str.replace(r"\.0+$", "", regex=True).astype(DTYPES["whole"])
    if kind == "number":
        return pd.to_numeric(text, errors="coerce").astype("Float64").astype(DTYPES["number"])
    return text.str.lower().map(FLAGS).astype(DTYPES["flag"])


def _written(value: Any) -> str:
    if value is None or pd.isna(value):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return re.sub(r" 00:00:00$", "", value.isoformat(sep=" "))  # a day kept as a timestamp
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _noun(kind: Kind) -> str:
    return {"whole": "whole number", "flag": "flag"}.get(kind, kind)
