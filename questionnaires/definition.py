"""What is an instrument made of?"""

from functools import cached_property
from math import prod
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt, model_validator
from pydantic_core import PydanticCustomError

from questionnaires.parts import Code, Direction, Label, Name, Part, Source, Text
from questionnaires.thresholds import Difference, Threshold

STRETCHED = ("functional", "symptom")  # formulas that end on 0 to 100
KINDS = ("options", "between", "longest")


class Response(Part):
    """What an answer may be; exactly one of three.

    options: one of these codes, lowest first. between: any whole number from the first to the second.
    longest: text of at most so many characters, which is kept and never scored.
    """

    options: Annotated[tuple[StrictInt, ...], Field(min_length=2)] | None = None
    between: tuple[StrictInt, StrictInt] | None = None
    longest: Annotated[StrictInt, Field(ge=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_of_one_kind(cls, data: Any) -> Any:
        if isinstance(data, dict) and len([kind for kind in KINDS if kind in data]) != 1:
            cure = "Give one of options = [1, 2, 3], between = [0, 100], longest = 500 (characters of text)."
            raise PydanticCustomError("kind", "a response set is of one kind", {"cure": cure})
        return data

    @property
    def codes(self) -> tuple[int, ...]:
        """Every code an answer may have, lowest first; none for text."""
        if self.between is not None:
            return tuple(range(self.between[0], self.between[1] + 1))
        return self.options or ()

    @property
    def is_text(self) -> bool:
        return self.longest is not None


class Gate(Part):
    """An item is asked only when an earlier one has one of these answers; an unanswered gate is open.

    counts_as: what an answer that was not asked for counts as in scores; None = it is missing there.
    """

    item: Code
    answers: Annotated[tuple[StrictInt, ...], Field(min_length=1)]
    counts_as: StrictInt | None = None


class Item(Part):
    """One question: its column, its printed number, its response set.

    recall: the period it asks about, by its name in [recall]; None = no period. recode: by its name in [recode].
    scored: False = kept, and part of no score. optional: a table of answers may lack its column.
    """

    code: Code
    number: Annotated[StrictInt, Field(ge=1)]
    response: Name
    recall: Name | None = None
    recode: Name | None = None
    asked_when: Gate | None = None
    scored: StrictBool = True
    optional: StrictBool = False


class Recode(Part):
    """What each option counts as in scores, in the order of the options."""

    values: Annotated[tuple[float, ...], Field(min_length=2)]


class Scale(Part):
    """A score made of answers to items.

    formula, of the items answered: symptom = (mean - lowest) / range * 100; functional = 100 - that; mean, sum,
    highest = just that. range: highest minus lowest option of each of its items, as the manual prints it; for symptom
    and functional only. needs: how many of its items must be answered. checked: False = to be compared with a manual.
    """

    code: Code
    label: Label
    items: Annotated[tuple[Code, ...], Field(min_length=1)]
    formula: Literal["functional", "symptom", "mean", "sum", "highest"]
    range: Annotated[StrictInt, Field(ge=1)] | None = None
    needs: Literal["half", "all", "any"]
    higher_is: Direction
    checked: StrictBool = True

    @property
    def needed(self) -> int:
        """How many of its items must be answered."""
        return {"half": (len(self.items) + 1) // 2, "all": len(self.items), "any": 1}[self.needs]


class Composite(Part):
    """The mean of other scales, some of them turned round (100 - score). All of them are needed."""

    code: Code
    label: Label
    scales: Annotated[tuple[Code, ...], Field(min_length=1)]
    reversed: tuple[Code, ...] = ()
    needs: Literal["all"]
    higher_is: Direction


class Conversion(Part):
    """Another scale's score looked up in a table: values[0] belongs to the scale's score `lowest`, then one by one."""

    code: Code
    label: Label
    scale: Code
    lowest: StrictInt
    values: Annotated[tuple[float, ...], Field(min_length=2)]
    higher_is: Direction


class Grade(Part):
    """A whole number looked up by the answers to its items, all of them needed, in [table]."""

    code: Code
    label: Label
    items: Annotated[tuple[Code, ...], Field(min_length=1)]
    table: Name
    higher_is: Direction


class Table(Part):
    """One grade for each combination of answers, lowest options first; the last item's answer changes fastest."""

    grades: Annotated[tuple[StrictInt, ...], Field(min_length=2)]


class Index(Part):
    """A value set: what a health state is worth, 1 = full health, higher is better; all of its parts are needed.

    parts: codes of items or scales, answered in steps of one. Then one of: decrements, for each part what each level
    takes away from 1, the lowest level first; values, one for each state, in the order of a Table's grades.
    """

    code: Code
    label: Label
    parts: Annotated[tuple[Code, ...], Field(min_length=1)]
    decrements: dict[Code, tuple[Annotated[float, Field(ge=0)], ...]] | None = None
    values: tuple[float, ...] | None = None
    source: Source

    @property
    def higher_is(self) -> Literal["better"]:
        return "better"


Score = Scale | Composite | Conversion | Grade | Index


class Instrument(Part):
    """A questionnaire as data: what it asks and how it is scored, without its words.

    In the file the parts stand under their singular names: item, scale, composite, response, source.
    not_scored: why no score is offered; None = it is scored. value_sets: codes of the files in value_sets/ to add.
    """

    id: Name
    version: Text
    title: Text
    not_scored: Text | None = None
    value_sets: tuple[Code, ...] = ()
    sources: Annotated[tuple[Source, ...], Field(alias="source", min_length=1)]
    recalls: Annotated[dict[Name, Text], Field(alias="recall", default_factory=dict)]  # name: ISO 8601 duration
    responses: Annotated[dict[Name, Response], Field(alias="response")]
    recodes: Annotated[dict[Name, Recode], Field(alias="recode", default_factory=dict)]
    items: Annotated[tuple[Item, ...], Field(alias="item", min_length=1)]
    scales: Annotated[tuple[Scale, ...], Field(alias="scale")] = ()
    composites: Annotated[tuple[Composite, ...], Field(alias="composite")] = ()
    conversions: Annotated[tuple[Conversion, ...], Field(alias="conversion")] = ()
    grades: Annotated[tuple[Grade, ...], Field(alias="grade")] = ()
    tables: Annotated[dict[Name, Table], Field(alias="table", default_factory=dict)]
    indices: Annotated[tuple[Index, ...], Field(alias="index")] = ()
    thresholds: Annotated[tuple[Threshold, ...], Field(alias="threshold")] = ()
    differences: Annotated[tuple[Difference, ...], Field(alias="difference")] = ()

    def item(self, code: str) -> Item:
        return self._items_by_code[code]

    @cached_property
    def _items_by_code(self) -> dict[str, Item]:
        return {item.code: item for item in self.items}

    def options(self, item: str) -> tuple[int, ...]:
        """The codes an answer to this item may have, lowest first; none for text."""
        return self.responses[self.item(item).response].codes

    @property
    def scores(self) -> tuple[Score, ...]:
        """Everything that is scored, in the order of the columns."""
        return (*self.scales, *self.composites, *self.conversions, *self.grades, *self.indices)

    def bounds(self, score: str) -> tuple[float, float]:
        """The lowest and the highest value that a score can take."""
        return _bounds(self, next(each for each in self.scores if each.code == score))


def states_of(instrument: Instrument, parts: tuple[str, ...]) -> int:
    """How many combinations the answers (or levels) of these items or scales have."""
    return prod(len(levels_of(instrument, part)) for part in parts)


def levels_of(instrument: Instrument, part: str) -> range:
    """The levels of an item or of a score that takes steps of one, lowest first."""
    if any(item.code == part for item in instrument.items):
        options = instrument.options(part)
        return range(options[0], options[-1] + 1)
    lowest, highest = instrument.bounds(part)
    return range(round(lowest), round(highest) + 1)


def counts(instrument: Instrument, item: str) -> tuple[float, ...]:
    """What each option of an item counts as in scores, in the order of its options."""
    recode = instrument.item(item).recode
    return instrument.options(item) if recode is None else instrument.recodes[recode].values


def _bounds(instrument: Instrument, score: Score) -> tuple[float, float]:
    match score:
        case Scale(formula="functional" | "symptom"):
            return 0.0, 100.0
        case Scale():
            ends = [(min(each), max(each)) for each in (counts(instrument, item) for item in score.items)]
            lows, highs = zip(*ends, strict=True)
            if score.formula == "sum":
                return float(sum(lows)), float(sum(highs))
            return float(max(lows) if score.formula == "highest" else min(lows)), float(max(highs))
        case Composite():
            straight = [instrument.bounds(each) for each in score.scales]
            turned = [(100 - high, 100 - low) for low, high in map(instrument.bounds, score.reversed)]
            lows, highs = zip(*straight, *turned, strict=True)
            return sum(lows) / len(lows), sum(highs) / len(highs)
        case Conversion():
            return min(score.values), max(score.values)
        case Grade():
            return float(min(instrument.tables[score.table].grades)), float(max(instrument.tables[score.table].grades))
        case Index():
            taken = (score.decrements or {}).values()
            values = score.values or (1 - sum(map(max, taken)), 1 - sum(map(min, taken)))
            return min(values), max(values)
