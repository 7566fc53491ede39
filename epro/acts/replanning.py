"""What should happen to this patient, now that something has changed?

The plan is made anew from the facts; the difference is written to the assessments (here alone) and to the scheduler's
ledger. Rows already sent are never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

import scheduler
from epro.protocol import Protocol
from epro.store import people
from epro.store.audit import Entry
from epro.store.facts import Facts
from epro.store.models import Assessment, Patient
from epro.versions import Version, followed_by, versions_of
from scheduler import ledger
from scheduler.applying import apply_all, compare
from scheduler.changes import Changes
from scheduler.messages import Plan, Sent, Status

WINDOW = {  # column of the assessment: what the plan calls it
    "schedule_version": "version",
    "due_on": "due_on",
    "opens_at": "opens_at",
    "closes_at": "closes_at",
    "expected": "expected",
}
AT_ONCE = 200  # patients
Progress = Callable[[int, int], None]  # done, of so many


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
    return _replan(connection, [subject], versions_of(connection), entry=entry, now=now, never_left=never_left)[subject]


def replan_all(
    connection: Connection, *, entry: Entry, now: datetime, progress: Progress = lambda done, total: None
) -> None:
    """The same for every patient, many at once."""
    subjects, versions, done = every_subject(connection), versions_of(connection), 0
    for some in in_turn(subjects):
        _replan(connection, some, versions, entry=entry, now=now)
        done += len(some)
        progress(done, len(subjects))


def differing(
    connection: Connection, protocol: Protocol, now: datetime, subjects: Sequence[str] | None = None
) -> list[str]:
    """Which of these patients (None = all) have texts or windows that do not follow from the facts; none should."""
    subjects = every_subject(connection) if subjects is None else subjects
    versions = versions_of(connection) if subjects else ()
    found: list[str] = []
    for some in in_turn(subjects):
        plans = _plans(connection, some, versions, now)
        windows = _windows(connection, some)
        texts = compare(connection, plans, now)
        found += [
            plan.subject
            for plan in plans
            if plan.subject in texts or any(_windows_to_write(plan, windows[plan.subject]))
        ]
    return found


def every_subject(connection: Connection) -> list[str]:
    return list(connection.execute(select(Patient.subject).order_by(Patient.subject)).scalars())


def in_turn(subjects: Sequence[str]) -> Iterator[Sequence[str]]:
    """Some at a time: as many as are worth a statement, and as fit into memory."""
    for first in range(0, len(subjects), AT_ONCE):
        yield subjects[first : first + AT_ONCE]


def _plans(
    connection: Connection,
    subjects: Sequence[str],
    versions: Sequence[Version],
    now: datetime,
    never_left: str | None = None,
) -> list[Plan]:
    """The plans of these patients, in a constant number of statements."""
    known, histories = people.facts_of(connection, subjects), ledger.histories(connection, subjects)
    left = {subject: [sent for sent in texts if sent.key != never_left] for subject, texts in histories.items()}
    return [plan_of(versions, known[subject], left[subject], now) for subject in subjects]


def _replan(
    connection: Connection,
    subjects: Sequence[str],
    versions: Sequence[Version],
    *,
    entry: Entry,
    now: datetime,
    never_left: str | None = None,
) -> dict[str, Changes]:
    people.lock(connection, *subjects)
    plans = _plans(connection, subjects, versions, now, never_left)
    _write_windows(connection, plans, entry)
    return apply_all(connection, plans, now)


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


def _write_windows(connection: Connection, plans: Sequence[Plan], entry: Entry) -> None:
    there = _windows(connection, [plan.subject for plan in plans])
    to_write = [_windows_to_write(plan, there[plan.subject]) for plan in plans]
    new = [window for some, _ in to_write for window in some]
    changed = {id: window for _, some in to_write for id, window in some.items()}
    if changed:
        entry.update_all(Assessment, changed)
    if new:
        entry.insert_all(Assessment, new)
