"""What does an estimator hand back, and how does it say that it cannot?"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

LIBRARIES = ("numpy", "pandas", "scipy", "lifelines", "formulaic", "statsmodels")

SHOWN = 5


class BadInput(ValueError):
    """Data that no estimator can take: which argument, what is wrong with it, what would be right."""


class CannotEstimate(ValueError):
    """The data do not determine this quantity, and why. Nothing is wrong with them."""


def require(table: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    """Raises BadInput when a table lacks one of the columns."""
    if missing := [column for column in columns if column not in table]:
        raise BadInput(f"{name} has no column {', '.join(missing)}.\n  It has: {', '.join(map(str, table))}.")


def rows_of(mask: Any) -> str:
    """The first rows of a mask, by position, as an error names them."""
    rows = np.flatnonzero(np.asarray(mask)).tolist()
    return ", ".join(map(str, rows[:SHOWN])) + (" ..." if len(rows) > SHOWN else "")


@dataclass(frozen=True)
class Account:
    """What an estimate rests on: how many patients (or rows) and events, what it left out and why, its method."""

    n: int
    events: int | None
    excluded: dict[str, int]
    method: str


class Result(ABC):
    """A small set of estimates: prints like a table, and is one."""

    @property
    @abstractmethod
    def account(self) -> Account:
        """How many patients and events, what was left out and why, by which method."""

    @abstractmethod
    def to_frame(self) -> pd.DataFrame:
        """The estimates, one row each."""

    @abstractmethod
    def title(self) -> str:
        """What was estimated, how, from how many."""

    @property
    def versions(self) -> dict[str, str]:
        """The libraries that the estimates rest on."""
        return {name: version(name) for name in LIBRARIES}

    def __str__(self) -> str:
        return f"{self.title()}\n{self.to_frame().to_string(float_format='{:.6g}'.format)}"
