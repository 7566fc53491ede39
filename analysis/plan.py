"""What does a trial promise to analyse: its arms, strata, visits and analysis plan (the file `analysis.toml`)?"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Self
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from analysis.planned import Estimand, Method, Text
from questionnaires.definition import Instrument

ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


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
    """month: its place on the analyst's axis, in months of 30.4375 days after randomisation; the baseline has 0.

    anchor: the event that it hangs on.
    """

    title: dict[str, Text] = Field(min_length=1)
    month: float = Field(ge=0)
    baseline: bool = False
    anchor: str = "randomisation"


class Covariate(_Section):
    """A column of covariates.csv: a number, or a word out of few."""

    label: Text
    kind: Literal["number", "text"] = "number"


class AnalysisPlan(BaseModel):
    """The section [analysis]. profile_scales: of the instrument, shown as means by arm and visit.

    pool_below: strata with fewer deaths are one stratum together. largest: from how many randomised patients a
    method is left out of the report, by name of the method. estimand: by id, in the order of the report.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    instrument: Text
    reference_arm: Text
    strata: tuple[Text, ...] = ()
    pool_below: int = Field(default=0, ge=0)
    profile_scales: tuple[Text, ...] = Field(min_length=1)
    threshold: float = Field(gt=0)
    population: Text
    treatment: Text
    largest: dict[Method, int] = {}
    covariate: dict[str, Covariate] = {}
    estimand: dict[str, Estimand] = {}

    @model_validator(mode="after")
    def _one_is_first(self) -> Self:
        primary = [id for id, each in self.estimand.items() if each.primary]
        if len(primary) > 1:
            raise ValueError(f"only one estimand is primary, and {', '.join(primary)} say so")
        order = sorted(each.test_order for each in self.estimand.values() if each.test_order is not None)
        if order != list(range(1, len(order) + 1)):
            raise ValueError("the hierarchy of tests goes 1, 2, 3 without gaps or doubles; correct test_order")
        if strange := [id for id in self.estimand if not ID.fullmatch(id)]:
            raise ValueError(f"an estimand's id is made of a-z, 0-9 and -; {', '.join(strange)} is not")
        return self


class Impossible(NamedTuple):
    """Why a plan cannot be carried out. keys: where in the section [analysis]."""

    keys: tuple[str, ...]
    what: str
    cure: str


def impossible(
    plan: AnalysisPlan, visits: Mapping[str, bool], strata: Collection[str], instruments: Mapping[str, Instrument]
) -> list[Impossible]:
    """Everything that the plan names and the trial does not have. visits: code: whether it is the baseline."""
    if plan.instrument not in instruments:
        known = ", ".join(instruments) or "none"
        return [Impossible(("instrument",), f"there is no instrument {plan.instrument!r}", f"Known here: {known}.")]
    scales = [score.code for score in instruments[plan.instrument].scores]
    found = list(_unknown(("profile_scales",), "scale", plan.profile_scales, scales, plan.instrument))
    found += _unknown(("strata",), "stratum", plan.strata, list(strata))
    later = [code for code, baseline in visits.items() if not baseline]
    for id, each in plan.estimand.items():
        at = ("estimand", id)
        found += _unknown((*at, "scales"), "scale", each.scales, scales, plan.instrument)
        found += _unknown((*at, "visit"), "visit after baseline", (each.visit,) if each.visit else (), later)
        factors = [*strata, *plan.covariate, *scales]
        found += _unknown((*at, "factors"), "stratum, covariate or scale", each.factors, factors)
        if each.utility and not (each.utility in instruments and instruments[each.utility].value_sets):
            what = f"quality-adjusted survival needs utilities, and {each.utility!r} gives none in this trial"
            cure = "Ask an instrument with value sets at the visits, or take this estimand out."
            found.append(Impossible((*at, "utility"), what, cure))
    return found


def _unknown(
    keys: tuple[str, ...], noun: str, named: Sequence[str], known: Sequence[str], owner: str = "the trial"
) -> Iterator[Impossible]:
    for name in dict.fromkeys(named):
        if name not in known:
            yield Impossible(keys, f"{owner} has no {noun} {name}", f"It has {', '.join(known) or 'none'}.")


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
    plain = {key: value for key, value in data.items() if key not in inside and value is not None}
    lines = [f"{_key(key)} = {_value(value)}" for key, value in plain.items()]
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
