"""When is something due to a patient, and was it sent once?

A trial's calendar gives a plan; the plan is written into a ledger; a clock sends what is due, through a carrier, once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scheduler.applying import apply
    from scheduler.changes import preview
    from scheduler.dispatch import tick
    from scheduler.planning import plan
    from scheduler.receipts import receive
    from scheduler.reconciling import reconcile

__all__ = ["apply", "plan", "preview", "receive", "reconcile", "tick"]

_HOMES = {
    "apply": "scheduler.applying",
    "plan": "scheduler.planning",
    "preview": "scheduler.changes",
    "receive": "scheduler.receipts",
    "reconcile": "scheduler.reconciling",
    "tick": "scheduler.dispatch",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'scheduler' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
