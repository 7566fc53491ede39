"""How many patients had which outcome at which time?"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from analysis.partitions import is_partitioned, of_partitions
from analysis.results import CannotEstimate
from analysis.survival.outcome import Labels, Mask, Numbers, labels, outcome

Columns = Sequence[tuple[str, Any]]


@dataclass(frozen=True, eq=False)
class Counted:
    """(rows,) time, event, and by each grouping a label; patients: how many each row stands for."""

    time: Numbers
    event: Mask
    groups: list[Labels]
    patients: NDArray[np.int64]

    def only(self, mask: Mask) -> "Counted":
        groups = [labels[mask] for labels in self.groups]
        return Counted(self.time[mask], self.event[mask], groups, self.patients[mask])


def counted(time: ArrayLike, event: ArrayLike, *groupings: Columns) -> Counted:
    """The patients, one a row; of columns in partitions, as many to a row as are alike.

    groupings: of each, the columns (or None) of which its label is made, as `labels` makes it.
    Raises BadInput, and CannotEstimate when there is nobody.
    """
    if not is_partitioned(time):
        times, events = outcome(time, event)
        groups = [labels(columns, len(times)) for columns in groupings]
        return Counted(times, events, groups, np.ones(len(times), dtype=np.int64))
    names = [[name for name, _ in columns] for columns in groupings]
    given = [column for columns in groupings for _, column in columns]
    tallies = of_partitions(partial(_tallied, names), time, event, *given)
    if not tallies:
        raise CannotEstimate("there are no patients")
    total = pd.concat(tallies).groupby(level=list(range(2 + len(groupings))), sort=True).sum()
    keys = [total.index.get_level_values(level).to_numpy() for level in range(total.index.nlevels)]
    groups = [key.astype(object) for key in keys[2:]]
    return Counted(keys[0].astype(float), keys[1].astype(bool), groups, total.to_numpy().astype(np.int64))


def _tallied(names: Sequence[Sequence[str]], time: ArrayLike, event: ArrayLike, *given: Any) -> "pd.Series[int]":
    """How many patients of one partition have each time, event and labels."""
    times, events = outcome(time, event)
    columns = iter(given)
    groups = [labels([(name, next(columns)) for name in grouping], len(times)) for grouping in names]
    return pd.Series(1, index=range(len(times))).groupby([times, events, *groups], sort=False).sum()
