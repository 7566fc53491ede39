"""What stands in which cell of a file: CSV of any kind, Excel, Parquet?"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from questionnaires.located import Fault, Refused
from questionnaires.separated import UTF16, WINDOWS, NotSeparated, decoded, lines_of

ENCODINGS = {None: None, UTF16: "read as UTF-16", WINDOWS: "read as Windows-1252, because it is not UTF-8"}
TEXT_ENDINGS = (".csv", ".tsv", ".tab", ".txt")


@dataclass(frozen=True)
class Grid:
    """The cells of one table below its header.

    lines: where in the file each row stands (the line of a text, the row of a sheet or of a Parquet table).
    typed: a number is a number here, so that text is meant as text; in a CSV file everything is text.
    note: what a person should know of how the file was read; None = nothing.
    """

    file: str
    cells: pd.DataFrame
    lines: Sequence[int]
    typed: bool
    note: str | None = None

    @property
    def columns(self) -> list[str]:
        return list(self.cells.columns)

    def fault(self, row: int, what: str, cure: str) -> Fault:
        return Fault(self.file, self.lines[row], what, cure)


def grid_of(path: Path | str) -> Grid:
    """The table in a file. Raises Refused with file and line, OSError when it cannot be read."""
    path = Path(path)
    ending = path.suffix.lower()
    if ending in (".xlsx", ".xlsm"):
        return _excel(path)
    if ending in (".parquet", ".pq"):
        return _parquet(path)
    if ending in TEXT_ENDINGS:
        return _text(path)
    cure = f"Give one that ends on {', '.join(TEXT_ENDINGS)}, .xlsx or .parquet."
    raise _refused(path, 1, f"files that end on {ending or 'nothing'} are not read", cure)


def plain(name: str) -> str:
    """A column's name without what people write differently: "Q_01" is q1."""
    return re.sub(r"(?<=[a-z])[\s_-]*0*(?=\d)", "", name.strip().lower())


def _text(path: Path) -> Grid:
    raw = path.read_bytes()
    if raw.startswith(b"PK\x03\x04"):
        raise _refused(path, 1, "this is an Excel workbook under another name", "Let its name end on .xlsx.")
    try:
        text, encoding = decoded(raw)
        found = lines_of(text)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise _refused(path, line, "this line is neither UTF-8 nor Windows-1252", "Save the file as UTF-8.") from None
    except NotSeparated as error:
        raise _refused(path, error.line, f"this line is not CSV: {error.what}", "Close its quotation mark.") from None
    return _grid(path, found, typed=False, note=ENCODINGS[encoding])


def _excel(path: Path) -> Grid:
    from openpyxl import load_workbook  # type: ignore[import-untyped]

    try:
        values = load_workbook(path, read_only=True, data_only=True)
        formulas = load_workbook(path, read_only=True)
    except Exception:  # openpyxl raises whatever its parts raise
        raise _refused(path, 1, "this is not an Excel workbook", "Save it once more as .xlsx, or as .csv.") from None
    sheet = values.worksheets[0]
    found: list[tuple[int, list[Any]]] = []
    asked = zip(sheet.iter_rows(values_only=True), formulas.worksheets[0].iter_rows(values_only=True), strict=True)
    for line, (row, written) in enumerate(asked, start=1):
        for cell, formula in zip(row, written, strict=False):
            if cell is None and formula is not None:
                cure = "Open the workbook, save it and try again, or paste the values in place of the formulas."
                raise _refused(path, line, "this row has a formula that was never worked out", cure)
        cells = [cell.strip() if isinstance(cell, str) else cell for cell in row]
        if any(cell not in (None, "") for cell in cells):
            found.append((line, cells))
    more = len(values.worksheets) > 1
    return _grid(path, found, typed=True, note=f"only the first sheet, {sheet.title}, was read" if more else None)


def _parquet(path: Path) -> Grid:
    if not path.is_file():
        raise FileNotFoundError(2, "there is no such file", str(path))
    try:
        cells = pd.read_parquet(path).reset_index(drop=True)
    except (OSError, ValueError):
        raise _refused(path, 1, "this is not a Parquet file", "Write it anew, or as .csv.") from None
    faults = list(_header_faults(path, 1, [str(name) for name in cells.columns]))
    if faults:
        raise Refused(faults)
    return Grid(path.name, cells.rename(columns=str), range(1, len(cells) + 1), typed=True)


def _grid(path: Path, found: Sequence[tuple[int, Sequence[Any]]], *, typed: bool, note: str | None) -> Grid:
    if not found:
        raise _refused(path, 1, "this file is empty", "It begins with a line that names its columns.")
    line, header = found[0]
    columns = ["" if name is None else str(name) for name in header]
    body = found[1:]
    while columns and not columns[-1] and all(len(row) < len(columns) or row[-1] in (None, "") for _, row in body):
        columns.pop()  # a separator at the end of each line
        body = [(at, row[: len(columns)]) for at, row in body]
    faults = [*_header_faults(path, line, columns), *_width_faults(path, columns, body, typed)]
    if faults:
        raise Refused(faults)
    rows = [[*row, *[None] * (len(columns) - len(row))] for _, row in body]
    cells = pd.DataFrame(rows, columns=columns, dtype=object)
    return Grid(path.name, cells, [at for at, _ in body], typed, note)


def _header_faults(path: Path, line: int, columns: Sequence[str]) -> Iterator[Fault]:
    if sum(name.lstrip("-").isdigit() for name in columns) > len(columns) / 2:
        yield Fault(path.name, line, "this line names no columns", "Put a line of column names first.")
        return
    for n, name in enumerate(columns):
        if not name:
            yield Fault(path.name, line, f"column {n + 1} has no name", "Name it, or take it away.")
    for name in sorted({name for name in columns if name and columns.count(name) > 1}):
        yield Fault(path.name, line, f"the column {name} stands twice", "Take one of them away, or rename it.")


def _width_faults(
    path: Path, columns: Sequence[str], body: Sequence[tuple[int, Sequence[Any]]], typed: bool
) -> Iterator[Fault]:
    if typed:
        return  # a sheet has as many cells as its widest row
    for line, row in body:
        if len(row) != len(columns):
            cure = "A cell that holds the separator stands in quotation marks; an empty cell has its separator too."
            yield Fault(path.name, line, f"this line has {len(row)} cells for {len(columns)} columns", cure)


def _refused(path: Path, line: int, what: str, cure: str) -> Refused:
    return Refused([Fault(path.name, line, what, cure)])
