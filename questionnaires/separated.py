"""Which cells stand on which line of a text file, whichever spreadsheet wrote it? No table yet, and no pandas."""

import csv
import io

SEPARATORS = (";", "\t", "|", ",")
UTF16, WINDOWS = "UTF-16", "Windows-1252"
Lines = list[tuple[int, list[str]]]


class NotSeparated(ValueError):
    """A line is not CSV."""

    def __init__(self, line: int, what: str) -> None:
        self.line, self.what = line, what
        super().__init__(f"line {line}: {what}")


def decoded(raw: bytes) -> tuple[str, str | None]:
    """The text, and in which encoding it came when that was not UTF-8. Raises UnicodeDecodeError."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16"), UTF16
    try:
        return raw.decode("utf-8-sig"), None
    except UnicodeDecodeError:
        return raw.decode("cp1252"), WINDOWS


def lines_of(text: str) -> Lines:
    """Every line that is not empty, with its number. The first says which separator is used. Raises NotSeparated."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    found: Lines = []
    line = 1
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                found.append((line, stripped))
            line = reader.line_num + 1
    except csv.Error as error:
        raise NotSeparated(line, str(error)) from None
    return found
