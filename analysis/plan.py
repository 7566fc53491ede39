"""What does a trial promise to analyse: its arms, strata, visits and analysis plan (the file `analysis.toml`)?"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class _Section(BaseModel):
    """A trial file says more than the analyst needs; what is not named here passes by."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class TrialSection(_Section):
    """zone: the time zone whose calendar days count; an answer late in the evening belongs to that day."""

    code: Text
    title: Text
    registration: Text
    zone: str = "UTC"

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        if zone not in available_timezones():
            raise ValueError(f"no time zone is called {zone!r}; write it like Europe/Stockholm")
        return zone


class Stratum(_Section):
    label: Text
    levels: tuple[Text, ...] = Field(min_length=2)


class Visit(_Section):
    """month: its place on the analyst's axis, in months of 30.4375 days after randomisation; the baseline has 0."""

    title: dict[str, Text] = Field(min_length=1)
    month: float = Field(ge=0)
    baseline: bool = False


class Deterioration(BaseModel):
    """threshold: points by which a score must be worse than baseline. death = event: the composite reading."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instrument: Text
    scale: Text
    threshold: float = Field(gt=0)
    death: Literal["event"]


class AnalysisPlan(BaseModel):
    """The section [analysis]. The scales it names are those of the instrument of `deterioration`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    primary: Literal["overall survival"]
    strata: tuple[Text, ...] = ()
    survival_months: float = Field(gt=0)
    profile_scales: tuple[Text, ...] = Field(min_length=1)
    baseline_scale: Text
    reference_arm: Text
    deterioration: Deterioration

    @property
    def instrument(self) -> str:
        return self.deterioration.instrument


class TrialPlan(_Section):
    """Everything that the analysis needs to know besides the tables."""

    trial: TrialSection
    arms: dict[str, Text] = Field(min_length=2)
    strata: dict[str, Stratum] = {}
    visit: dict[str, Visit] = Field(min_length=1)
    analysis: AnalysisPlan

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        if self.analysis.reference_arm not in self.arms:
            raise ValueError(f"reference_arm is no arm of the trial; the arms are {', '.join(self.arms)}")
        for code in self.analysis.strata:
            if code not in self.strata:
                raise ValueError(f"no stratum is called {code!r}; the strata are {', '.join(self.strata) or 'none'}")
        if len(self.baselines) != 1:
            raise ValueError("exactly one visit is the baseline; mark it with baseline = true")
        return self

    @property
    def baselines(self) -> list[str]:
        return [code for code, visit in self.visit.items() if visit.baseline]

    @property
    def other_arms(self) -> list[str]:
        """Every arm but the reference, in the order of the plan."""
        return [arm for arm in self.arms if arm != self.analysis.reference_arm]

    @property
    def months(self) -> dict[str, float]:
        """Visit code: month, in the order of time."""
        return dict(sorted(((code, visit.month) for code, visit in self.visit.items()), key=lambda each: each[1]))


def as_toml(plan: TrialPlan) -> str:
    """The plan as the text of `analysis.toml`."""
    return "\n".join(_table((), plan.model_dump(mode="json"))).strip() + "\n"


def _table(path: tuple[str, ...], data: Mapping[str, Any]) -> list[str]:
    """The lines of one table: its plain values first, then the tables inside it."""
    inside = {key: value for key, value in data.items() if isinstance(value, Mapping)}
    lines = [f"{_key(key)} = {_value(value)}" for key, value in data.items() if key not in inside]
    if path and (lines or not inside):
        lines = ["", f"[{'.'.join(map(_key, path))}]", *lines]
    for key, value in inside.items():
        lines += _table((*path, key), value)
    return lines


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else _value(key)


def _value(value: Any) -> str:
    """A TOML value: its strings, numbers, flags and lists are written as in JSON."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
