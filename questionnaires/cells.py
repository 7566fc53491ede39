"""How is a text written into a CSV file, so that no spreadsheet takes it for a formula?"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TextIO

FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")  # the last, so that what is read back is what was written


def inert(cell: object) -> object:
    """A text that begins like a formula gets an apostrophe before it; numbers stay numbers."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def plain(cell: object) -> object:
    """The text that `inert` was given."""
    hidden = isinstance(cell, str) and cell.startswith("'") and cell[1:].startswith(FORMULA)
    return cell[1:] if hidden else cell  # type: ignore[index]


def as_csv(header: Sequence[str], rows: Iterable[Sequence[object]], *, delimiter: str = ",") -> str:
    """A CSV text of these rows, every cell inert."""
    file = io.StringIO(newline="")
    write_csv(file, header, ([inert(cell) for cell in row] for row in rows), delimiter=delimiter)
    return file.getvalue()


def write_csv(file: TextIO, header: Iterable[str], rows: Iterable[Iterable[object]], *, delimiter: str = ",") -> int:
    """Write rows as they are into a file opened with newline="". Returns how many. A line ends in a line feed."""
    writer = csv.writer(
        _Lines(file), delimiter=delimiter, lineterminator="\r\n"
    )  # so that a cell with either of the two is quoted
    writer.writerow(header)
    written = 0
    for written, row in enumerate(rows, start=1):  # noqa: B007 - counted as they come
        writer.writerow(row)
    return written


class _Lines:
    """A file to which each line is written with a line feed alone."""

    def __init__(self, file: TextIO) -> None:
        self.file = file

    def write(self, line: str) -> int:
        return self.file.write(line.removesuffix("\r\n") + "\n")
