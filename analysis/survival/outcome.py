"""Are times, events and labels what an estimator of survival can take?"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from analysis.partitions import is_partitioned
from analysis.results import BadInput, CannotEstimate, rows_of

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]
Labels = NDArray[np.object_]
LARGEST_SE = 50.0  # of a covariate in its own SDs: beyond it a likelihood has no maximum


def outcome(time: ArrayLike, event: ArrayLike) -> tuple[Numbers, Mask]:
    """Times and events as checked arrays. Raises BadInput, and CannotEstimate when there is nobody."""
    times = np.asarray(time, dtype=np.float64)
    flags = np.asarray(event)
    if len(times) == 0:
        raise CannotEstimate("there are no patients")
    if times.shape != flags.shape or times.ndim != 1:
        raise BadInput(f"time has shape {times.shape}, event {flags.shape}.\n  Give one number of each per patient.")
    bad = ~(times >= 0) | ~np.isfinite(times)
    if bad.any():
        raise BadInput(f"time is missing, infinite or negative in rows {rows_of(bad)}.\n  Give times from 0 on.")
    if pd.isna(flags).any() or not np.isin(flags, (0, 1)).all():
        strange = pd.isna(flags) | ~np.isin(flags, (0, 1))
        raise BadInput(f"event is neither true nor false in rows {rows_of(strange)}.\n  Give True or False.")
    return times, flags.astype(np.bool_)


class NoProbability(CannotEstimate):
    """The times are such that hazards alone can be read from them."""


def allow_probability(time: Any) -> None:
    """Raises NoProbability for times that ignore death, as `deterioration.time_to` marks them in `.attrs`.

    Dask keeps the mark on the empty frame that it has of every frame.
    """
    marked = time._meta if is_partitioned(time) else time
    if getattr(marked, "attrs", {}).get("probabilities", True):
        return
    raise NoProbability(
        "these times ignore death: those who die leave as if they might yet have had the event, so that no probability "
        "follows; read a hazard ratio (cox, logrank), or let death compete or count"
    )


def started(start: ArrayLike | None, times: Numbers) -> Numbers:
    """Starts as checked numbers; before every time when none are given. Raises BadInput."""
    if start is None:
        return np.full(len(times), -1.0)
    begun = np.asarray(start, dtype=np.float64)
    if begun.shape != times.shape:
        raise BadInput(f"start has shape {begun.shape}, time {times.shape}.\n  Give one number of each per row.")
    if (bad := ~(begun < times)).any():
        raise BadInput(f"start is missing or not before time in rows {rows_of(bad)}.\n  Give stretches that last.")
    return begun


def covariates_of(covariates: pd.DataFrame, n: int) -> tuple[pd.DataFrame, Mask]:
    """The rows that have all covariates, as numbers; and which of the n they are.

    Raises BadInput, and CannotEstimate when a covariate is the same in all of them.
    """
    if len(covariates) != n:
        raise BadInput(f"covariates has {len(covariates)} rows, time has {n}.\n  Give one row per patient.")
    data = covariates.reset_index(drop=True).astype(float)
    complete = data.notna().all(axis=1).to_numpy()
    kept = data[complete]
    if same := [str(name) for name in kept if kept[name].nunique() < 2]:
        raise CannotEstimate(f"{', '.join(same)} is the same for all patients")
    return kept, complete


def labels(parts: Sequence[tuple[str, Any]], n: int) -> Labels:
    """(n,) one label per patient, of all the columns given; "all" when there are none. Keeps single labels' order."""
    columns: list[pd.Series[Any]] = []
    for name, given in parts:
        if given is None:
            continue
        frame = given if isinstance(given, pd.DataFrame) else pd.DataFrame({name: np.asarray(given, dtype=object)})
        if len(frame) != n:
            raise BadInput(f"{name} has {len(frame)} rows, time has {n}.\n  Give one label per patient.")
        for column in frame.columns:
            if (gaps := frame[column].isna()).any():
                raise BadInput(f"{column} is missing in rows {rows_of(gaps)}.\n  Give a label to every patient.")
            columns.append(frame[column].astype(object).reset_index(drop=True))
    if not columns:
        return np.full(n, "all", dtype=object)
    joined = [", ".join(map(str, values)) for values in zip(*columns, strict=True)]
    return np.array(joined, dtype=object)
