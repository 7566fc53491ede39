"""What should happen to this patient, now that something has changed?

The plan is made anew from the facts; the difference is written to the assessments (here alone) and to the scheduler's
ledger. Rows already sent are never touched.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

import scheduler
from epro.protocol import Protocol
from epro.store import facts
from epro.store.audit import Entry
from epro.store.facts import Facts
from epro.store.models import Assessment
from scheduler import ledger
from scheduler.changes import Changes
from scheduler.planning import Plan, Status

FIRST_VERSION = 1


def plan_of(connection: Connection, protocol: Protocol, known: Facts, now: datetime | None) -> Plan:
    """The plan that follows from what is known; `now=None` judges no lateness."""
    return scheduler.plan(
        protocol.schedule,
        known.anchors,
        subject=known.subject,
        zone=known.zone,
        now=now,
        history=ledger.history(connection, known.subject),
        status=status_of(known),
    )


def status_of(known: Facts) -> Status:
    return Status(
        completed=known.completed,
        ended_on=known.ended.on if known.ended else None,
        ended_reported_at=known.first_told_of_end_at,
        channels=frozenset({"sms"}) if known.may_be_texted else frozenset(),
    )


def replan(connection: Connection, protocol: Protocol, subject: str, *, entry: Entry, now: datetime) -> Changes:
    """Plan a patient anew and write the difference, in the caller's transaction and audit entry."""
    facts.lock(connection, subject)
    known = facts.facts_of(connection, [subject])[subject]
    plan = plan_of(connection, protocol, known, now)
    _write_windows(connection, plan, entry)
    return scheduler.apply(connection, plan, now)


def _write_windows(connection: Connection, plan: Plan, entry: Entry) -> None:
    there = {
        row.visit: row
        for row in connection.execute(select(Assessment.id, Assessment.visit).where(Assessment.subject == plan.subject))
    }
    new = []
    for visit in plan.visits:
        window = {
            "schedule_version": visit.version,
            "due_on": visit.due_on,
            "opens_at": visit.opens_at,
            "closes_at": visit.closes_at,
            "expected": visit.expected,
        }
        if visit.code in there:
            entry.update(Assessment, there[visit.code].id, **window)
        else:
            new.append({"subject": plan.subject, "visit": visit.code, **window})
    if new:
        entry.insert_all(Assessment, new)
