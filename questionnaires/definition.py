"""What is an instrument made of?"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, StringConstraints
from pydantic_core import PydanticCustomError

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*$")]


def _with_english(label: dict[str, str]) -> dict[str, str]:
    if "en" not in label:
        raise PydanticCustomError("no_english", "this label has no English name", {"cure": 'Add en = "…" to it.'})
    return label


Label = Annotated[dict[Name, Text], AfterValidator(_with_english)]  # language: name


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Source(_Part):
    """Where a fact comes from, and how sure it is.

    mark: recomputed = our figures agree with other software's; read = read in the source; memory = to be checked.
    """

    covers: Text
    cite: Text
    mark: Literal["recomputed", "read", "memory"]


class Response(_Part):
    """A response set: the codes an answer may have, lowest first."""

    options: Annotated[tuple[StrictInt, ...], Field(min_length=2)]

    @property
    def range(self) -> int:
        return self.options[-1] - self.options[0]


class Item(_Part):
    """One question: its column, its printed number, its response set.

    recall: the period it asks about, by its name in [recall]; None = no period.
    """

    code: Code
    number: Annotated[StrictInt, Field(ge=1)]
    response: Name
    recall: Name | None = None


class Scale(_Part):
    """A score from 0 to 100 made of the mean of its items.

    formula: symptom = (mean - lowest) / range * 100; functional = 100 - that.
    range: highest minus lowest option of each of its items, as the manual prints it.
    needs: half = scored when at least half of the items are answered.
    """

    code: Code
    label: Label
    items: Annotated[tuple[Code, ...], Field(min_length=1)]
    formula: Literal["functional", "symptom"]
    range: Annotated[StrictInt, Field(ge=1)]
    needs: Literal["half"]
    higher_is: Literal["better", "worse"]

    @property
    def needed(self) -> int:
        """How many of its items must be answered."""
        return (len(self.items) + 1) // 2


class Composite(_Part):
    """The mean of other scales, some of them turned round (100 - score). All of them are needed."""

    code: Code
    label: Label
    scales: Annotated[tuple[Code, ...], Field(min_length=1)]
    reversed: tuple[Code, ...] = ()
    needs: Literal["all"]
    higher_is: Literal["better", "worse"]


class Instrument(_Part):
    """A questionnaire as data: what it asks and how it is scored, without its words.

    In the file the parts stand under their singular names: item, scale, composite, response, source.
    """

    id: Name
    version: Text
    title: Text
    sources: Annotated[tuple[Source, ...], Field(alias="source", min_length=1)]
    recalls: Annotated[dict[Name, Text], Field(alias="recall", default_factory=dict)]  # name: ISO 8601 duration
    responses: Annotated[dict[Name, Response], Field(alias="response")]
    items: Annotated[tuple[Item, ...], Field(alias="item", min_length=1)]
    scales: Annotated[tuple[Scale, ...], Field(alias="scale", min_length=1)]
    composites: Annotated[tuple[Composite, ...], Field(alias="composite")] = ()

    def options(self, item: str) -> tuple[int, ...]:
        """The codes an answer to this item may have, lowest first."""
        return next(self.responses[each.response].options for each in self.items if each.code == item)
