"""What should happen to this patient, now that something has changed?

The plan is made anew from the facts; the difference is written to the assessments (here alone) and to the scheduler's
ledger. Rows already sent are never touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select

import scheduler
from epro.protocol import Protocol
from epro.store import facts
from epro.store.audit import Entry
from epro.store.facts import Facts
from epro.store.models import Assessment, Patient
from scheduler import ledger
from scheduler.applying import compare
from scheduler.changes import Changes
from scheduler.planning import Plan, Sent, Status

WINDOW = {  # column of the assessment: what the plan calls it
    "schedule_version": "version",
    "due_on": "due_on",
    "opens_at": "opens_at",
    "closes_at": "closes_at",
    "expected": "expected",
}
AT_ONCE = 200  # patients


def plan_of(protocol: Protocol, known: Facts, history: Sequence[Sent], now: datetime | None) -> Plan:
    """The plan that follows from what is known and was sent; `now=None` judges no lateness."""
    return scheduler.plan(
        protocol.schedule,
        known.anchors,
        subject=known.subject,
        zone=known.zone,
        now=now,
        history=history,
        status=status_of(known),
    )


def status_of(known: Facts) -> Status:
    return Status(
        completed=known.completed,
        ended_on=known.ended.on if known.ended else None,
        ended_reported_at=known.first_told_of_end_at,
        channels=known.channels,
        later_on=known.later_on,
    )


def replan(
    connection: Connection,
    protocol: Protocol,
    subject: str,
    *,
    entry: Entry,
    now: datetime,
    never_left: str | None = None,
) -> Changes:
    """Plan a patient anew and write the difference, in the caller's transaction and audit entry.

    never_left: the key of a message that is about to be recorded as surely not sent.
    """
    facts.lock(connection, subject)
    known = facts.facts_of(connection, [subject])[subject]
    history = [sent for sent in ledger.history(connection, subject) if sent.key != never_left]
    plan = plan_of(protocol, known, history, now)
    _write_windows(connection, plan, entry)
    return scheduler.apply(connection, plan, now)


def differing(connection: Connection, protocol: Protocol, now: datetime) -> list[str]:
    """The patients whose texts or windows are not what follows from the facts; there should be none."""
    subjects = list(connection.execute(select(Patient.subject).order_by(Patient.subject)).scalars())
    found: list[str] = []
    for first in range(0, len(subjects), AT_ONCE):
        some = subjects[first : first + AT_ONCE]
        histories = ledger.histories(connection, some)
        windows = _windows(connection, some)
        for subject, known in facts.facts_of(connection, some).items():
            plan = plan_of(protocol, known, histories[subject], now)
            planned = {visit.code: tuple(getattr(visit, name) for name in WINDOW.values()) for visit in plan.visits}
            as_planned = planned.items() <= windows[subject].items()
            if not as_planned or compare(connection, plan, now):
                found.append(subject)
    return found


def _windows(connection: Connection, subjects: Sequence[str]) -> dict[str, dict[str, tuple[object, ...]]]:
    """subject → visit → the window that is written"""
    found: dict[str, dict[str, tuple[object, ...]]] = {subject: {} for subject in subjects}
    columns = [getattr(Assessment, name) for name in WINDOW]
    rows = select(Assessment.subject, Assessment.visit, *columns).where(Assessment.subject.in_(subjects))
    for subject, visit, *window in connection.execute(rows):
        found[subject][visit] = tuple(window)
    return found


def _write_windows(connection: Connection, plan: Plan, entry: Entry) -> None:
    known = select(Assessment.id, Assessment.visit, *(getattr(Assessment, name) for name in WINDOW))
    there = {row.visit: row for row in connection.execute(known.where(Assessment.subject == plan.subject))}
    new = []
    for visit in plan.visits:
        window = {column: getattr(visit, name) for column, name in WINDOW.items()}
        row = there.get(visit.code)
        if row is None:
            new.append({"subject": plan.subject, "visit": visit.code, **window})
        elif any(getattr(row, column) != value for column, value in window.items()):
            entry.update(Assessment, row.id, **window)
    if new:
        entry.insert_all(Assessment, new)
