"""What should be sent to one patient, when, and what has become of the rest?

A pure function of schedule, anchors, zone, history and status. The rules are those of the calendar oracle, in its
order: visits and windows (`scheduler.visits`), the moment each step wants (`scheduler.laying`), then whether it may
still go and what became of it (`scheduler.judging`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING

from scheduler.hours import local_date
from scheduler.instants import utc
from scheduler.judging import Past, failed_by_another, has_left, judged, one_a_day
from scheduler.laying import A_DAY, channel_of, laid, steps_of, waited
from scheduler.messages import Message, Plan, Sent, Status
from scheduler.visits import Versions, Visit, visits_of

if TYPE_CHECKING:
    from scheduler.schedule import Schedule

FIRST_VERSION = 1


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
    unless it was sent. At most one text leaves on one local day (see `one_a_day`). Raises NaiveInstant.
    """
    versions = schedule if isinstance(schedule, Sequence) else [(date.min, FIRST_VERSION, schedule)]
    schedules = {version: one for _, version, one in versions}
    status = status or Status()
    past = Past(history, zone)
    now = utc(now) if now is not None else None
    visits = visits_of(versions, anchors, zone=zone, ended_on=status.ended_on)
    messages = [
        message
        for visit in visits
        for message in _ladder(subject, visit, schedules[visit.version], zone=zone, now=now, past=past, status=status)
    ]
    return Plan(subject, tuple(visits), tuple(one_a_day(messages, past)))


def _ladder(
    subject: str, visit: Visit, schedule: Schedule, *, zone: str, now: datetime | None, past: Past, status: Status
) -> Iterator[Message]:
    """The texts of one visit, the last step first judged, so that each knows whether a later one is due."""
    later_is_due = False
    found: list[Message] = []
    for position, step in reversed(list(enumerate(steps_of(visit, schedule, zone, status)))):
        channel = channel_of(step, schedule, status.channels)
        of_step = f"{subject}/{visit.code}/{step.code}"
        base, sent = f"{of_step}/{channel}", past.sent.get(of_step)
        on_day = partial(laid, base, position, visit, step, channel, schedule, zone)
        planned = on_day()
        if sent is not None and failed_by_another(sent, channel):
            planned = on_day(max(planned.send_on, local_date(sent.at, zone) + A_DAY))
        stays_sent = has_left(planned, sent, schedule, status)
        if not stays_sent:
            planned = waited(planned, on_day, schedule.silent_days, now=now, status=status)
        message = judged(
            planned,
            base,
            sent,
            copies=past.copies.get(base, 0),
            stays_sent=stays_sent,
            now=now,
            later_is_due=later_is_due,
            status=status,
        )
        later_is_due = later_is_due or (now is not None and planned.send_at is not None and planned.send_at <= now)
        if message is not None:
            found.append(message)
    return reversed(found)
