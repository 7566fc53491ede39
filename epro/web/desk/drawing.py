"""Where on a line of days do a patient's windows and texts lie? For the drawing above the table of her plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from epro.protocol import RANDOMISATION, Protocol
from epro.queries.timeline import Timeline

WIDTH = 1000.0
NARROWEST = 6.0  # a window that is still seen
CLOSEST = 34.0  # two codes that can still be read side by side


@dataclass(frozen=True)
class Bar:
    """A window. x, width: of WIDTH. low: its code stands a line lower, for the one before is close."""

    code: str
    state: str
    x: float
    width: float
    low: bool


@dataclass(frozen=True)
class Line:
    """day_0: where randomisation lies, None before it. texts: where those that left lie."""

    bars: tuple[Bar, ...]
    texts: tuple[float, ...]
    day_0: float | None
    today: float


def line_of(shown: Timeline, protocol: Protocol, now: datetime) -> Line | None:
    """None where she has no plan yet."""
    if not shown.visits:
        return None
    today = _day(now, protocol)
    first = min(_day(visit.opens_at, protocol) for visit in shown.visits)
    last = max(*(visit.last_on for visit in shown.visits), today, first)
    scale = WIDTH / max((last - first).days + 1, 1)

    def at(on: date) -> float:
        return round((on - first).days * scale, 1)

    bars: list[Bar] = []
    for visit in shown.visits:
        x, end = at(_day(visit.opens_at, protocol)), at(visit.last_on) + scale
        close = bool(bars) and x - bars[-1].x < CLOSEST and not bars[-1].low
        bars.append(Bar(visit.code, visit.state, x, round(max(end - x, NARROWEST), 1), close))
    left = [text.left_at for visit in shown.visits for text in visit.texts if text.left_at]
    randomised = shown.patient.events.get(RANDOMISATION)
    return Line(
        bars=tuple(bars),
        texts=tuple(at(_day(moment, protocol)) for moment in left),
        day_0=at(randomised.on) if randomised else None,
        today=at(today),
    )


def _day(at: datetime, protocol: Protocol) -> date:
    return at.astimezone(protocol.zone).date()
