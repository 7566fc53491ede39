"""How an act says no: every fault at once, each with its place and its cure, in words a web page can translate."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any


def N_(message: str) -> str:
    """Marks a text for translation; the page that shows it translates."""
    return message


@dataclasses.dataclass(frozen=True)
class Wrong:
    """One thing that is wrong: the field it stands in, and a sentence with named values."""

    field: str
    message: str
    values: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.field}: {self.message % self.values}" if self.field else self.message % self.values


@dataclasses.dataclass(frozen=True)
class WrongCell(Wrong):
    """One thing that is wrong in a file: `field` is the column, empty where the whole row is meant."""

    row: int = 0

    def __str__(self) -> str:
        place = f"row {self.row}, {self.field}" if self.field else f"row {self.row}"
        return f"{place}: {self.message % self.values}"


class Refusal(ValueError):
    """Nothing was done, and this is why."""

    def __init__(self, wrongs: Iterable[Wrong]) -> None:
        self.wrongs = tuple(wrongs)
        super().__init__("\n".join(str(wrong) for wrong in self.wrongs))


class NoSuchPatient(LookupError):
    """No patient has this subject id, or not at a site this person may see."""
