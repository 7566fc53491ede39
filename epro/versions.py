"""Which versions of the trial file have there been, and which of them does a patient follow?

A version is followed from a day on: by everybody (rule "amendment"), or by those who consented to it (rule "consent"),
the others from the day on which they consent anew. Which visits that concerns, the scheduler decides: those that open
from that day on.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, func, select

from epro.store.facts import CONSENT, Facts
from epro.store.models import TrialVersion
from scheduler.schedule import Schedule
from scheduler.visits import Versions

BY_CONSENT, BY_AMENDMENT = "consent", "amendment"
SCHEDULER_SECTIONS = ("anchors", "visit", "ladder", "quiet", "texts")
OPTIONAL_SECTIONS = ("signs_of_life", "replies")  # of the scheduler's
MOST_KEPT = 32  # schedules that have been read


@dataclass(frozen=True)
class Version:
    """One version of the trial file, as adopted."""

    n: int
    from_on: date
    rule: str  # BY_CONSENT | BY_AMENDMENT
    sha256: str
    schedule: Schedule


class NoTrial(LookupError):
    """The database has no trial file."""


def schedule_of(data: Mapping[str, Any]) -> Schedule:
    """The scheduler's sections of a trial file. Raises pydantic's ValidationError."""
    optional = {name: data[name] for name in OPTIONAL_SECTIONS if name in data}
    return Schedule.of({**{name: data.get(name, {}) for name in SCHEDULER_SECTIONS}, **optional})


def versions_of(connection: Connection) -> tuple[Version, ...]:
    """Every version, the oldest first. Raises NoTrial."""
    rows = connection.execute(select(TrialVersion.__table__).order_by(TrialVersion.n)).all()
    if not rows:
        raise NoTrial("The database has no trial file yet. Run `epro release` first.")
    return tuple(Version(row.n, row.from_on, row.rule, row.sha256, _schedule_in(row.text)) for row in rows)


def newest(connection: Connection) -> int:
    """The number of the version in force; 0 before the first."""
    return connection.execute(select(func.max(TrialVersion.n))).scalar() or 0


def text_of(connection: Connection, n: int) -> str:
    """A version as it was written."""
    return str(connection.execute(select(TrialVersion.text).where(TrialVersion.n == n)).scalar_one())


@lru_cache(maxsize=MOST_KEPT)
def _schedule_in(text: str) -> Schedule:
    return schedule_of(tomllib.loads(text))


def followed_by(versions: Sequence[Version], patient: Facts) -> Versions:
    """The versions that a patient follows, each with the day from which she does; the first since ever.

    An amendment takes in what the versions before it changed, so from its day on they are overtaken.
    """
    since: list[tuple[date, Version]] = [(versions[0].from_on, versions[0])]
    consented_on = patient.events[CONSENT].on
    for version in versions[1:]:
        if consented_on >= version.from_on:
            since = [(version.from_on, version)]
            continue
        consents = (day for day in patient.consented_anew_on if day >= version.from_on)
        day = version.from_on if version.rule == BY_AMENDMENT else min(consents, default=None)
        if day is not None:
            since = [since[0], *(one for one in since[1:] if one[0] < day), (day, version)]
    return [(day, version.n, version.schedule) for day, version in since]


def awaiting_consent(versions: Sequence[Version], patient: Facts) -> tuple[Version, ...]:
    """The versions that she would follow if she consented to them, and has not."""
    consented_on = max([patient.events[CONSENT].on, *patient.consented_anew_on])
    overtaken = max((version.n for version in versions if version.rule == BY_AMENDMENT), default=0)
    return tuple(
        version
        for version in versions[1:]
        if version.rule == BY_CONSENT and version.n > overtaken and version.from_on > consented_on
    )
