"""What is a text of the plan, and what must be known of a patient to make it?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Literal, NamedTuple

from scheduler.hours import QuietHours
from scheduler.ports import CHANNELS
from scheduler.visits import Visit
from scheduler.waiting import Again, Pause, Sign

Action = Literal[
    "send", "send_late", "not_sendable", "expired", "superseded", "already_sent", "cancelled", "sent_after_event"
]
TO_SEND = ("send", "send_late")
ON_REQUEST = "on-request"  # the step that a patient asks for
AGAIN = "again"  # the step that a nurse asks for: again-1, again-2 and so on of one visit


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of a patient beside her anchors.

    completed: visits that are answered, for which nothing more is sent. ended_on: the day of death or withdrawal, the
    earlier of them; ended_reported_at: when the first of them was made known. channels: those that may be used now and
    reach her; empty without permission, without an address, or after a STOP. later_on: the day for which she asked to
    be reminded once more, of the visit that is open then. again: what a nurse asked to be sent again, the oldest first.
    pauses, signs: see `scheduler.waiting`.
    """

    completed: frozenset[str] = frozenset()
    ended_on: date | None = None
    ended_reported_at: datetime | None = None
    channels: frozenset[str] = CHANNELS
    later_on: date | None = None
    pauses: tuple[Pause, ...] = ()
    signs: tuple[Sign, ...] = ()
    again: tuple[Again, ...] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """A text that left, may have left, or (`leaving`) is claimed and about to leave; `failed`: it did not arrive."""

    key: str
    at: datetime
    leaving: bool = False
    failed: bool = False


class Message(NamedTuple):
    """One text of the ladder.

    key: subject/visit/step/channel/copy. send_at: when the rules want it out, None where they leave no such moment;
    send_on, send_time, zone: the same on the patient's wall. acts_at: when the action happens, None where nothing does.
    expires_at: the first instant at which it is too late.
    """

    key: str
    action: Action
    send_at: datetime | None
    send_on: date
    send_time: time
    zone: str
    expires_at: datetime
    acts_at: datetime | None
    visit: str
    version: int
    step: str
    position: int
    channel: str
    closes_at: datetime
    quiet: QuietHours | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What should happen to one patient, as known at one moment."""

    subject: str
    visits: tuple[Visit, ...]
    messages: tuple[Message, ...]


def was_asked_for(step: str) -> bool:
    """Whether a step is none of the ladder's own, but one that the patient or her nurse asked for."""
    return step == ON_REQUEST or step.startswith(f"{AGAIN}-")
