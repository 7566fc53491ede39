"""In which state is an assessment, and was it received? A function of its row and of now, never a column."""

from __future__ import annotations

from datetime import date, datetime
from typing import Protocol as Shape
from zoneinfo import ZoneInfo

NOT_DUE, OPEN, STARTED, COMPLETED = "not_due", "open", "started", "completed"
CLOSED_UNFINISHED, MISSED, EXCUSED, BEFORE_SYSTEM = "closed_unfinished", "missed", "excused", "before_system"
STATES = (NOT_DUE, OPEN, STARTED, COMPLETED, CLOSED_UNFINISHED, MISSED, EXCUSED, BEFORE_SYSTEM)


class Windowed(Shape):
    """What an assessment's row says."""

    @property
    def opens_at(self) -> datetime: ...
    @property
    def closes_at(self) -> datetime: ...
    @property
    def expected(self) -> bool: ...
    @property
    def started_at(self) -> datetime | None: ...
    @property
    def completed_at(self) -> datetime | None: ...


def state_of(assessment: Windowed, now: datetime, enrolled_at: datetime, ended_at: datetime | None = None) -> str:
    """One of STATES. A window that closed before the patient was in the system was nobody's to answer.

    ended_at: the beginning of the day of death or withdrawal; a window that was not over by then is.
    """
    if assessment.completed_at is not None:
        return COMPLETED
    cut_short = ended_at is not None and ended_at < assessment.closes_at
    closed = now >= assessment.closes_at
    if assessment.started_at is not None and (closed or cut_short):
        return CLOSED_UNFINISHED
    if closed and assessment.closes_at <= enrolled_at:
        return BEFORE_SYSTEM
    if cut_short or not assessment.expected:
        return EXCUSED
    if closed:
        return MISSED
    if assessment.started_at is not None:
        return STARTED
    return OPEN if now >= assessment.opens_at else NOT_DUE


def is_open(assessment: Windowed, now: datetime) -> bool:
    """Whether its forms may be filled in now."""
    return assessment.opens_at <= now < assessment.closes_at and assessment.completed_at is None


def answered_after_randomisation(completed_at: datetime, randomised_on: date, zone: ZoneInfo) -> bool:
    """Whether a baseline came too late to be one: submitted on a later day than randomisation, in the trial's zone."""
    return completed_at.astimezone(zone).date() > randomised_on
