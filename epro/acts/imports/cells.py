"""What does a cell of the trial office's file mean, and what is wrong with it?

Pure: a text in, a value or a reason out. Excel's habits are known: lost zeros, serial days, decimal commas, days made
of what was none; so are the hours that a clock change takes away or gives twice.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from epro.personal import PERSONAL, holds_personal_number
from epro.refusals import N_, Wrong, WrongCell

YES, NO = ("yes", "ja", "true", "sant", "1"), ("no", "nej", "false", "falskt", "0")
DAY = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")
INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?")
SERIAL = re.compile(r"\d{5}([.,]\d+)?")
SERIALS = range(32_874, 73_051)  # 1990 to 2099: another number of five digits is no day
LOOKS_LIKE_A_DAY = re.compile(
    r"\d{4}-\d{2}-\d{2}([ T].*)?|\d{1,2}[-/ ]?[a-zåäö]{3,4}\.?|[a-zåäö]{3,4}[-/. ]\d{1,2}", re.IGNORECASE
)
ROUNDED = re.compile(r"\d+([.,]\d+)?e[+]?\d+", re.IGNORECASE)
NUMBER = re.compile(r"-?\d+([.,]\d+)?")
NOT_A_DAY = N_("Write the date as 2027-03-01.")
NO_SUCH_DAY = N_("There is no such day. Write it as 2027-03-01.")
NO_SUCH_HOUR = N_("There is no such time: the clock was put forward in that hour.")
HOUR_TWICE = N_("This hour came twice, as the clock was put back. Add +01:00 or +02:00.")
MADE_A_DAY = N_("Excel has made a day of this. Format the column as text and write it again: one of %(choices)s.")
NOT_AMONG = N_("%(value)s is not one of %(choices)s.")
MISSING = N_("This cell is empty, and must not be.")
NOT_YES_OR_NO = N_("Write yes or no.")
NOT_A_NUMBER = N_("Write a number, like 4 or 4.5 or 4,5.")
NOT_WHOLE = N_("Write a whole number.")
EXCEL_ROUNDED = N_("Excel has rounded this number. Format the column as text and write it again.")
MAY_HOLD_SUCH_A_NUMBER = ("phone",)


@dataclass
class Cells:
    """One row of a file: gives the meaning of its cells, and gathers what is wrong with them. Its repr shows none."""

    row: int
    written: Mapping[str, str] = field(repr=False)
    pattern: str  # of the trial's subject ids
    zone: ZoneInfo
    day_0: date
    aliases: Mapping[str, Mapping[str, str]]  # column → as it is written → the trial's own code
    wrongs: list[WrongCell] = field(default_factory=list)

    def text(self, name: str, *, needed: bool = False) -> str:
        cell = self.written.get(name, "")
        if needed and not cell:
            self.wrong(name, MISSING)
        return self.aliases.get(name, {}).get(cell, cell)

    def wrong(self, name: str, message: str, **values: Any) -> None:
        self.wrongs.append(WrongCell(name, message, values, row=self.row))

    def take(self, wrongs: Collection[Wrong]) -> None:
        """What an act has to say of this row."""
        self.wrongs += [WrongCell(one.field, one.message, one.values, row=self.row) for one in wrongs]

    def day(self, name: str, *, needed: bool = False) -> date | None:
        cell = self.text(name, needed=needed)
        if not cell:
            return None
        found = _day(cell, self.zone, self.day_0)
        if isinstance(found, str):
            self.wrong(name, found)
            return None
        return found

    def choice(self, name: str, choices: Collection[str], *, needed: bool = False) -> str:
        cell = self.text(name, needed=needed)
        if not cell or cell in choices:
            return cell
        if cell.lower() in {choice.lower() for choice in choices}:
            return next(choice for choice in choices if choice.lower() == cell.lower())
        message = MADE_A_DAY if LOOKS_LIKE_A_DAY.fullmatch(cell) else NOT_AMONG
        self.wrong(name, message, value=repr(cell), choices=", ".join(choices))
        return ""

    def flag(self, name: str, *, needed: bool = False) -> bool | None:
        cell = self.text(name, needed=needed).lower()
        if cell and cell not in (*YES, *NO):
            self.wrong(name, NOT_YES_OR_NO)
        return cell in YES if cell in (*YES, *NO) else None

    def number(self, name: str) -> float | None:
        """With a decimal point or a decimal comma; spaces may part thousands."""
        cell = self.text(name).replace(" ", "").replace("−", "-")
        if not cell:
            return None
        if ROUNDED.fullmatch(cell) or not NUMBER.fullmatch(cell):
            self.wrong(name, EXCEL_ROUNDED if ROUNDED.fullmatch(cell) else NOT_A_NUMBER)
            return None
        return float(cell.replace(",", "."))

    def whole(self, name: str, *, needed: bool = False) -> int | None:
        number = self.number(name)
        if number is None:
            if needed and not self.text(name):
                self.wrong(name, MISSING)
            return None
        if not number.is_integer():
            self.wrong(name, NOT_WHOLE)
            return None
        return int(number)

    @cached_property
    def subject(self) -> str:
        """The subject id as the trial writes it: in capitals, with the zeros that Excel took away."""
        cell = self.text("subject")
        candidates = (cell, cell.upper(), *_with_zeros(cell))
        return next((one for one in candidates if re.fullmatch(self.pattern, one)), cell)

    def phone(self) -> str:
        cell = self.text("phone")
        if ROUNDED.fullmatch(cell):
            self.wrong("phone", EXCEL_ROUNDED)
            return ""
        return cell

    def refuse_what_no_row_may_hold(self) -> None:
        """A personal identity number, and no subject."""
        if not self.subject:
            self.wrong("subject", MISSING)
        for name, cell in self.written.items():
            if name not in MAY_HOLD_SUCH_A_NUMBER and holds_personal_number(cell):
                self.wrong(name, PERSONAL)


def _with_zeros(cell: str) -> Iterator[str]:
    if cell.isdecimal():
        yield from ("0" * n + cell for n in range(1, 6))


def _day(cell: str, zone: ZoneInfo, day_0: date) -> date | str:
    """The calendar day in the trial's zone, or what is wrong."""
    if found := DAY.fullmatch(cell):
        try:
            return date(*map(int, found.groups()))
        except ValueError:
            return NO_SUCH_DAY
    if SERIAL.fullmatch(cell) and int(cell[:5]) in SERIALS:
        return _day_of_instant(_at_serial(cell, day_0), zone)
    if INSTANT.fullmatch(cell):
        try:
            return _day_of_instant(datetime.fromisoformat(cell), zone)
        except ValueError:
            return NO_SUCH_DAY
    return NOT_A_DAY


def _at_serial(cell: str, day_0: date) -> datetime:
    """A serial number as the time on the wall: days since day 0, and the part of a day to the second."""
    days, _, part = cell.replace(",", ".").partition(".")
    seconds = round(float(f"0.{part or 0}") * 86_400)
    return datetime.combine(day_0, datetime.min.time()) + timedelta(days=int(days), seconds=seconds)


def _day_of_instant(at: datetime, zone: ZoneInfo) -> date | str:
    if at.tzinfo is not None:
        return at.astimezone(zone).date()
    early, late = at.replace(tzinfo=zone), at.replace(tzinfo=zone, fold=1)
    if early.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != at:
        return NO_SUCH_HOUR
    return at.date() if early.utcoffset() == late.utcoffset() else HOUR_TWICE
