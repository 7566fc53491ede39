"""A story that must never happen, held against many lives: some in every run, thousands in the long one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

QUICK, THOROUGH = 200, 2000
SECONDS = 3600  # for thousands, on a machine that does much else
Check = Callable[..., None]


def story(**drawn: Any) -> Callable[[Check], Check]:
    """Run a property with a few examples, and beside it, marked slow, as NAME_thoroughly with thousands."""

    def tell(check: Check) -> Check:
        def examples(n: int) -> Check:
            quiet = [HealthCheck.too_slow, HealthCheck.filter_too_much]
            return settings(max_examples=n, deadline=None, suppress_health_check=quiet)(given(**drawn)(check))

        thorough = pytest.mark.timeout(SECONDS)(pytest.mark.slow(examples(THOROUGH)))
        check.__globals__[f"{check.__name__}_thoroughly"] = thorough
        return examples(QUICK)

    return tell
