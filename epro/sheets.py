"""What stands in which cell of the trial office's file: CSV as Excel writes it in Sweden, or a workbook?

Every cell becomes a text: a day as 2027-03-01, an instant as 2027-03-01T08:00:00, a number as short as it can be. A
formula is refused, and so is whatever Excel could not work out.
"""

from __future__ import annotations

import hashlib
import io
import unicodedata
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from epro.refusals import N_, Refusal, Wrong, WrongCell
from questionnaires.separated import NotSeparated, decoded, lines_of

MOST_BYTES = 1024 * 1024
MOST_UNPACKED = 50 * MOST_BYTES
MOST_ROWS = 20_000
WORKBOOK, OLD_WORKBOOK = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
EXCEL_DAY_0 = date(1899, 12, 30)  # the day before a serial number of 1, from March 1900 on
FORMULA = N_("A formula is not read. Paste its value in its place.")
UNKNOWABLE = N_("Excel could not work this cell out (%(said)s). Write what should stand there.")
NO_WORKBOOK = N_("This is not an Excel workbook. Save it once more as .xlsx, or as CSV.")


@dataclass(frozen=True)
class Sheet:
    """A table: rows by their number in the file, the header's being the first. Its repr shows no cell.

    day_0: what a day written as a serial number is counted from. sha256: of the file.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[int, Mapping[str, str]], ...]
    day_0: date
    sha256: str

    def __repr__(self) -> str:
        return f"Sheet({len(self.rows)} rows)"


def sheet_of(raw: bytes) -> Sheet:
    """The table in a file. Raises Refusal, which names every bad cell."""
    if len(raw) > MOST_BYTES:
        raise _refused(N_("The file is larger than 1 MiB. Divide it."))
    if raw.startswith(OLD_WORKBOOK):
        raise _refused(NO_WORKBOOK)
    lines, day_0 = _of_workbook(raw) if raw.startswith(WORKBOOK) else (_of_text(raw), EXCEL_DAY_0)
    if not lines:
        raise _refused(N_("The file is empty. It begins with a row that names its columns."))
    if len(lines) > MOST_ROWS:
        raise _refused(N_("The file has more than %(most)s rows. Divide it."), most=MOST_ROWS)
    header, body = _without_empty_columns(lines)
    wrongs = [*_wrong_widths(header, body), *_not_values(header, body)]
    if wrongs:
        raise Refusal(wrongs)
    rows = tuple((number, dict(zip(header, cells, strict=False))) for number, cells in body)
    return Sheet(tuple(header), rows, day_0, hashlib.sha256(raw).hexdigest())


Lines = Sequence[tuple[int, Sequence[str]]]


def _of_text(raw: bytes) -> Lines:
    try:
        text, _ = decoded(raw)
        found = lines_of(text)
    except UnicodeDecodeError:
        raise _refused(N_("This is neither an Excel workbook nor a CSV file. Save it as one of them.")) from None
    except NotSeparated as error:
        raise _refused(N_("Row %(row)s is not CSV. Close its quotation mark."), row=error.line) from None
    return [(number, [_tidy(cell) for cell in cells]) for number, cells in found]


def _of_workbook(raw: bytes) -> tuple[Lines, date]:
    """The first sheet, and day 0 of its serial numbers."""
    from openpyxl import load_workbook  # type: ignore[import-untyped]

    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as parts:
            if sum(part.file_size for part in parts.infolist()) > MOST_UNPACKED:
                raise _refused(N_("The file is larger than 1 MiB. Divide it."))
        book = load_workbook(io.BytesIO(raw), read_only=True)
        rows = [list(row) for row in book.worksheets[0].iter_rows(values_only=True, max_row=MOST_ROWS + 2)]
        day_0 = book.epoch.date()
    except Refusal:
        raise
    except Exception:  # openpyxl raises whatever its parts raise
        raise _refused(NO_WORKBOOK) from None
    lines = [(number, [_tidy(_written(cell)) for cell in row]) for number, row in enumerate(rows, start=1)]
    return [(number, cells) for number, cells in lines if any(cells)], day_0


def _written(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time(0) else cell.isoformat(timespec="seconds")
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _tidy(cell: str) -> str:
    """Without what nobody sees: spaces around it, hard spaces, accents put together from two characters."""
    return unicodedata.normalize("NFC", cell).replace("\u00a0", " ").replace("\u200b", "").strip()


def _without_empty_columns(lines: Lines) -> tuple[list[str], Lines]:
    """The header in small letters; columns at the end that hold nothing at all are left out."""
    (_, first), body = lines[0], lines[1:]
    used = max((n for _, cells in lines for n, cell in enumerate(cells, start=1) if cell), default=0)
    header = [name.lower() for name in first[:used]]
    return header, [(number, cells[:used]) for number, cells in body]


def _wrong_widths(header: Sequence[str], body: Lines) -> Iterator[Wrong]:
    for number, cells in body:
        if len(cells) > len(header):
            what = N_("This row has %(cells)s cells for %(columns)s columns. A cell with the separator needs quotes.")
            yield WrongCell("", what, {"cells": len(cells), "columns": len(header)}, row=number)


def _not_values(header: Sequence[str], body: Lines) -> Iterator[Wrong]:
    for number, cells in body:
        for name, cell in zip(header, cells, strict=False):
            if cell.startswith(("=", "@")):
                yield WrongCell(name, FORMULA, row=number)
            elif cell.startswith("#") and cell.endswith(("!", "?", "/A", "#")):
                yield WrongCell(name, UNKNOWABLE, {"said": cell}, row=number)


def _refused(message: str, **values: object) -> Refusal:
    return Refusal([Wrong("", message, values)])
