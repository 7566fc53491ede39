"""What moves, what is added and what falls away between two plans?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from scheduler.messages import TO_SEND, Plan


@dataclass(frozen=True, slots=True)
class Move:
    """A text that keeps its key and goes at another time."""

    key: str
    was: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class VisitMove:
    """A visit that is due on another day; None where it was not, or no longer is, in the plan."""

    code: str
    was: date | None
    now: date | None


@dataclass(frozen=True, slots=True)
class Changes:
    """The difference, by message key; `visits` and `reshaped` are told by a preview alone.

    reshaped: visits that keep their due day, with another window or other questionnaires.
    """

    added: tuple[str, ...] = ()
    moved: tuple[Move, ...] = ()
    dropped: tuple[str, ...] = ()
    visits: tuple[VisitMove, ...] = ()
    reshaped: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.moved or self.dropped or self.visits or self.reshaped)


def preview(before: Plan, after: Plan) -> Changes:
    """What would change for the texts still to be sent, and for the visits' due days."""
    was, becomes = _to_send(before), _to_send(after)
    return Changes(
        added=tuple(key for key in becomes if key not in was),
        moved=tuple(Move(key, was[key], at) for key, at in becomes.items() if key in was and was[key] != at),
        dropped=tuple(key for key in was if key not in becomes),
        visits=_visits_moved(before, after),
        reshaped=_reshaped(before, after),
    )


def _to_send(plan: Plan) -> dict[str, datetime]:
    return {m.key: m.send_at for m in plan.messages if m.action in TO_SEND and m.send_at is not None}


def _visits_moved(before: Plan, after: Plan) -> tuple[VisitMove, ...]:
    was = {visit.code: visit.due_on for visit in before.visits}
    becomes = {visit.code: visit.due_on for visit in after.visits}
    codes = dict.fromkeys([*becomes, *was])
    moves = (VisitMove(code, was.get(code), becomes.get(code)) for code in codes)
    return tuple(move for move in moves if move.was != move.now)


def _reshaped(before: Plan, after: Plan) -> tuple[str, ...]:
    was = {visit.code: visit for visit in before.visits}
    return tuple(
        visit.code
        for visit in after.visits
        if (old := was.get(visit.code)) is not None
        and old.due_on == visit.due_on
        and (old.opens_at, old.closes_at, old.instruments) != (visit.opens_at, visit.closes_at, visit.instruments)
    )
