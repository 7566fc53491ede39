"""What does an estimator hand back, and how does it say that it cannot?"""

from abc import ABC, abstractmethod
from importlib.metadata import version

import pandas as pd

LIBRARIES = ("numpy", "pandas", "scipy", "lifelines", "formulaic")


class BadInput(ValueError):
    """Data that no estimator can take: which argument, what is wrong with it, what would be right."""


class CannotEstimate(ValueError):
    """The data do not determine this quantity, and why. Nothing is wrong with them."""


class Result(ABC):
    """A small set of estimates: prints like a table, and is one."""

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
