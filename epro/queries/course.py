"""Everything that happened around one patient, in order of time, counted in days from randomisation.

Windows, texts with their receipts, forms opened and completed, calls, reasons, what was recorded, and by whom.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, select

from epro.protocol import RANDOMISATION, Protocol
from epro.queries.timeline import Timeline
from epro.store.models import Audit
from epro.store.planned import INSTANT
from scheduler import arrows, ledger

OPENS, CLOSES, STARTED, COMPLETED, TEXT, RECEIPT, RECORDED, ACT = (
    "opens",
    "closes",
    "started",
    "completed",
    "text",
    "receipt",
    "recorded",
    "act",
)
RECEIPTS = (arrows.DELIVERED, arrows.UNDELIVERED, arrows.REFUSED, arrows.UNKNOWN, arrows.GIVEN_UP)
ACTS = (  # of staff, that leave no event of their own
    "missing reason recorded",
    "missing reason taken back",
    "answers entered by phone",
    "answers entered from paper",
    "answer corrected",
    "number changed",
    "e-mail address changed",
    "tablet handed over",
    "zone changed",
)


@dataclass(frozen=True)
class Moment:
    """One line. day: 0 = randomisation, None before she is randomised. at: None for what has a day alone.

    kind: one of the above. what: a state, a step, a kind of event or an act, by kind. detail: a code or a remark.
    """

    on: date
    day: int | None
    at: datetime | None
    kind: str
    what: str
    visit: str | None = None
    detail: str | None = None
    code: int | None = None
    by: str | None = None
    value: str | None = None  # of what was recorded


def course(connection: Connection, protocol: Protocol, shown: Timeline, now: datetime) -> list[Moment]:
    """The lines up to now, the latest first; two statements beside those of the timeline."""
    randomised = shown.patient.events.get(RANDOMISATION)
    lines = [*_of_visits(shown, protocol), *_of_texts(connection, shown, protocol), *_recorded(shown)]
    lines += _acts(connection, shown, protocol)
    past = [one for one in lines if (one.at or now) <= now]
    in_order = sorted(past, key=lambda one: (one.on, one.at.timestamp() if one.at else 0.0), reverse=True)
    if randomised is None:
        return in_order
    return [Moment(**{**vars(one), "day": (one.on - randomised.on).days}) for one in in_order]


def _of_visits(shown: Timeline, protocol: Protocol) -> Iterator[Moment]:
    for visit in shown.visits:
        yield _moment(visit.opens_at, protocol, OPENS, visit.code, visit=visit.code)
        closes = visit.closes_at - INSTANT  # on its last day
        yield _moment(closes, protocol, CLOSES, visit.state, visit=visit.code)
        if visit.started_at:
            yield _moment(visit.started_at, protocol, STARTED, visit.code, visit=visit.code)
        if visit.completed_at:
            yield _moment(visit.completed_at, protocol, COMPLETED, visit.mode or "", visit=visit.code)


def _of_texts(connection: Connection, shown: Timeline, protocol: Protocol) -> Iterator[Moment]:
    texts = {text.key: text for visit in shown.visits for text in visit.texts}
    for text in texts.values():
        if text.left_at:
            yield _moment(text.left_at, protocol, TEXT, text.step, visit=text.visit, detail=text.channel)
    for event in ledger.events(connection, shown.patient.subject):
        if event.kind in RECEIPTS and event.key in texts:
            visit = texts[event.key].visit
            yield _moment(event.at, protocol, RECEIPT, event.kind, visit=visit, code=event.code)


def _recorded(shown: Timeline) -> Iterator[Moment]:
    for one in shown.recorded:
        at, kind = one.reported_at, one.kind
        yield Moment(one.happened_on, None, at, RECORDED, kind, detail=one.reason, by=one.by, value=one.value)


def _acts(connection: Connection, shown: Timeline, protocol: Protocol) -> Iterator[Moment]:
    mine = (Audit.subject == shown.patient.subject, Audit.action.in_(ACTS))
    for row in connection.execute(select(Audit.at, Audit.actor, Audit.action, Audit.reason).where(*mine)):
        yield _moment(row.at, protocol, ACT, row.action, detail=row.reason, by=row.actor)


def _moment(
    at: datetime,
    protocol: Protocol,
    kind: str,
    what: str,
    *,
    visit: str | None = None,
    detail: str | None = None,
    code: int | None = None,
    by: str | None = None,
) -> Moment:
    return Moment(at.astimezone(protocol.zone).date(), None, at, kind, what, visit, detail, code, by)
