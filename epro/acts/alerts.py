"""An answer asks for a person: the alert is raised once, acknowledged with a note, and passed on when it is not."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from epro.acts.enrolment import today
from epro.acts.patients import happened, known_patient
from epro.alerting import met
from epro.protocol import Protocol
from epro.refusals import N_, Refusal, Wrong
from epro.store import facts, people
from epro.store.audit import Actor, entry
from epro.store.models import Answer, Assessment, Form, Patient, PatientEvent

LOOKS_BACK = timedelta(days=7)  # at what was submitted: a clock that stood still catches up
CLOCK = Actor("clock", "system", "clock")


def raise_alerts(connection: Connection, protocol: Protocol, now: datetime) -> int:
    """Keep every alert that the forms submitted lately give reason for, once. Returns how many are new."""
    alerts = protocol.sections.alerts
    if alerts is None:
        return 0
    new = 0
    for (subject, site, visit), values in _submitted(connection, now - LOOKS_BACK).items():
        for rule in met(alerts.rule, protocol.instruments, values):
            value = f"{rule.code}:{visit}"
            if not _is_kept(connection, subject, facts.ALERT_RAISED, value):
                with entry(connection, chain=site, action="alert raised", by=CLOCK, at=now) as opened:
                    happened(opened, subject, facts.ALERT_RAISED, today(protocol, now), value=value)
                new += 1
    return new


def escalate(connection: Connection, protocol: Protocol, now: datetime) -> int:
    """Pass on, once, what nobody has acknowledged in time. Returns how many."""
    alerts = protocol.sections.alerts
    if alerts is None:
        return 0
    before = now - timedelta(hours=alerts.escalate_after_hours)
    raised = (PatientEvent.kind == facts.ALERT_RAISED, PatientEvent.reported_at <= before)
    lately = PatientEvent.reported_at > before - LOOKS_BACK
    columns = (PatientEvent.subject, PatientEvent.value, Patient.site)
    joined = select(*columns).join(Patient, Patient.subject == PatientEvent.subject)
    passed_on = 0
    for row in connection.execute(joined.where(*raised, lately)).all():
        followed = (facts.ALERT_ACKNOWLEDGED, facts.ALERT_ESCALATED)
        if not any(_is_kept(connection, row.subject, kind, row.value) for kind in followed):
            with entry(connection, chain=row.site, action="alert escalated", by=CLOCK, at=now) as opened:
                happened(opened, row.subject, facts.ALERT_ESCALATED, today(protocol, now), value=row.value)
            passed_on += 1
    return passed_on


def acknowledge(
    connection: Connection, protocol: Protocol, subject: str, alert: int, *, note: str, by: Actor, now: datetime
) -> None:
    """Keep that somebody has seen an alert, and what was done about it. Raises Refusal."""
    people.lock(connection, subject)
    known = known_patient(connection, subject)
    raised = next((one for one in known.standing if one.id == alert and one.kind == facts.ALERT_RAISED), None)
    wrongs = []
    if raised is None or _is_kept(connection, subject, facts.ALERT_ACKNOWLEDGED, str(raised.value)):
        wrongs.append(Wrong("note", N_("There is no such alert, or somebody has acknowledged it already.")))
    if not note.strip():
        wrongs.append(Wrong("note", N_("Say what was done, in a few words without names.")))
    if raised is None or wrongs:
        raise Refusal(wrongs)
    with entry(connection, chain=known.site, action="alert acknowledged", by=by, at=now, reason=note) as opened:
        on = today(protocol, now)
        happened(opened, subject, facts.ALERT_ACKNOWLEDGED, on, value=raised.value, reason=note)


def _submitted(connection: Connection, since: datetime) -> dict[tuple[str, str, str], dict[tuple[str, str], int]]:
    """(subject, site, visit) of each form submitted or entered since then → its current values."""
    latest = (
        select(func.max(Answer.id))
        .join(Form, Form.id == Answer.form)
        .join(Assessment, Assessment.id == Form.assessment)
        .where(Assessment.completed_at > since, Answer.received_at > since)
        .group_by(Answer.form, Answer.item)
    )
    rows = connection.execute(
        select(Patient.subject, Patient.site, Assessment.visit, Form.instrument, Answer.item, Answer.value)
        .join(Form, Form.id == Answer.form)
        .join(Assessment, Assessment.id == Form.assessment)
        .join(Patient, Patient.subject == Assessment.subject)
        .where(Answer.id.in_(latest), Answer.value.is_not(None))
    )
    found: dict[tuple[str, str, str], dict[tuple[str, str], int]] = defaultdict(dict)
    for row in rows:
        found[row.subject, row.site, row.visit][row.instrument, row.item] = row.value
    return found


def _is_kept(connection: Connection, subject: str, kind: str, value: str) -> bool:
    here = (PatientEvent.subject == subject, PatientEvent.kind == kind, PatientEvent.value == value)
    return connection.execute(select(PatientEvent.id).where(*here).limit(1)).first() is not None
