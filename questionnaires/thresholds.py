"""From which score on does a patient need attention, and how large a difference matters?

Both are data of an instrument's file, with their citation, and `checked` once somebody has compared them with it.
"""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, StrictBool

from questionnaires.parts import Code, Direction, Part, Text

Points = Annotated[float, Field(gt=0)]


class Threshold(Part):
    """Scores from which a scale is clinically important: strictly below, or strictly above, what is given.

    below, above: scale code: score.
    """

    name: Text
    below: Annotated[dict[Code, float], Field(default_factory=dict)]
    above: Annotated[dict[Code, float], Field(default_factory=dict)]
    cite: Text
    checked: StrictBool

    def flag(self, scale: str) -> tuple[Literal["below", "above"], float] | None:
        """On which side of which score a scale is flagged; None = it has no threshold here."""
        if scale in self.below:
            return "below", self.below[scale]
        if scale in self.above:
            return "above", self.above[scale]
        return None


class Difference(Part):
    """The smallest differences of each scale that matter, in points (all > 0).

    comparison: within = change of one patient or group; between = two groups compared.
    direction: better or worse = for the patient, whichever way the scale points; either = the source does not
    tell them apart. size: the source's own word. scales: scale code: points.
    """

    name: Text
    comparison: Literal["within", "between"]
    direction: Direction | Literal["either"]
    size: Text
    scales: Annotated[dict[Code, Points], Field(min_length=1)]
    cite: Text
    checked: StrictBool


def smallest_that_matters(
    differences: Iterable[Difference], scale: str, comparison: str, direction: Direction
) -> list[tuple[float, Difference]]:
    """What the sources say of one scale, the smallest first: (points, where they stand). Empty = nothing is known."""
    found = [
        (each.scales[scale], each)
        for each in differences
        if scale in each.scales and each.comparison == comparison and each.direction in (direction, "either")
    ]
    return sorted(found, key=lambda pair: pair[0])
