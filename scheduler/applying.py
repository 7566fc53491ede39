"""What must be written so that the ledger is the shadow of a plan?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select
from sqlalchemy import Row as DatabaseRow

from scheduler import arrows
from scheduler.changes import Changes, Move
from scheduler.instants import utc
from scheduler.messages import TO_SEND, Message, Plan
from scheduler.tables import message

SET_ASIDE: Mapping[str, Callable[..., list[int]]] = {  # what becomes of a planned text when the plan's word is this
    "not_sendable": arrows.rule_out,
    "expired": arrows.expire,
    "superseded": arrows.supersede,
    "cancelled": arrows.cancel,
}

SAID = (  # by the plan of a row; all of it may change with the plan
    "position",
    "schedule_version",
    "send_at",
    "send_on",
    "send_time",
    "zone",
    "closes_at",
    "expires_at",
    "quiet_from",
    "quiet_until",
)
READ = ("id", "subject", "key", "state", "next_try_at", "lease_until", *SAID)
THERE = (
    select(*(message.c[name] for name in READ))
    .where(message.c.subject.in_(bindparam("subjects", expanding=True)))
    .order_by(message.c.id)
)
TO_CHANGE = THERE.with_for_update()


def apply(connection: Connection, plan: Plan, now: datetime) -> Changes:
    """Write the difference between a patient's plan and her rows, inside the caller's transaction.

    New texts are added, texts that moved are moved, those that fell away are set aside; a claimed one is withheld.
    What was sent, or may have been, is never touched. A second call finds nothing to do. Raises NaiveInstant.
    """
    return apply_all(connection, [plan], now)[plan.subject]


def apply_all(connection: Connection, plans: Sequence[Plan], now: datetime) -> dict[str, Changes]:
    """The same for many patients, in as many statements as for one; subject → what changed. Raises NaiveInstant."""
    now = utc(now)
    there = _rows(connection, plans, lock=True)
    differences = {plan.subject: _difference(plan, there[plan.subject], now) for plan in plans}
    _write(connection, list(differences.values()), now)
    return {
        subject: Changes(tuple(one.added), tuple(one.moved), tuple(one.dropped)) for subject, one in differences.items()
    }


def compare(connection: Connection, plans: Sequence[Plan], now: datetime) -> dict[str, list[str]]:
    """subject → the keys of the rows that are not the shadow of the plan; without those who have none.

    Nothing is written. Raises NaiveInstant.
    """
    now = utc(now)
    there = _rows(connection, plans, lock=False)
    found = {plan.subject: _differing(plan, there[plan.subject], now) for plan in plans}
    return {subject: keys for subject, keys in found.items() if keys}


Rows = Mapping[str, DatabaseRow[Any]]  # of one patient, by key


def _rows(connection: Connection, plans: Sequence[Plan], *, lock: bool) -> dict[str, Rows]:
    found: dict[str, dict[str, DatabaseRow[Any]]] = {plan.subject: {} for plan in plans}
    for row in connection.execute(TO_CHANGE if lock else THERE, {"subjects": list(found)}):
        found[row.subject][row.key] = row
    return dict(found)


def _differing(plan: Plan, rows: Rows, now: datetime) -> list[str]:
    difference = _difference(plan, rows, now)
    key_of = {row.id: row.key for row in rows.values()}
    changed = [key_of[row["id"]] for row in (*difference.changed, *difference.revived)]
    return sorted({*changed, *(row["key"] for row in difference.new), *difference.dropped})


@dataclass
class _Difference:
    new: list[dict[str, Any]] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)
    revived: list[dict[str, Any]] = field(default_factory=list)
    aside: dict[str, list[int]] = field(default_factory=dict)  # the plan's word → planned rows
    withheld: list[int] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    moved: list[Move] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def set_aside(self, row: DatabaseRow[Any], action: str) -> None:
        if row.state == arrows.PLANNED:
            self.aside.setdefault(action, []).append(row.id)
        elif row.state == arrows.CLAIMED:
            self.withheld.append(row.id)
        else:
            return
        self.dropped.append(row.key)


def _difference(plan: Plan, rows: Rows, now: datetime) -> _Difference:
    difference = _Difference()
    wanted = {planned.key: planned for planned in plan.messages}
    for key, planned in wanted.items():
        row = rows.get(key)
        if row is None:
            _add(difference, plan.subject, planned, now)
        elif planned.action in TO_SEND:
            _keep(difference, row, planned)
        elif planned.action in SET_ASIDE:
            difference.set_aside(row, planned.action)
    for key, row in rows.items():
        if key not in wanted:
            difference.set_aside(row, "cancelled")
    return difference


def _add(difference: _Difference, subject: str, planned: Message, now: datetime) -> None:
    """A new row for what is to be sent, or what a nurse must know cannot be; the past gets none."""
    to_send = planned.action in TO_SEND
    if not to_send and (planned.action != "not_sendable" or planned.closes_at <= now):
        return
    state = arrows.PLANNED if to_send else arrows.NOT_SENDABLE
    difference.new.append(
        {
            "key": planned.key,
            "subject": subject,
            "visit": planned.visit,
            "step": planned.step,
            "channel": planned.channel,
            "state": state,
            "next_try_at": planned.acts_at,
            "attempts": 0,
            **dict(zip(SAID, _said(planned), strict=True)),
        }
    )
    if to_send:
        difference.added.append(planned.key)


def _keep(difference: _Difference, row: DatabaseRow[Any], planned: Message) -> None:
    said = _said(planned)
    if row.state == arrows.PLANNED and row[-len(SAID) :] != said:
        moves = row.send_at != planned.send_at
        next_try_at = planned.acts_at if moves else row.next_try_at
        difference.changed.append(_changed(row, next_try_at, said))
        if moves and planned.send_at is not None:
            difference.moved.append(Move(row.key, row.send_at, planned.send_at))
    elif row.state in arrows.PUT_ASIDE and row.lease_until is None:
        difference.revived.append(_changed(row, planned.acts_at, said))
        difference.added.append(row.key)


def _changed(row: DatabaseRow[Any], next_try_at: datetime | None, said: tuple[Any, ...]) -> dict[str, Any]:
    return {"id": row.id, "next_try_at": next_try_at, **dict(zip(SAID, said, strict=True))}


def _said(planned: Message) -> tuple[Any, ...]:
    """The values of `SAID`."""
    return (
        planned.position,
        planned.version,
        planned.send_at,
        planned.send_on,
        planned.send_time,
        planned.zone,
        planned.closes_at,
        planned.expires_at,
        *(planned.quiet or (None, None)),
    )


def _write(connection: Connection, differences: Sequence[_Difference], now: datetime) -> None:
    for action, set_aside in SET_ASIDE.items():
        set_aside(connection, [id for one in differences for id in one.aside.get(action, ())], now)
    withheld = [id for one in differences for id in one.withheld]
    arrows.withhold(connection, withheld, now, detail="the plan changed")
    arrows.move(connection, [row for one in differences for row in one.changed], now)
    arrows.revive(connection, [row for one in differences for row in one.revived], now)
    arrows.plan_new(connection, [row for one in differences for row in one.new], now)
