"""Would every text go when it went before? A rehearsal's plan of messages, kept, and held against a new one.

What is kept names no instant that chance could move: the day and hour that the rules wanted for each text, by which
channel, and whether it left. A new version of the trial file, or of epro, must change nothing that nobody meant.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from epro.rehearsal.rehearsed import Rehearsed

FORMAT = 1
SAME = ("patients", "seed", "scenario", "first_day", "accrual_months")
LEFT, STAYED = "left", "stayed"
Plan = Mapping[str, tuple[str, str]]  # message key → planned day and hour, left or stayed


class NoGolden(ValueError):
    """The file is not one that a rehearsal kept, or was kept of another rehearsal."""


@dataclass(frozen=True)
class Change:
    """One text that goes otherwise. was, now: None = there is no such text."""

    key: str
    was: str | None
    now: str | None

    def __str__(self) -> str:
        return f"{self.key}: {self.was or 'no such text'} → {self.now or 'no such text'}"


def plan_of(found: Rehearsed) -> dict[str, tuple[str, str]]:
    texts = (text for page in found.patients for text in page.texts)
    return {text.key: (text.planned, LEFT if text.left else STAYED) for text in texts}


def keep(found: Rehearsed, file: Path) -> None:
    kept = {
        "format": FORMAT,
        "trial": dict(found.trial),
        "asked": {name: found.asked[name] for name in SAME},
        "plan": dict(sorted(plan_of(found).items())),
    }
    file.write_text(json.dumps(kept, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")


def read(file: Path) -> dict[str, Any]:
    """What was kept. Raises NoGolden, OSError."""
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        if kept["format"] == FORMAT and set(SAME) <= kept["asked"].keys() and isinstance(kept["plan"], dict):
            return dict(kept)
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError, UnicodeDecodeError):
        pass
    raise NoGolden(f"{file.name} was not kept by a rehearsal.\n  Name another file; one that is not there is written.")


def refuse_another_rehearsal(kept: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Raises NoGolden where the two would differ for that reason alone."""
    for name in SAME:
        if kept["asked"][name] != asked[name]:
            was, now = kept["asked"][name], asked[name]
            what = f"the file was kept with {name.replace('_', ' ')} {was}, and now {now} is asked for"
            raise NoGolden(f"{what}.\n  Rehearse as it was kept, or name another file.")


def changes(kept: Mapping[str, Any], now: Plan) -> Iterator[Change]:
    """Every text that goes otherwise than it was kept, by key."""
    was: dict[str, Any] = kept["plan"]
    for key in sorted(was.keys() | now.keys()):
        before, after = was.get(key), now.get(key)
        if before is None or after is None or list(before) != list(after):
            yield Change(key, _in_words(before), _in_words(after))


def _in_words(one: Any) -> str | None:
    return None if one is None else f"{one[0]} {one[1]}"
