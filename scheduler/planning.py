"""What should be sent to one patient, when, and what has become of the rest?

A pure function of schedule, anchors, zone, history and status. The rules are those of the calendar oracle, in its
order: visits and windows (`scheduler.visits`), clock times, quiet hours and working days (`scheduler.hours`), then here
whether a text may still go, whether it went before, and what death or withdrawal does to it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar
from zoneinfo import ZoneInfo

from scheduler.hours import MIDNIGHT, QuietHours, after_quiet, instant_of, local_date, on_workday
from scheduler.instants import utc
from scheduler.ports import CHANNELS, SMS
from scheduler.visits import Versions, Visit, visits_of
from scheduler.waiting import Again, Pause, Sign, day_to_leave

if TYPE_CHECKING:
    from scheduler.schedule import Schedule, Step

Action = Literal[
    "send", "send_late", "not_sendable", "expired", "superseded", "already_sent", "cancelled", "sent_after_event"
]
TO_SEND = ("send", "send_late")
FIRST_VERSION = 1
ON_REQUEST = "on-request"  # the step that a patient asks for
AGAIN = "again"  # the step that a nurse asks for: again-1, again-2 and so on of one visit
INSTANT = timedelta(microseconds=1)  # the step of our instants: "up to and including" as a half-open end


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
    """A text that left, may have left, or (`leaving`) is claimed and about to leave."""

    key: str
    at: datetime
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class Message:
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


def plan(
    schedule: Schedule | Versions,
    anchors: Mapping[str, date],
    *,
    subject: str,
    zone: str,
    now: datetime | None = None,
    history: Iterable[Sent] = (),
    status: Status | None = None,
) -> Plan:
    """The plan of one patient: every visit whose anchor is known, and every text of their ladders.

    schedule: one, or [(from_on, version, Schedule)] with the oldest first; a visit keeps the version in force when it
    opens. anchors: name to calendar day. zone: the patient's, as "Europe/Stockholm". now: aware; None = lateness
    is not judged. A text that nothing more comes of (its visit is completed, its channel may not be used) is left out
    unless it was sent. At most one text leaves on one local day (see `_one_a_day`). Raises NaiveInstant.
    """
    versions = _as_versions(schedule)
    schedules = {version: one for _, version, one in versions}
    status = status or Status()
    past = _Past(history, zone)
    now = utc(now) if now is not None else None
    visits = visits_of(versions, anchors, zone=zone, ended_on=status.ended_on)
    messages = [
        message
        for visit in visits
        for message in _ladder(subject, visit, schedules[visit.version], zone=zone, now=now, past=past, status=status)
    ]
    return Plan(subject, tuple(visits), tuple(_one_a_day(messages, past)))


def was_asked_for(step: str) -> bool:
    """Whether a step is none of the ladder's own, but one that the patient or her nurse asked for."""
    return step == ON_REQUEST or step.startswith(f"{AGAIN}-")


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


def _as_versions(schedule: Schedule | Versions) -> Versions:
    return schedule if isinstance(schedule, Sequence) else [(date.min, FIRST_VERSION, schedule)]


class _Past:
    """What was sent before, looked up by the step it belongs to (a key without channel and copy)."""

    def __init__(self, history: Iterable[Sent], zone: str) -> None:
        self.zone = zone
        self.sent: dict[str, Sent] = {}  # the latest of each step that left or may have left, by whichever channel
        self.copies: dict[str, int] = defaultdict(int)  # of each step by each channel
        self.keys_on: dict[date, set[str]] = defaultdict(set)
        for sent in sorted(history, key=lambda sent: sent.at):
            base, _, copy = sent.key.rpartition("/")
            self.keys_on[local_date(sent.at, zone)].add(sent.key)
            if not sent.leaving:
                self.sent[_without_channel(base)] = sent
                self.copies[base] = max(self.copies[base], int(copy))

    def another_left(self, first: date, last: date, key: str) -> bool:
        """Whether another text left from the first local day to the last."""
        return any(first <= day <= last and keys - {key} for day, keys in self.keys_on.items())


def _without_channel(base: str) -> str:
    return base.rpartition("/")[0]


def _ladder(
    subject: str, visit: Visit, schedule: Schedule, *, zone: str, now: datetime | None, past: _Past, status: Status
) -> Iterator[Message]:
    """The texts of one visit, the last step first judged, so that each knows whether a later one is due."""
    later_is_due = False
    judged: list[Message] = []
    for position, step in reversed(list(enumerate(_steps(visit, schedule, zone, status)))):
        channel = _channel(step, schedule, status)
        step = step if step.channel == channel else step.model_copy(update={"channel": channel})
        base = f"{subject}/{visit.code}/{step.code}/{channel}"
        planned = _planned(base, position, visit, step, schedule, zone)
        if not _has_left(planned, past.sent.get(_without_channel(base)), schedule, status):
            on_day = partial(_planned, base, position, visit, step, schedule, zone)
            planned = _waited(planned, on_day, schedule.silent_days, now=now, status=status)
        message = _judged(planned, base, schedule, now=now, later_is_due=later_is_due, past=past, status=status)
        later_is_due = later_is_due or (now is not None and planned.send_at is not None and planned.send_at <= now)
        if message is not None:
            judged.append(message)
    yield from reversed(judged)


def _channel(step: Step, schedule: Schedule, status: Status) -> str:
    """The step's own channel; where no sms reaches her, the one that the ladder names for when a phone fails."""
    instead = schedule.ladder.when_phone_fails
    phone_fails = step.channel == SMS and SMS not in status.channels
    return instead if phone_fails and instead in status.channels else step.channel


def _steps(visit: Visit, schedule: Schedule, zone: str, status: Status) -> Sequence[Step]:
    """The rungs of the ladder in the order of their days, and among them those that she or her nurse asked for.

    What a nurse sends again is the last of its day, so that it stands for every other text of that day.
    """
    last = schedule.ladder.steps[-1]
    asked: list[Step] = []
    if status.later_on is not None:
        later = {"code": ON_REQUEST, "day": (status.later_on - visit.due_on).days, "channel": SMS}
        asked += _if_it_fits(last.model_copy(update=later), visit, schedule, zone)
    for n, at in enumerate((one.at for one in status.again if one.visit == visit.code), start=1):
        local = at.astimezone(ZoneInfo(zone))
        on_day = {"day": (local.date() - visit.due_on).days, "time": local.time(), "channel": SMS}
        asked += _if_it_fits(last.model_copy(update={"code": f"{AGAIN}-{n}", **on_day}), visit, schedule, zone)
    if not asked:
        return schedule.ladder.steps
    steps = [*schedule.ladder.steps, *asked]
    return sorted(steps, key=lambda step: (step.day, step.code.startswith(AGAIN), step.time))


def _if_it_fits(step: Step, visit: Visit, schedule: Schedule, zone: str) -> list[Step]:
    return [] if _planned("", 0, visit, step, schedule, zone).send_at is None else [step]


def _waited(
    planned: Message,
    on_day: Callable[[date], Message],
    silent_days: int | None,
    *,
    now: datetime | None,
    status: Status,
) -> Message:
    """What pauses and silences make of a text that has not left. on_day: the same text, wanted on another day.

    A silence is judged when the text is due, and not before: until then anybody may still say that she is alive.
    """
    while (day := day_to_leave(planned.send_on, status.pauses)) not in (None, planned.send_on):
        planned = on_day(day)
    if silent_days is None or now is None or planned.send_at is None or planned.send_at > now:
        return _over_at_a_pause(planned, status)
    while (day := day_to_leave(planned.send_on, status.pauses, status.signs, silent_days=silent_days)) is not None:
        if day == planned.send_on:
            return _over_at_a_pause(planned, status)
        planned = on_day(day)
    return replace(planned, action="not_sendable", acts_at=None)


def _over_at_a_pause(planned: Message, status: Status) -> Message:
    """What is late when a pause begins does not go in it."""
    begins = [instant_of(one.from_on, MIDNIGHT, planned.zone) for one in status.pauses if one.from_on > planned.send_on]
    return replace(planned, expires_at=min([planned.expires_at, *begins])) if begins else planned


def _planned(
    base: str, position: int, visit: Visit, step: Step, schedule: Schedule, zone: str, on: date | None = None
) -> Message:
    """Rules 4 to 7: the moment the rules want, or none where quiet hours and window leave none.

    on: the day it is wanted on, where that is not the ladder's.
    """
    ladder = schedule.ladder
    quiet = (schedule.quiet.start, schedule.quiet.end) if schedule.quiet else None
    on = on or visit.due_on + timedelta(days=step.day)
    at = after_quiet(instant_of(on, step.time, zone), zone, quiet)
    if ladder.holiday_policy == "next_workday":
        moved = after_quiet(on_workday(at, zone), zone, quiet)
        at = moved if moved < visit.closes_at else at
    sendable = visit.opens_at <= at < visit.closes_at
    too_late = at + timedelta(hours=ladder.max_lateness_hours) + INSTANT
    local = at.astimezone(ZoneInfo(zone))
    return Message(
        key=f"{base}/1",
        action="send" if sendable else "not_sendable",
        send_at=at if sendable else None,
        send_on=local.date(),
        send_time=local.time(),
        zone=zone,
        expires_at=min(visit.closes_at, too_late) if sendable else visit.closes_at,
        acts_at=at if sendable else None,
        visit=visit.code,
        version=visit.version,
        step=step.code,
        position=position,
        channel=step.channel,
        closes_at=visit.closes_at,
        quiet=quiet,
    )


def _judged(
    planned: Message,
    base: str,
    schedule: Schedule,
    *,
    now: datetime | None,
    later_is_due: bool,
    past: _Past,
    status: Status,
) -> Message | None:
    """Rules 8 to 10. A step that left before, by either channel, is sent, unless it moved far enough to go again."""
    sent = past.sent.get(_without_channel(base))
    completed = planned.visit in status.completed
    if sent is not None and _has_left(planned, sent, schedule, status):
        return _after_event(replace(planned, key=sent.key, action="already_sent", acts_at=None), sent.at, status)
    if completed or planned.channel not in status.channels:
        return None
    message = replace(planned, key=f"{base}/{past.copies[base] + 1}") if sent is not None else planned
    message = _in_time(message, now, later_is_due)
    return _ended(message, status) if message.action in TO_SEND else message


def _has_left(planned: Message, sent: Sent | None, schedule: Schedule, status: Status) -> bool:
    """Whether a step that left before stays so: its visit is completed, or its date has not moved far since."""
    if sent is None:
        return False
    moved_by = (planned.send_on - local_date(sent.at, planned.zone)).days
    return planned.visit in status.completed or moved_by < schedule.ladder.resend_after_days


def _in_time(message: Message, now: datetime | None, later_is_due: bool) -> Message:
    """Rule 8: what is late goes at the first hour that is not quiet, unless it is too late or a later step is due."""
    if message.action == "not_sendable" or now is None or message.send_at is None or now <= message.send_at:
        return message
    if later_is_due:
        return replace(message, action="superseded", acts_at=None)
    late = after_quiet(now, message.zone, message.quiet)
    if late < message.expires_at:
        return replace(message, action="send_late", acts_at=late)
    return replace(message, action="expired", acts_at=None)


def _ended(message: Message, status: Status) -> Message:
    """Rule 10 for what has not left: nothing goes from the report of a death or withdrawal on."""
    reported_at = status.ended_reported_at
    if reported_at is None or message.acts_at is None:
        return message
    if message.acts_at >= reported_at:
        return replace(message, action="cancelled", acts_at=reported_at)
    return _after_event(message, message.acts_at, status)


def _after_event(message: Message, left_at: datetime, status: Status) -> Message:
    """Rule 10 for what has left: a text on a later local day than the event is an incident."""
    if status.ended_on is not None and local_date(left_at, message.zone) > status.ended_on:
        return replace(message, action="sent_after_event", acts_at=left_at)
    return message


def _one_a_day(messages: Sequence[Message], past: _Past) -> Iterator[Message]:
    """At most one text on one local day of one patient, counting what left before.

    A late text for whose day another has left does not follow on the next: they shared one.
    """
    days: dict[date, list[Message]] = defaultdict(list)
    for message in messages:
        if message.action in TO_SEND and message.acts_at is not None:
            days[local_date(message.acts_at, message.zone)].append(message)
    goes: set[str] = set()
    for day, rivals in days.items():
        free = [m for m in rivals if not past.another_left(min(m.send_on, day), day, m.key)]
        if free:
            goes.add(one_text_a_day(free).key)
    for message in messages:
        if message.action in TO_SEND and message.key not in goes:
            yield replace(message, action="superseded", acts_at=None)
        else:
            yield message
