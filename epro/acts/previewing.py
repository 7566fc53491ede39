"""Which days and texts would follow, were this patient enrolled as the form stands now? Nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import Connection

from epro.acts.enrolment import Enrolment
from epro.acts.replanning import plan_of
from epro.assessments import state_of
from epro.protocol import CONSENT, RANDOMISATION, Protocol
from epro.store import facts
from epro.store.facts import Facts, Happened, InUse
from epro.versions import versions_of
from scheduler.laying import INSTANT
from scheduler.messages import TO_SEND, Message
from scheduler.ports import EMAIL, SMS
from scheduler.visits import Visit


class _Unbegun(NamedTuple):
    """The window of a form that nobody has begun."""

    opens_at: datetime
    closes_at: datetime
    expected: bool
    started_at: datetime | None = None
    completed_at: datetime | None = None


@dataclass(frozen=True)
class Foreseen:
    """A visit that would be planned, the last day of its window, and its texts.

    state: as the patient's page would show it at once.
    """

    visit: Visit
    last_on: date
    state: str
    texts: tuple[Message, ...]


def foresee(connection: Connection, protocol: Protocol, asked: Enrolment, *, now: datetime) -> list[Foreseen]:
    """Every visit of an enrolment, in the order of their days; what has no day yet is not among them."""
    plan = plan_of(versions_of(connection), _as_enrolled(protocol, asked, now), (), now)
    return [
        Foreseen(
            visit,
            (visit.closes_at - INSTANT).astimezone(protocol.zone).date(),
            state_of(_Unbegun(visit.opens_at, visit.closes_at, visit.expected), now, now),
            tuple(text for text in plan.messages if text.visit == visit.code and text.action in TO_SEND),
        )
        for visit in sorted(plan.visits, key=lambda visit: visit.due_on)
    ]


def _as_enrolled(protocol: Protocol, asked: Enrolment, now: datetime) -> Facts:
    """What would be known of her."""
    events = tuple(_events(asked, now))
    addresses = ((SMS, asked.phone), (EMAIL, asked.email))
    contacts = {channel: InUse(0, now) for channel, address in addresses if address}
    return Facts(
        subject=asked.subject,
        site=asked.site,
        language=asked.language,
        zone=asked.zone or protocol.trial.zone,
        enrolled_at=now,
        strata=asked.strata,
        events={event.kind: event for event in events},
        contacts=contacts,
        standing=events,
        reached_from=now if contacts else None,
    )


def _events(asked: Enrolment, now: datetime) -> Iterator[Happened]:
    permission = facts.TEXTS_ALLOWED if asked.texts_allowed else facts.TEXTS_REFUSED
    days: tuple[tuple[str, date | None], ...] = (
        (CONSENT, asked.consented_on),
        (permission, asked.consented_on),
        (RANDOMISATION, asked.randomised_on),
    )
    for id, (kind, on) in enumerate(days, start=1):
        if on is not None:
            yield Happened(id, kind, on, now, None, None)
