"""What must be written so that the ledger is the shadow of a plan?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy import Row as DatabaseRow

from scheduler import arrows
from scheduler.changes import Changes, Move
from scheduler.instants import utc
from scheduler.planning import TO_SEND, Message, Plan
from scheduler.tables import message

SET_ASIDE: Mapping[str, Callable[..., list[int]]] = {  # what becomes of a planned text when the plan's word is this
    "not_sendable": arrows.rule_out,
    "expired": arrows.expire,
    "superseded": arrows.supersede,
    "cancelled": arrows.cancel,
}


def apply(connection: Connection, plan: Plan, now: datetime) -> Changes:
    """Write the difference between a patient's plan and her rows, inside the caller's transaction.

    New texts are added, texts that moved are moved, those that fell away are set aside; a claimed one is withheld.
    What was sent, or may have been, is never touched. A second call finds nothing to do. Raises NaiveInstant.
    """
    now = utc(now)
    rows = connection.execute(
        select(message).where(message.c.subject == plan.subject).order_by(message.c.id).with_for_update()
    )
    difference = _difference(plan, {row.key: row for row in rows}, now)
    _write(connection, difference, now)
    return Changes(tuple(difference.added), tuple(difference.moved), tuple(difference.dropped))


def compare(connection: Connection, plan: Plan, now: datetime) -> list[str]:
    """The keys of the rows that are not the shadow of this plan; nothing is written. Raises NaiveInstant."""
    rows = connection.execute(select(message).where(message.c.subject == plan.subject)).all()
    difference = _difference(plan, {row.key: row for row in rows}, utc(now))
    key_of = {row.id: row.key for row in rows}
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


def _difference(plan: Plan, rows: Mapping[str, DatabaseRow[Any]], now: datetime) -> _Difference:
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
            **_columns(planned),
        }
    )
    if to_send:
        difference.added.append(planned.key)


def _keep(difference: _Difference, row: DatabaseRow[Any], planned: Message) -> None:
    columns = _columns(planned)
    if row.state == arrows.PLANNED and any(getattr(row, name) != value for name, value in columns.items()):
        moves = row.send_at != planned.send_at
        next_try_at = planned.acts_at if moves else row.next_try_at
        difference.changed.append({"id": row.id, "next_try_at": next_try_at, **columns})
        if moves and planned.send_at is not None:
            difference.moved.append(Move(row.key, row.send_at, planned.send_at))
    elif row.state in arrows.PUT_ASIDE and row.lease_until is None:
        difference.revived.append({"id": row.id, "next_try_at": planned.acts_at, **columns})
        difference.added.append(row.key)


def _columns(planned: Message) -> dict[str, Any]:
    """What the plan says of a row; all of it may change with the plan."""
    quiet_from, quiet_until = planned.quiet or (None, None)
    return {
        "position": planned.position,
        "schedule_version": planned.version,
        "send_at": planned.send_at,
        "send_on": planned.send_on,
        "send_time": planned.send_time,
        "zone": planned.zone,
        "quiet_from": quiet_from,
        "quiet_until": quiet_until,
        "closes_at": planned.closes_at,
        "expires_at": planned.expires_at,
    }


def _write(connection: Connection, difference: _Difference, now: datetime) -> None:
    for action, ids in difference.aside.items():
        SET_ASIDE[action](connection, ids, now)
    arrows.withhold(connection, difference.withheld, now, detail="the plan changed")
    arrows.move(connection, difference.changed, now)
    arrows.revive(connection, difference.revived, now)
    arrows.plan_new(connection, difference.new, now)
