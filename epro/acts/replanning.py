"""What should happen to this patient, now that something has changed?

The plan is made anew from the facts; the difference is written to the assessments (here alone) and to the scheduler's
ledger. Rows already sent are never touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

import scheduler
from epro.protocol import Protocol
from epro.store import facts
from epro.store.audit import Entry
from epro.store.facts import Facts
from epro.store.models import Assessment, Patient
from epro.versions import Version, followed_by, versions_of
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


def plan_of(versions: Sequence[Version], known: Facts, history: Sequence[Sent], now: datetime | None) -> Plan:
    """The plan that follows from what is known and was sent; `now=None` judges no lateness."""
    return scheduler.plan(
        followed_by(versions, known),
        known.anchors,
        subject=known.subject,
        zone=known.zone,
        now=now,
        history=history,
        status=status_of(known),
    )


def status_of(known: Facts) -> Status:
    return Status(
        completed=known.settled,
        ended_on=known.ended.on if known.ended else None,
        ended_reported_at=known.first_told_of_end_at,
        channels=known.channels,
        later_on=known.later_on,
        pauses=known.pauses,
        signs=known.signs,
        again=known.again,
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
    plan = plan_of(versions_of(connection), known, history, now)
    _write_windows(connection, plan, entry)
    return scheduler.apply(connection, plan, now)


def differing(connection: Connection, protocol: Protocol, now: datetime) -> list[str]:
    """The patients whose texts or windows are not what follows from the facts; there should be none."""
    subjects = list(connection.execute(select(Patient.subject).order_by(Patient.subject)).scalars())
    versions = versions_of(connection) if subjects else ()
    found: list[str] = []
    for first in range(0, len(subjects), AT_ONCE):
        some = subjects[first : first + AT_ONCE]
        histories = ledger.histories(connection, some)
        windows = _windows(connection, some)
        for subject, known in facts.facts_of(connection, some).items():
            plan = plan_of(versions, known, histories[subject], now)
            if any(_windows_to_write(plan, windows[subject])) or compare(connection, plan, now):
                found.append(subject)
    return found


Window = dict[str, Any]


def _windows(connection: Connection, subjects: Sequence[str]) -> dict[str, dict[str, Row[Any]]]:
    """subject → visit → the window that is written, and whether it was begun"""
    found: dict[str, dict[str, Row[Any]]] = {subject: {} for subject in subjects}
    columns = [getattr(Assessment, name) for name in ("id", "subject", "visit", "started_at", *WINDOW)]
    for row in connection.execute(select(*columns).where(Assessment.subject.in_(subjects))):
        found[row.subject][row.visit] = row
    return found


def _windows_to_write(plan: Plan, there: Mapping[str, Row[Any]]) -> tuple[list[Window], dict[int, Window]]:
    """The new assessments, and what changes of those that are there, by id.

    One that the plan no longer holds, and that nobody has begun, keeps an empty window in which nothing is expected.
    """
    new: list[Window] = []
    changed: dict[int, Window] = {}
    for visit in plan.visits:
        window = {column: getattr(visit, name) for column, name in WINDOW.items()}
        row = there.get(visit.code)
        if row is None:
            new.append({"subject": plan.subject, "visit": visit.code, **window})
        elif any(getattr(row, column) != value for column, value in window.items()):
            changed[row.id] = window
    for code in there.keys() - {visit.code for visit in plan.visits}:
        row = there[code]
        if row.started_at is None and (row.closes_at > row.opens_at or row.expected):
            changed[row.id] = {"closes_at": row.opens_at, "expected": False}
    return new, changed


def _write_windows(connection: Connection, plan: Plan, entry: Entry) -> None:
    new, changed = _windows_to_write(plan, _windows(connection, [plan.subject])[plan.subject])
    for id, window in changed.items():
        entry.update(Assessment, id, **window)
    if new:
        entry.insert_all(Assessment, new)
