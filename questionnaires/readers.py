"""Which forms does a file of answers hold, one a line (wide) or one answer a line (long)?"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pandas as pd

from questionnaires.columns import InvalidCell
from questionnaires.definition import Instrument
from questionnaires.grids import Grid, grid_of, plain
from questionnaires.located import Fault, Refused
from questionnaires.long_answers import answers_by_form

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "."})  # what stands for no answer, in any case
COLUMNS_NAMED = 12  # of those that are missing; more are counted


@dataclass(frozen=True)
class Answers:
    """The forms of a file: `items` to be scored, and `forms`, the other columns, both with the index 0, 1, …

    typed: the file knows numbers from text. notes: what a person should know of how the file was read.
    """

    file: str
    items: pd.DataFrame
    forms: pd.DataFrame
    notes: tuple[str, ...]
    typed: bool
    lines: Sequence[int]  # of each form
    cell_lines: Mapping[tuple[Hashable, str], int] = field(default_factory=dict)  # (form, item), where they differ

    def fault(self, cell: InvalidCell) -> Fault:
        """An answer that is none of its item's options, by file and line."""
        line = self.cell_lines.get((cell.row, cell.item)) or self.lines[int(str(cell.row))]
        return Fault(self.file, line, f"{cell.item} is {cell.problem}", "Correct it, or leave it empty.")


def read_answers(
    path: Path | str,
    instrument: Instrument,
    *,
    missing: Iterable[str] = (),
    numbers_in_text: bool = False,
    form: Sequence[str] = (),
) -> Answers:
    """The answers to an instrument in a CSV (comma, semicolon, tab), XLSX or Parquet file.

    A file with the columns `item` and `value` is long: its other columns name the form, or those that `form` lists.
    missing: codes that stand for no answer, such as 99. numbers_in_text: in Excel and Parquet, text "2" means 2; in a
    CSV file it always does, with a point or a comma.
    Raises Refused with the line of every fault, OSError.
    """
    grid = grid_of(path)
    codes = MISSING | {code.strip().lower() for code in missing}
    as_numbers = numbers_in_text or not grid.typed
    notes = (grid.note,) if grid.note else ()
    if {"item", "value"} <= {name.lower() for name in grid.columns}:
        found = answers_by_form(grid, {plain(item.code): item.code for item in instrument.items}, instrument, form)
        items = found.values.apply(_numbered, codes=codes, as_numbers=as_numbers)
        return Answers(grid.file, items, found.forms, notes + found.notes, grid.typed, found.lines, found.cell_lines)
    names, renamed = _item_columns(grid, instrument)
    columns = {code: _numbered(grid.cells[name], codes, as_numbers) for code, name in names.items()}
    forms = grid.cells.drop(columns=list(names.values()))
    items = pd.DataFrame(columns, index=grid.cells.index, copy=False)
    return Answers(grid.file, items, forms, notes + renamed, grid.typed, grid.lines)


def _item_columns(grid: Grid, instrument: Instrument) -> tuple[dict[str, str], tuple[str, ...]]:
    """The column of each item, and what was read under another name. Raises Refused."""
    alike: dict[str, list[str]] = {}
    for name in grid.columns:
        alike.setdefault(plain(name), []).append(name)
    names: dict[str, str] = {}
    faults, lacking = [], []
    for item in instrument.items:
        found = [item.code] if item.code in grid.columns else alike.get(plain(item.code), [])
        if len(found) > 1:
            what = f"{' and '.join(found)} may both be {item.code}"
            faults.append(Fault(grid.file, 1, what, f"Name one of them {item.code}."))
        elif found:
            names[item.code] = found[0]
        elif item.scored and not item.optional:
            lacking.append(item.code)
    if not lacking and not any(instrument.item(code).scored for code in names):
        lacking = [item.code for item in instrument.items if item.scored]
    if lacking:
        faults.append(_no_columns(grid, instrument, lacking))
    if faults:
        raise Refused(faults)
    other = [f"{name} as {code}" for code, name in names.items() if name != code]
    more = f" and {len(other) - COLUMNS_NAMED} more" if len(other) > COLUMNS_NAMED else ""
    return names, (f"columns read: {', '.join(other[:COLUMNS_NAMED])}{more}",) if other else ()


def _no_columns(grid: Grid, instrument: Instrument, lacking: Sequence[str]) -> Fault:
    shown = ", ".join(lacking[:COLUMNS_NAMED])
    shown += f" and {len(lacking) - COLUMNS_NAMED} more" if len(lacking) > COLUMNS_NAMED else ""
    what = f"no column {shown}, which {instrument.title} {instrument.version} asks"
    if len(grid.columns) == 1:
        return Fault(grid.file, 1, what, "Separate the columns by comma, semicolon or tab.")
    codes = {item.code for item in instrument.items}
    near = get_close_matches(lacking[0], [name for name in grid.columns if name not in codes], n=1)
    cure = f"Rename {near[0]} if it is {lacking[0]}" if near else "Name each column by its item's code"
    return Fault(grid.file, 1, what, f"{cure}; an item that nobody was asked is an empty column.")


def _numbered(column: "pd.Series[Any]", codes: frozenset[str], as_numbers: bool) -> "pd.Series[Any]":
    """A column as numbers, None where there is no answer; what is neither stays as it is, to be refused by scoring."""
    if column.dtype.kind in "iuf" and codes == MISSING:
        return column
    known = {cell: _value(cell, codes, as_numbers) for cell in column.dropna().unique()}
    return column.astype(object).map(known, na_action="ignore").infer_objects()


def _value(cell: Any, codes: frozenset[str], as_numbers: bool) -> Any:
    if isinstance(cell, str):
        if cell.strip().lower() in codes:
            return None
        return _number(cell) if as_numbers else cell
    is_number = not isinstance(cell, bool) and pd.api.types.is_number(cell)
    return None if is_number and f"{cell:g}" in codes else cell


def _number(text: str) -> Any:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return text
