"""How are answers scored that lie in partitions, on many machines perhaps?

Dask's frames are known by their module: Dask is imported for those who use it, and by nobody else.
"""

from collections.abc import Callable
from importlib import import_module
from itertools import chain
from typing import Any

import pandas as pd

from questionnaires.columns import InvalidCell
from questionnaires.definition import Instrument

Score = Callable[..., pd.DataFrame]


def is_partitioned(answers: Any) -> bool:
    """Whether these are Dask's."""
    return type(answers).__module__.partition(".")[0] == "dask"


def score_partitions(score: Score, answers: Any, instrument: Instrument, on_invalid: str) -> Any:
    """The scores of a Dask frame, as one that is cut alike; a form's scores need no other form."""
    scores = answers.map_partitions(
        _scored, score, instrument, on_invalid, meta=score(answers._meta, instrument), enforce_metadata=False
    )
    delayed = import_module("dask").delayed
    each = [delayed(_invalid)(part, score, instrument, on_invalid) for part in answers.to_delayed()]
    scores.attrs = {"invalid": delayed(_together)(each)}
    return scores


def _scored(part: pd.DataFrame, score: Score, instrument: Instrument, on_invalid: str) -> pd.DataFrame:
    scores = score(part, instrument, on_invalid=on_invalid)
    scores.attrs.clear()  # one partition's list would pass for that of all
    return scores


def _invalid(part: pd.DataFrame, score: Score, instrument: Instrument, on_invalid: str) -> list[InvalidCell]:
    invalid: list[InvalidCell] = score(part, instrument, on_invalid=on_invalid).attrs["invalid"]
    return invalid


def _together(lists: list[list[InvalidCell]]) -> list[InvalidCell]:
    return list(chain.from_iterable(lists))
