"""Which answers of a long table, one answer a line, are of one form?"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from questionnaires.definition import Instrument
from questionnaires.grids import Grid, plain
from questionnaires.located import Fault, Refused

ABOUT_THE_ANSWER = ("item", "value", "instrument", "version", "state", "answered_at")  # columns that name no form

NAMED_ONE_BY_ONE = 10  # of the items that an instrument does not have

Cells = dict[tuple[tuple[Any, ...], str], int]  # (form, item): row of the table


@dataclass(frozen=True)
class ByForm:
    """One row a form, in the order of their first lines; values: one column an item, None = no answer."""

    values: pd.DataFrame
    forms: pd.DataFrame
    notes: tuple[str, ...]
    lines: list[int]
    cell_lines: dict[tuple[Hashable, str], int]


def answers_by_form(grid: Grid, codes: Mapping[str, str], instrument: Instrument, form: Sequence[str]) -> ByForm:
    """The forms of a long table. codes: the item of each name, as `plain` makes it. Raises Refused."""
    lowered = {name.lower(): name for name in grid.columns}
    rows = _own_rows(grid, instrument, lowered)
    key = _key_columns(grid, lowered, form)
    items = grid.cells[lowered["item"]].tolist()
    names = list(zip(*(grid.cells[column].tolist() for column in key), strict=True)) or [()] * len(items)
    cells: Cells = {}
    left_out: dict[str, int] = {}
    faults: list[Fault] = []
    for n in rows:
        code = codes.get(plain(str(items[n])))
        if code is None:
            left_out[str(items[n])] = left_out.get(str(items[n]), 0) + 1
        elif (names[n], code) in cells:
            what = f"{code} of this form stands on line {grid.lines[cells[names[n], code]]} already"
            cure = "Keep one of them. If they are of two forms, name the columns that tell these apart (--form)."
            faults.append(grid.fault(n, what, cure))
        else:
            cells[names[n], code] = n
    faults += _faults_of_the_whole(grid, cells, key, instrument) if not faults else ()
    if faults:
        raise Refused(faults)
    notes = [
        f"{lines} {'line' if lines == 1 else 'lines'} of {item} left out: {instrument.id} has no such item"
        for item, lines in list(left_out.items())[:NAMED_ONE_BY_ONE]
    ]
    if len(left_out) > NAMED_ONE_BY_ONE:
        notes.append(f"{len(left_out) - NAMED_ONE_BY_ONE} more such items left out")
    return _by_form(grid, instrument, cells, key, grid.cells[lowered["value"]].tolist(), tuple(notes))


def _own_rows(grid: Grid, instrument: Instrument, lowered: Mapping[str, str]) -> list[int]:
    """The rows that are of this instrument. Raises Refused where they are of another version."""
    rows = list(range(len(grid.cells)))
    if "instrument" in lowered:
        of = grid.cells[lowered["instrument"]].tolist()
        rows = [n for n in rows if str(of[n]).lower() == instrument.id]
        if not rows and of:
            found = ", ".join(sorted({str(each) for each in of}))
            raise Refused([Fault(grid.file, 1, f"no line is of {instrument.id}", f"The file has {found}.")])
    if "version" in lowered:
        given = grid.cells[lowered["version"]].tolist()
        cure = f"Leave it out, or score it as what it is: {instrument.id} here is {instrument.version}."
        other = [n for n in rows if str(given[n]) != instrument.version]
        if other:
            raise Refused([grid.fault(n, f"this is version {given[n]}", cure) for n in other])
    return rows


def _key_columns(grid: Grid, lowered: Mapping[str, str], form: Sequence[str]) -> list[str]:
    unknown = [name for name in form if name.lower() not in lowered]
    if unknown:
        cure = f"The columns are {', '.join(grid.columns)}."
        raise Refused([Fault(grid.file, 1, f"no column {', '.join(unknown)}", cure)])
    if form:
        return [lowered[name.lower()] for name in form]
    return [name for name in grid.columns if name.lower() not in ABOUT_THE_ANSWER]


def _faults_of_the_whole(grid: Grid, cells: Cells, key: Sequence[str], instrument: Instrument) -> Iterator[Fault]:
    if not cells:
        some = ", ".join(item.code for item in instrument.items[:5])
        what = f"no line has an item of {instrument.title} {instrument.version}"
        yield Fault(grid.file, 1, what, f"The column `item` holds {some}, …")
    elif 1 < len(cells) == len({form for form, _ in cells}) and len(instrument.items) > 1:
        what = f"each answer would be a form of its own, as forms are told apart by {', '.join(key)}"
        yield Fault(grid.file, 1, what, "Say which columns name a form (--form subject --form visit).")


def _by_form(
    grid: Grid, instrument: Instrument, cells: Cells, key: list[str], given: list[Any], notes: tuple[str, ...]
) -> ByForm:
    forms = list(dict.fromkeys(form for form, _ in cells))
    places = {form: n for n, form in enumerate(forms)}
    asked = {code for _, code in cells}
    columns = {
        item.code: np.full(len(forms), None, dtype=object)
        for item in instrument.items
        if item.code in asked or not item.optional
    }
    lines = [0] * len(forms)
    cell_lines: dict[tuple[Hashable, str], int] = {}
    for (form, code), n in cells.items():
        place = places[form]
        columns[code][place] = given[n]
        cell_lines[place, code] = grid.lines[n]
        lines[place] = lines[place] or grid.lines[n]
    index = pd.RangeIndex(len(forms))
    named = pd.DataFrame(forms, columns=key, index=index)
    return ByForm(pd.DataFrame(columns, index=index), named, notes, lines, cell_lines)
