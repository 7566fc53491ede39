"""From a trial's tables to inference: estimators, figures, and the report."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.reporting import report
    from analysis.trial import write_trial
    from analysis.verbs import read_trial

    from . import (
        competing,
        compliance,
        deterioration,
        imputation,
        joint,
        mmrm,
        prognosis,
        qtwist,
        simulation,
        survival,
        while_alive,
    )

__all__ = [
    "competing",
    "compliance",
    "deterioration",
    "imputation",
    "joint",
    "mmrm",
    "prognosis",
    "qtwist",
    "read_trial",
    "report",
    "simulation",
    "survival",
    "while_alive",
    "write_trial",
]

_HOMES = {"read_trial": "verbs", "write_trial": "trial", "report": "reporting"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return import_module(f"{__name__}.{name}")
