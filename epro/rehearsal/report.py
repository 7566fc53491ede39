"""How is what a rehearsal found laid before its trial team: one page that opens anywhere, and the same as JSON?"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from epro.rehearsal.rehearsed import Rehearsed

PAGE, NUMBERS = "rehearsal.html", "rehearsal.json"


def write_report(found: Rehearsed, out: Path) -> Path:
    """Write both into the folder `out`, and return the page. The same rehearsal gives the same bytes."""
    out.mkdir(parents=True, exist_ok=True)
    (out / NUMBERS).write_text(as_json(found), encoding="utf-8")
    (out / PAGE).write_text(as_html(found), encoding="utf-8")
    return out / PAGE


def as_json(found: Rehearsed) -> str:
    return json.dumps(asdict(found), indent=1, ensure_ascii=False, default=_written) + "\n"


def as_html(found: Rehearsed) -> str:
    environment = Environment(
        loader=PackageLoader("epro.rehearsal"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template(PAGE).render(found=found) + "\n"


def _written(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    raise TypeError(f"a rehearsal cannot write a {type(value).__name__}")
