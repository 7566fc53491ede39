"""Which numbers does the report show, under which id, as which text? The same ones stand beside it as CSV and JSON."""

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

NOT_ESTIMABLE = "not estimable"
SMALLEST_P = 0.001


@dataclass(frozen=True)
class Number:
    """A number as it is shown. value: unrounded, None = it could not be estimated, and the text says so."""

    id: str
    value: float | None
    text: str


Cell = tuple[str | Number, ...]  # what one cell or paragraph says, in its order


def slugs(words: Iterable[str]) -> dict[str, str]:
    """Words from outside as parts of ids, without spaces and dots; a number tells apart what would be the same."""
    found: dict[str, str] = {}
    for word in words:
        slug = plain = re.sub(r"[\s.]+", "-", word)
        taken, n = set(found.values()), 1
        while slug in taken:
            n += 1
            slug = f"{plain}-{n}"
        found[word] = slug
    return found


class Numbers:
    """Every number of a report, each entered once when it is shown."""

    def __init__(self) -> None:
        self._numbers: dict[str, Number] = {}

    def __iter__(self) -> Iterator[Number]:
        return iter(self._numbers.values())

    def count(self, id: str, value: float) -> Number:
        """A whole number."""
        return self._enter(Number(id, int(value), str(int(value))))

    def decimal(self, id: str, value: float, places: int, *, missing: str = NOT_ESTIMABLE) -> Number:
        """A number to so many places; NaN is shown as `missing`."""
        return self._shown(id, value, f"{round(float(value), places) + 0.0:.{places}f}", missing)

    def percent(self, id: str, share: float, *, missing: str = NOT_ESTIMABLE) -> Number:
        """A share of 1, in per cent to one place."""
        return self._shown(id, share, f"{share * 100:.1f} %", missing)

    def p(self, id: str, value: float) -> Number:
        """A p-value to three places."""
        text = f"< {SMALLEST_P}" if value < SMALLEST_P else f"{value:.3f}"
        return self._shown(id, value, text, NOT_ESTIMABLE)

    def with_interval(
        self, show: Callable[[str, float], Number], id: str, estimate: float, lower: float, upper: float
    ) -> Cell:
        """An estimate and its interval as one cell; bounds are shown when at least one of them exists.

        show: `decimal` or `percent` of this, ready to take an id and a value. The bounds are id.lower and id.upper.
        """
        shown = show(id, estimate)
        if not (math.isfinite(lower) or math.isfinite(upper)):
            return (shown, " (no interval)") if math.isfinite(estimate) else (shown,)
        return (shown, " (", show(f"{id}.lower", lower), " to ", show(f"{id}.upper", upper), ")")

    def as_csv(self) -> str:
        """id, value (unrounded, empty = could not be estimated), text."""
        lines = io.StringIO()
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(["id", "value", "text"])
        writer.writerows([each.id, "" if each.value is None else repr(each.value), each.text] for each in self)
        return lines.getvalue()

    def _shown(self, id: str, value: float, text: str, missing: str) -> Number:
        value = float(value)
        return self._enter(Number(id, value, text) if math.isfinite(value) else Number(id, None, missing))

    def _enter(self, number: Number) -> Number:
        if number.id in self._numbers:
            raise ValueError(f"the number {number.id} is shown twice; give each showing an id of its own")
        self._numbers[number.id] = number
        return number
