"""How is a column of a trial's tables declared, read, checked and written?"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

import pandas as pd

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
        text = raw[column.name].astype("string")
        text = text.mask(text == "")
        values = _parsed(text, column.kind)
        wrong = text.notna() & values.isna()
        if wrong.any():
            fault = Fault(file, rows_where(wrong), column.name, f"this is no {_noun(column.kind)}", RIGHT[column.kind])
            faults.append(fault)
        if column.filled and (empty := text.isna()).any():
            faults.append(Fault(file, rows_where(empty), column.name, "this may not be empty", "Fill it in."))
        if column.words and (strange := text.notna() & ~text.isin(column.words)).any():
            cure = f"Write one of {', '.join(column.words)}."
            faults.append(Fault(file, rows_where(strange), column.name, "this is none of the words known here", cure))
        table[column.name] = values
    return pd.DataFrame(table), faults


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
    for column in columns:
        if column.required and column.name not in raw.columns:
            yield Fault(file, (), column.name, "there is no such column", "Add it; leave what is not known empty.")
    for name in raw.columns:
        if name not in declared:
            cure = f"Take it out; a trial folder never holds contact data. The columns are {', '.join(declared)}."
            yield Fault(file, (), str(name), "this column is not known", cure)


def _parsed(text: "pd.Series[Any]", kind: Kind) -> "pd.Series[Any]":
    if kind == "text":
        return text
    if kind == "date":
        return pd.to_datetime(text, format="%Y-%m-%d", errors="coerce").astype(DTYPES["date"])
    if kind == "instant":
        offset = text.where(text.str.contains(r"(?:Z|[+-]\d\d:?\d\d)$", regex=True).fillna(False))
        return pd.to_datetime(offset, format="ISO8601", utc=True, errors="coerce").astype(DTYPES["instant"])
    if kind == "whole":
        whole = text.where(text.str.fullmatch(r"-?\d{1,18}").fillna(False))
        return whole.astype(DTYPES["whole"])
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
