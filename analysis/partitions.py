"""Do the data lie in partitions, on many machines perhaps, and what does an estimator need from each?

Dask's frames are known by their module: Dask is imported for those who use it, and by nobody else.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, TypeVar

from analysis.results import BadInput

Part = TypeVar("Part")


def is_partitioned(data: Any) -> bool:
    """Whether these are Dask's."""
    return type(data).__module__.partition(".")[0] == "dask"


def of_partitions(work: Callable[..., Part | None], *columns: Any) -> list[Part]:
    """What `work` makes of each partition that has rows, but for None.

    columns: Dask frames or series that are cut alike; None stays None. Where the work is done is Dask's affair: on the
    cluster of the present client, or in threads of this process.
    Raises BadInput, and what `work` raises; a BadInput says from which partition it comes.
    """
    given = [column for column in columns if column is not None]
    if not all(is_partitioned(column) for column in given) or len({column.npartitions for column in given}) != 1:
        raise BadInput("some columns lie in other partitions than others.\n  Give columns of one Dask frame.")
    pieces = [None if column is None else column.to_delayed() for column in columns]
    delayed = import_module("dask").delayed(_Work(work), pure=True)
    tasks = [
        delayed(partition, *(None if piece is None else piece[partition] for piece in pieces))
        for partition in range(given[0].npartitions)
    ]
    found: Sequence[Part | None] = import_module("dask").compute(*tasks)
    return [part for part in found if part is not None]


class _Work:
    """One partition's share of the work; None where it has no rows."""

    def __init__(self, work: Callable[..., Any]) -> None:
        self.work = work

    def __call__(self, partition: int, *parts: Any) -> Any:
        if not any(len(part) for part in parts if part is not None):
            return None
        try:
            return self.work(*parts)
        except BadInput as error:
            raise type(error)(f"partition {partition}: {error}") from error
