"""What staff do for a patient: enrol, randomise, correct, record what happened, stop.

Each act is one transaction of the caller with one audit entry; the plan is made anew inside it, so that what is planned
always follows from what is known.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Connection

import scheduler
from epro.acts import identity_step, links
from epro.acts.enrolment import Enrolment, wrong_allocation, wrong_date, wrongs_of
from epro.acts.replanning import plan_of, replan
from epro.protocol import CONSENT, RANDOMISATION, Protocol
from epro.refusals import N_, NoSuchPatient, Refusal, Wrong
from epro.store import facts
from epro.store.audit import Actor, Entry, entry
from epro.store.codewords import new_word
from epro.store.contacts import Cipher, parse_email, parse_mobile
from epro.store.facts import Facts
from epro.store.models import Allocation, CodeWord, Contact, Patient, PatientEvent
from epro.versions import versions_of
from scheduler import ledger
from scheduler.changes import Changes
from scheduler.ports import EMAIL, SMS

FROM_QUESTIONNAIRES, FROM_EVERYTHING = "questionnaires", "everything"
SCOPES = {  # of a withdrawal; what came in before is kept either way
    FROM_QUESTIONNAIRES: N_("From the questionnaires: her illness may still be followed in the records"),
    FROM_EVERYTHING: N_("From the whole trial: nothing more is collected"),
}
HAPPENINGS = (facts.SURGERY, facts.DISCHARGE, facts.PROGRESSION, facts.SEEN_ALIVE)


def enrol(
    connection: Connection, protocol: Protocol, cipher: Cipher, asked: Enrolment, *, by: Actor, now: datetime
) -> Changes:
    """Enter a patient and plan everything that follows. Raises Refusal with every fault; then nothing is kept."""
    wrongs = list(wrongs_of(connection, protocol, asked, now))
    if wrongs:
        raise Refusal(wrongs)
    with entry(connection, chain=asked.site, action="patient enrolled", by=by, at=now) as opened:
        opened.insert(
            Patient,
            subject=asked.subject,
            site=asked.site,
            strata=dict(asked.strata),
            language=asked.language,
            zone=asked.zone or protocol.trial.zone,
            enrolled_at=now,
        )
        happened(opened, asked.subject, CONSENT, asked.consented_on)
        permission = facts.TEXTS_ALLOWED if asked.texts_allowed else facts.TEXTS_REFUSED
        happened(opened, asked.subject, permission, asked.consented_on)
        opened.insert(CodeWord, subject=asked.subject, word=cipher.encrypt(new_word(asked.language)))
        if asked.phone:
            keep_address(opened, cipher, asked.subject, SMS, parse_mobile(asked.phone, protocol.trial.country))
        if asked.email:
            keep_address(opened, cipher, asked.subject, EMAIL, parse_email(asked.email))
        if asked.second_step:
            identity_step.keep(opened, cipher, asked.subject, protocol.trial.identity_step, asked.second_step)
        if asked.randomised_on:
            happened(opened, asked.subject, RANDOMISATION, asked.randomised_on)
        if asked.arm:
            opened.insert(Allocation, subject=asked.subject, arm=asked.arm)
        return replan(connection, protocol, asked.subject, entry=opened, now=now)


def randomise(
    connection: Connection, protocol: Protocol, subject: str, *, on: date, arm: str | None, by: Actor, now: datetime
) -> Changes:
    """Give a registered patient her date, and her arm where it is known. Raises Refusal when she has them already or
    they make no sense."""
    known = known_patient(connection, subject)
    wrongs = list(wrong_allocation(protocol, known.events[CONSENT].on, on, arm, now))
    if RANDOMISATION in known.events:
        wrongs.append(Wrong("randomised_on", N_("This patient is randomised already; correct the date instead.")))
    if wrongs:
        raise Refusal(wrongs)
    with entry(connection, chain=known.site, action="patient randomised", by=by, at=now) as opened:
        happened(opened, subject, RANDOMISATION, on)
        if arm is not None:
            opened.insert(Allocation, subject=subject, arm=arm)
        return replan(connection, protocol, subject, entry=opened, now=now)


def correct_randomisation(
    connection: Connection, protocol: Protocol, subject: str, *, on: date, reason: str, by: Actor, now: datetime
) -> Changes:
    """Replace a wrong randomisation date; the first word on it stays in the record."""
    known = _correctable(connection, protocol, subject, on, reason, now)
    with entry(
        connection, chain=known.site, action="randomisation date corrected", by=by, at=now, reason=reason
    ) as opened:
        happened(opened, subject, RANDOMISATION, on, reason=reason, corrects=known.events[RANDOMISATION].id)
        return replan(connection, protocol, subject, entry=opened, now=now)


def preview_correction(
    connection: Connection, protocol: Protocol, subject: str, *, on: date, reason: str, now: datetime
) -> Changes:
    """What the correction would move, add and take away; nothing is written. Raises Refusal as the act itself."""
    known = _correctable(connection, protocol, subject, on, reason, now)
    history = ledger.history(connection, subject)
    as_is, as_corrected = known, known.with_day(RANDOMISATION, on)
    versions = versions_of(connection)
    return scheduler.preview(*(plan_of(versions, facts, history, now) for facts in (as_is, as_corrected)))


def _correctable(
    connection: Connection, protocol: Protocol, subject: str, on: date, reason: str, now: datetime
) -> Facts:
    known = known_patient(connection, subject)
    wrongs = list(wrong_date(protocol, "randomised_on", on, now, known.events[CONSENT].on))
    if RANDOMISATION not in known.events:
        wrongs.append(Wrong("randomised_on", N_("This patient is not randomised yet; there is no date to correct.")))
    if not reason.strip():
        wrongs.append(Wrong("reason", N_("Say why the date is corrected.")))
    if wrongs:
        raise Refusal(wrongs)
    return known


def record_death(
    connection: Connection,
    protocol: Protocol,
    subject: str,
    *,
    on: date,
    by: Actor,
    now: datetime,
    reason: str | None = None,
) -> Changes:
    """Record a death: every text that waits is cancelled, every link is closed. reason: how it is known."""
    return _end(connection, protocol, subject, facts.DEATH, on, reason, by, now)


def withdraw(
    connection: Connection,
    protocol: Protocol,
    subject: str,
    *,
    on: date,
    reason: str,
    by: Actor,
    now: datetime,
    scope: str = FROM_QUESTIONNAIRES,
) -> Changes:
    """Record that a patient withdraws: every text that waits is cancelled, every link is closed. Answers are kept.

    scope: one of SCOPES.
    """
    if scope not in SCOPES:
        raise Refusal([Wrong("scope", N_("Choose what the patient withdraws from."))])
    return _end(connection, protocol, subject, facts.WITHDRAWAL, on, reason, by, now, scope)


def _end(
    connection: Connection,
    protocol: Protocol,
    subject: str,
    kind: str,
    on: date,
    reason: str | None,
    by: Actor,
    now: datetime,
    value: str | None = None,
) -> Changes:
    known = known_patient(connection, subject)
    wrongs = list(wrong_date(protocol, "happened_on", on, now, known.events[CONSENT].on))
    if kind in known.events:
        wrongs.append(Wrong("happened_on", N_("This is recorded already, on %(day)s."), {"day": known.events[kind].on}))
    if wrongs:
        raise Refusal(wrongs)
    with entry(connection, chain=known.site, action=f"{kind} recorded", by=by, at=now, reason=reason) as opened:
        happened(opened, subject, kind, on, value=value, reason=reason)
        links.revoke_all(connection, subject, entry=opened, now=now)
        return replan(connection, protocol, subject, entry=opened, now=now)


def record(
    connection: Connection,
    protocol: Protocol,
    subject: str,
    kind: str,
    *,
    on: date,
    by: Actor,
    now: datetime,
    reason: str | None = None,
) -> None:
    """Record surgery, discharge, progression, or a day the patient was known to be alive (a call, a visit, an import).

    The plan is made anew only when visits of this trial hang on the event, or a text waits for a sign of life.
    """
    if kind not in HAPPENINGS:
        raise ValueError(f"{kind} is not recorded by itself; one of {', '.join(HAPPENINGS)}")
    known = known_patient(connection, subject)
    wrongs = list(wrong_date(protocol, "happened_on", on, now, known.events[CONSENT].on))
    if wrongs:
        raise Refusal(wrongs)
    with entry(connection, chain=known.site, action=f"{kind} recorded", by=by, at=now, reason=reason) as opened:
        happened(opened, subject, kind, on, reason=reason)
        if any(kind in version.schedule.anchors or version.schedule.silent_days for version in versions_of(connection)):
            replan(connection, protocol, subject, entry=opened, now=now)


def known_patient(connection: Connection, subject: str) -> Facts:
    """The facts of one patient. Raises NoSuchPatient."""
    found = facts.facts_of(connection, [subject])
    if subject not in found:
        raise NoSuchPatient(subject)
    return found[subject]


def happened(
    opened: Entry,
    subject: str,
    kind: str,
    on: date,
    *,
    value: str | None = None,
    reason: str | None = None,
    corrects: int | None = None,
) -> None:
    """One event, within the entry of the act that makes it known."""
    opened.insert(
        PatientEvent,
        subject=subject,
        kind=kind,
        happened_on=on,
        value=value,
        reported_at=opened.at,
        by=opened.by.name,
        reason=reason,
        corrects=corrects,
    )


def keep_address(opened: Entry, cipher: Cipher, subject: str, channel: str, address: str) -> None:
    """One address from now on, within the entry of the act that makes it known."""
    opened.insert(
        Contact,
        subject=subject,
        kind=channel,
        address=cipher.encrypt(address),
        address_hash=cipher.digest(address),
        from_at=opened.at,
        until_at=None,
    )
