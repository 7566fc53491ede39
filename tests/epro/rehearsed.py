"""A trial small enough to be rehearsed in a test: three visits, and what a test wants otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from epro.settings import DEFAULT_TRIAL

VISIT = re.compile(r'\n\[visit\."?(?P<code>[\w.]+)"?\]\n.*?(?=\n\n\[)', re.DOTALL)
ESTIMAND = re.compile(r"\n\[analysis\.estimand\.(?P<id>[\w-]+)\]\n.*?(?=\n\n\[|\Z)", re.DOTALL)
VISITS, ESTIMANDS = ("BL", "M1.5", "M3"), ("os",)


def write_small_trial(file: Path, changes: Mapping[str, str] = MappingProxyType({})) -> Path:
    """BreCLIM-2 to month 3, with one question to answer. changes: what stands in its file → what shall stand there."""
    text = DEFAULT_TRIAL.read_text(encoding="utf-8")
    text = VISIT.sub(lambda found: found[0] if found["code"] in VISITS else "", text)
    text = ESTIMAND.sub(lambda found: found[0] if found["id"] in ESTIMANDS else "", text)
    for was, becomes in changes.items():
        assert was in text
        text = text.replace(was, becomes)
    file.write_text(text, encoding="utf-8")
    return file
