"""Which answers ask for a person? The [alerts] of a trial file: who answers for them, and the rules.

A trial without this section watches nothing. One that has it says what for, who is responsible, during which hours,
and how the sponsor has assessed it as a medical device; nothing of that has a default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

import questionnaires
from questionnaires.definition import Instrument

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=40)]
Address = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(Section):
    """An answer to one item, or a score of one scale, from which on somebody is told.

    at_least, at_most: the value from which on, inclusive. threshold: the one that the instrument's own file gives.
    """

    code: Code
    title: dict[str, Text] = Field(min_length=1)
    instrument: Text
    item: str | None = None
    scale: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    threshold: bool = False
    to: tuple[Address, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _says_of_what_and_from_when(self) -> Rule:
        if (self.item is None) == (self.scale is None):
            raise ValueError("a rule is on an item or on a scale\nGive one of item and scale.")
        if (self.at_least is not None) + (self.at_most is not None) + self.threshold != 1:
            raise ValueError("from when on is it an alert?\nGive one of at_least, at_most and threshold = true.")
        if self.threshold and self.scale is None:
            raise ValueError("only scales have thresholds of their own\nGive at_least or at_most.")
        return self


class Alerts(Section):
    """escalate_after_hours: an alert that nobody has acknowledged by then is told to `escalate_to`."""

    purpose: Text
    responsible: Text
    hours: Text
    device_assessment: Text
    escalate_after_hours: int = Field(ge=1, le=24 * 14)
    escalate_to: tuple[Address, ...] = Field(min_length=1)
    rule: tuple[Rule, ...] = Field(min_length=1)


def met(
    rules: tuple[Rule, ...], instruments: Mapping[str, Instrument], values: Mapping[tuple[str, str], int]
) -> list[Rule]:
    """The rules that the answers of one assessment meet. values: by (instrument, item), answered items alone."""
    return [rule for rule in rules if _is_met(rule, instruments[rule.instrument], values)]


def wrong_of(rule: Rule, instrument: Instrument | None) -> tuple[str, str] | None:
    """What a rule names that is not there, and the cure; None when all is."""
    if instrument is None:
        return f"no visit asks {rule.instrument}", "Name an instrument of one of the visits."
    items, scales = [item.code for item in instrument.items], [score.code for score in instrument.scores]
    if rule.item is not None and rule.item not in items:
        return f"{instrument.id} has no item {rule.item!r}", f"Its items are {', '.join(items)}."
    if rule.scale is not None and rule.scale not in scales:
        return f"{instrument.id} has no scale {rule.scale!r}", f"Its scales are {', '.join(scales)}."
    if rule.threshold and _own_threshold(rule, instrument) is None:
        return f"{instrument.id} gives no threshold for {rule.scale}", "Give at_least or at_most."
    return None


def _is_met(rule: Rule, instrument: Instrument, values: Mapping[tuple[str, str], int]) -> bool:
    value = values.get((instrument.id, rule.item)) if rule.item else _score(rule, instrument, values)
    if value is None or value != value:  # no answer, or no score
        return False
    if rule.threshold:
        side, bound = _own_threshold(rule, instrument) or ("above", float("inf"))
        return value < bound if side == "below" else value > bound
    return value >= rule.at_least if rule.at_least is not None else value <= (rule.at_most or 0)


def _score(rule: Rule, instrument: Instrument, values: Mapping[tuple[str, str], int]) -> Any:
    given = {item.code: values.get((instrument.id, item.code)) for item in instrument.items}
    if not any(value is not None for value in given.values()):
        return None
    import pandas as pd  # heavy: for the clock of a trial with such rules alone

    answers = pd.DataFrame([given]).astype("Float64")
    return questionnaires.score(answers, instrument, on_invalid="missing")[rule.scale or ""].iloc[0]


def _own_threshold(rule: Rule, instrument: Instrument) -> tuple[str, float] | None:
    found: Iterator[Any] = (each.flag(rule.scale or "") for each in instrument.thresholds)
    return next((flag for flag in found if flag is not None), None)
