"""Questionnaires as data: what they ask, in which words, and what the answers mean."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from questionnaires.catalogue import available, load
    from questionnaires.scoring import explain, score

__all__ = ["available", "explain", "load", "score"]

_HOMES = {"available": "catalogue", "load": "catalogue", "explain": "scoring", "score": "scoring"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
