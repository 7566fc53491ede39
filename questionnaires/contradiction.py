"""How is it told that two parts of a file disagree?"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from questionnaires.located import KeyPath


class Contradiction(NamedTuple):
    """What disagrees with the rest, at which keys of the file, and what would be right."""

    keys: KeyPath
    what: str
    cure: str


def repeated(values: Mapping[KeyPath, str | int], noun: str, cure: str) -> Iterator[Contradiction]:
    """One contradiction at every place whose value has been met before."""
    seen = set()
    for place, value in values.items():
        if value in seen:
            yield Contradiction(place, f"{noun} {value} stands twice", cure)
        seen.add(value)


def listed(names: Iterable[object]) -> str:
    return ", ".join(map(str, names)) or "none yet"
