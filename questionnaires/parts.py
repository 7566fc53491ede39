"""What do the parts of every file of this room have in common?"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints
from pydantic_core import PydanticCustomError

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
Direction = Literal["better", "worse"]


def _with_english(label: dict[str, str]) -> dict[str, str]:
    if "en" not in label:
        raise PydanticCustomError("no_english", "this label has no English name", {"cure": 'Add en = "…" to it.'})
    return label


Label = Annotated[dict[Name, Text], AfterValidator(_with_english)]  # language: name


class Part(BaseModel):
    """A table of a file: it cannot be changed, and has no keys but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Source(Part):
    """Where a fact comes from, and how sure it is.

    mark: recomputed = our figures agree with other software's; read = read in the source; memory = to be checked.
    """

    covers: Text
    cite: Text
    mark: Literal["recomputed", "read", "memory"]
