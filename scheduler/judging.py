"""May a text still go, did it go before, and what do death, withdrawal and the other texts of the day do to it?

Rules 8 to 10 of the calendar oracle, and the one text a day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

from scheduler.hours import after_quiet, local_date
from scheduler.messages import TO_SEND, Message, Sent, Status

if TYPE_CHECKING:
    from scheduler.schedule import Schedule


class Rival(Protocol):
    """A text that could leave today: a planned message, or its row."""

    @property
    def closes_at(self) -> datetime: ...
    @property
    def position(self) -> int: ...
    @property
    def key(self) -> str: ...


AnyRival = TypeVar("AnyRival", bound=Rival)


def one_text_a_day(rivals: Iterable[AnyRival]) -> AnyRival:
    """Which of the texts of one patient and one day goes: the visit that closes first, there the latest step.

    The others are superseded; the ladder's next steps still speak for their visits.
    """
    return min(rivals, key=lambda text: (text.closes_at, -text.position, text.key))


class Past:
    """What was sent before, looked up by the step it belongs to (a key without channel and copy)."""

    def __init__(self, history: Iterable[Sent], zone: str) -> None:
        self.zone = zone
        self.sent: dict[str, Sent] = {}  # the latest of each step that left or may have left, by whichever channel
        self.copies: dict[str, int] = {}  # of each step by each channel
        self.keys_on: dict[date, set[str]] = defaultdict(set)
        for sent in sorted(history, key=lambda sent: sent.at):
            base, _, copy = sent.key.rpartition("/")
            self.keys_on[local_date(sent.at, zone)].add(sent.key)
            if not sent.leaving:
                self.sent[base.rpartition("/")[0]] = sent
                self.copies[base] = max(self.copies.get(base, 0), int(copy))

    def another_left(self, first: date, last: date, key: str) -> bool:
        """Whether another text left from the first local day to the last."""
        return any(first <= day <= last and keys - {key} for day, keys in self.keys_on.items())


def failed_by_another(sent: Sent | None, channel: str) -> bool:
    """Whether a step is known not to have arrived, and would now go by another channel."""
    return sent is not None and sent.failed and sent.key.split("/")[-2] != channel


def has_left(planned: Message, sent: Sent | None, schedule: Schedule, status: Status) -> bool:
    """Whether a step that left before stays so: its visit is completed, or its date has not moved far since.

    One that did not arrive has not left where another channel takes its place.
    """
    if sent is None:
        return False
    if planned.visit in status.completed:
        return True
    if failed_by_another(sent, planned.channel):
        return False
    return (planned.send_on - local_date(sent.at, planned.zone)).days < schedule.ladder.resend_after_days


def judged(
    planned: Message,
    base: str,
    sent: Sent | None,
    *,
    copies: int,
    stays_sent: bool,
    now: datetime | None,
    later_is_due: bool,
    status: Status,
) -> Message | None:
    """What becomes of a step. None: nothing does, for its visit is completed or its channel may not be used.

    sent: when it left before, by either channel, and `stays_sent` that it is not wanted again. base: its key up to the
    copy; copies: how many left by this channel.
    """
    if sent is not None and stays_sent:
        return _after_event(planned._replace(key=sent.key, action="already_sent", acts_at=None), sent.at, status)
    if planned.visit in status.completed or planned.channel not in status.channels:
        return None
    message = planned._replace(key=f"{base}/{copies + 1}") if copies else planned
    message = _in_time(message, now, later_is_due)
    return _ended(message, status) if message.action in TO_SEND else message


def _in_time(message: Message, now: datetime | None, later_is_due: bool) -> Message:
    """Rule 8: what is late goes at the first hour that is not quiet, unless it is too late or a later step is due."""
    if message.action == "not_sendable" or now is None or message.send_at is None or now <= message.send_at:
        return message
    if later_is_due:
        return message._replace(action="superseded", acts_at=None)
    late = after_quiet(now, message.zone, message.quiet)
    if late < message.expires_at:
        return message._replace(action="send_late", acts_at=late)
    return message._replace(action="expired", acts_at=None)


def _ended(message: Message, status: Status) -> Message:
    """Rule 10 for what has not left: nothing goes from the report of a death or withdrawal on."""
    reported_at = status.ended_reported_at
    if reported_at is None or message.acts_at is None:
        return message
    if message.acts_at >= reported_at:
        return message._replace(action="cancelled", acts_at=reported_at)
    return _after_event(message, message.acts_at, status)


def _after_event(message: Message, left_at: datetime, status: Status) -> Message:
    """Rule 10 for what has left: a text on a later local day than the event is an incident."""
    if status.ended_on is not None and local_date(left_at, message.zone) > status.ended_on:
        return message._replace(action="sent_after_event", acts_at=left_at)
    return message


def one_a_day(messages: Sequence[Message], past: Past) -> Iterator[Message]:
    """At most one text on one local day of one patient, counting what left before.

    A late text for whose day another has left does not follow on the next: they shared one.
    """
    days: dict[date, list[Message]] = defaultdict(list)
    for message in messages:
        if message.action in TO_SEND and message.acts_at is not None:
            is_late = message.acts_at != message.send_at
            days[local_date(message.acts_at, message.zone) if is_late else message.send_on].append(message)
    goes: set[str] = set()
    for day, rivals in days.items():
        free = [m for m in rivals if not past.another_left(min(m.send_on, day), day, m.key)]
        if free:
            goes.add(one_text_a_day(free).key)
    for message in messages:
        if message.action in TO_SEND and message.key not in goes:
            yield message._replace(action="superseded", acts_at=None)
        else:
            yield message
