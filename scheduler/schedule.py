"""What does a trial file say about when a visit is due, how it is reminded of, and in which words?

The shapes stand here, with what each section can see of itself; `Schedule.of` also holds the sections against each
other (`scheduler.agreement`). Instruments are mere codes here; `title`, `month` and `baseline` are carried along.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import time
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from scheduler.hours import QuietHours
from scheduler.ports import EMAIL
from scheduler.replies import USUAL_WORDS, Understood

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=40)]  # may stand in a key
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z]{2,4})?$")]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Channel = Literal["sms", "email"]
CLOCK_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def _clock_time(value: Any) -> time:
    """A clock time as the trial file writes it; never a number, which would be read as seconds."""
    if isinstance(value, time) and value.tzinfo is None:
        return value
    if isinstance(value, str) and CLOCK_TIME.fullmatch(value):
        return time.fromisoformat(value)
    raise ValueError(f'{value!r} is not a time of the day\nWrite it with four digits, such as "08:00" or "16:30".')


ClockTime = Annotated[time, BeforeValidator(_clock_time)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Anchor(Section):
    """A day that visits are counted from. arms: those whose patients can have it; empty = nothing is said of that."""

    title: Words
    arms: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _a_title_alone(cls, written: Any) -> Any:
        return {"title": written} if isinstance(written, str) else written


class Offset(Section):
    """How far from its anchor a visit is due, in whole calendar units; n may be negative."""

    n: int = Field(ge=-1200, le=1200, strict=True)
    unit: Literal["day", "week", "month", "year"]


class Visit(Section):
    """One visit of the calendar. Days are counted from the due day; both ends belong to the window."""

    title: Mapping[Language, Words]
    month: float = Field(allow_inf_nan=False)
    baseline: bool = False
    anchor: str
    offset: Offset
    opens_before: int = Field(ge=0, le=3660, strict=True)
    closes_after: int = Field(ge=0, le=3660, strict=True)
    instruments: tuple[Code, ...] = Field(min_length=1)


class Step(Section):
    """One rung of the ladder: a text this many days after the due day, at the patient's own clock.

    text: the code of its words in [texts], by whichever channel it goes.
    """

    code: Code
    text: Code
    day: int = Field(ge=-3660, le=3660, strict=True)
    time: ClockTime
    channel: Channel


class Ladder(Section):
    """when_phone_fails: by what a step of the channel sms goes to a patient whom no sms can reach."""

    holiday_policy: Literal["next_workday", "none"]
    max_lateness_hours: int = Field(ge=1, le=24 * 366, strict=True)
    resend_after_days: int = Field(ge=1, le=3660, strict=True)
    when_phone_fails: Literal["email", "nothing"] = "nothing"
    steps: tuple[Step, ...] = Field(alias="step", min_length=1)


class Quiet(Section):
    """The hours in which no text leaves, [start, end) on the patient's clock; they may span midnight."""

    start: ClockTime
    end: ClockTime

    @model_validator(mode="after")
    def _leaves_an_hour(self) -> Quiet:
        if self.start == self.end:
            raise ValueError(
                "the quiet hours start and end at the same time\nLet them end later, or take [quiet] away."
            )
        return self


class SignsOfLife(Section):
    """How long a silence may be before somebody must say that the patient is alive, and what happens until then.

    without: hold = her texts wait for that word; send = they go, and the nurse is asked all the same.
    """

    days: int = Field(default=60, ge=1, le=3660, strict=True)
    without: Literal["hold", "send"]


class Schedule(Section):
    """The sections of a trial file that say when and how."""

    anchors: Mapping[Code, Anchor]
    visits: Mapping[Code, Visit] = Field(alias="visit", min_length=1)
    ladder: Ladder
    quiet: Quiet | None = None
    signs_of_life: SignsOfLife | None = None
    texts: Mapping[Language, Mapping[Code, Words]]
    replies: Mapping[Language, Mapping[Understood, tuple[Words, ...]]] = Field(default_factory=lambda: USUAL_WORDS)

    @property
    def quiet_hours(self) -> QuietHours | None:
        return (self.quiet.start, self.quiet.end) if self.quiet else None

    @property
    def silent_days(self) -> int | None:
        """The longest silence after which a text still leaves by itself; None = any."""
        signs = self.signs_of_life
        return signs.days if signs is not None and signs.without == "hold" else None

    @model_validator(mode="before")
    @classmethod
    def _empty_sections(cls, sections: Any) -> Any:
        """A [quiet] with nothing in it means that every hour will do; an empty [replies], that the usual words do."""
        if not isinstance(sections, Mapping):
            return sections
        left_out = {name for name in ("quiet", "replies") if sections.get(name) == {}}
        return {name: section for name, section in sections.items() if name not in left_out}

    @property
    def uses_email(self) -> bool:
        """Whether any step goes, or may go, as a mail."""
        return self.ladder.when_phone_fails == EMAIL or any(step.channel == EMAIL for step in self.ladder.steps)

    @classmethod
    def of(cls, sections: Mapping[str, Any]) -> Schedule:
        """The schedule of these sections of a trial file, refused unless they agree.

        Raises pydantic's ValidationError, with the key path of every fault in `loc` and its cure in `ctx`.
        """
        from scheduler.agreement import refuse_disagreements

        schedule = cls.model_validate(sections)
        refuse_disagreements(schedule)
        return schedule
