"""What staff do for a patient: enrol, randomise, correct, record what happened, stop.

Each act is one transaction of the caller with one audit entry; the plan is made anew inside it, so that what is planned
always follows from what is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import available_timezones

from sqlalchemy import Connection, select

from epro.acts import links
from epro.acts.replanning import replan
from epro.protocol import CONSENT, RANDOMISATION, Protocol
from epro.refusals import N_, NoSuchPatient, Refusal, Wrong
from epro.store import facts
from epro.store.audit import Actor, Entry, entry
from epro.store.contacts import Cipher, NotAMobile, parse_mobile
from epro.store.facts import Facts
from epro.store.models import Allocation, Contact, Patient, PatientEvent
from scheduler.changes import Changes

EARLIEST = date(1990, 1, 1)  # no trial that runs on this began before
PERSONNUMMER = re.compile(r"(?:\d{2})?\d{6}[-+]?\d{4}")
HAPPENINGS = (facts.SURGERY, facts.PROGRESSION, facts.SEEN_ALIVE)


@dataclass(frozen=True)
class Enrolment:
    """What is asked for when a patient enters the trial. Its repr shows no phone."""

    subject: str
    site: str
    language: str
    strata: Mapping[str, str]
    consented_on: date
    eligible: bool  # every criterion of the checklist was confirmed
    texts_allowed: bool
    phone: str | None = field(default=None, repr=False)  # as typed
    randomised_on: date | None = None
    arm: str | None = None
    zone: str | None = None  # None: the trial's


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
        _happened(opened, asked.subject, CONSENT, asked.consented_on)
        permission = facts.TEXTS_ALLOWED if asked.texts_allowed else facts.TEXTS_REFUSED
        _happened(opened, asked.subject, permission, asked.consented_on)
        if asked.phone:
            _keep_number(opened, cipher, asked.subject, parse_mobile(asked.phone, protocol.trial.country))
        if asked.randomised_on and asked.arm:
            _happened(opened, asked.subject, RANDOMISATION, asked.randomised_on)
            opened.insert(Allocation, subject=asked.subject, arm=asked.arm)
        return replan(connection, protocol, asked.subject, entry=opened, now=now)


def randomise(
    connection: Connection, protocol: Protocol, subject: str, *, on: date, arm: str, by: Actor, now: datetime
) -> Changes:
    """Give a registered patient arm and date. Raises Refusal when she has them already or they make no sense."""
    known = known_patient(connection, subject)
    wrongs = list(_wrong_allocation(protocol, known.events[CONSENT].on, on, arm, now))
    if RANDOMISATION in known.events:
        wrongs.append(Wrong("randomised_on", N_("This patient is randomised already; correct the date instead.")))
    if wrongs:
        raise Refusal(wrongs)
    with entry(connection, chain=known.site, action="patient randomised", by=by, at=now) as opened:
        _happened(opened, subject, RANDOMISATION, on)
        opened.insert(Allocation, subject=subject, arm=arm)
        return replan(connection, protocol, subject, entry=opened, now=now)


def correct_randomisation(
    connection: Connection, protocol: Protocol, subject: str, *, on: date, reason: str, by: Actor, now: datetime
) -> Changes:
    """Replace a wrong randomisation date; the first word on it stays in the record."""
    known = known_patient(connection, subject)
    wrongs = list(_wrong_date(protocol, "randomised_on", on, now, known.events[CONSENT].on))
    if RANDOMISATION not in known.events:
        wrongs.append(Wrong("randomised_on", N_("This patient is not randomised yet; there is no date to correct.")))
    if not reason.strip():
        wrongs.append(Wrong("reason", N_("Say why the date is corrected.")))
    if wrongs:
        raise Refusal(wrongs)
    with entry(
        connection, chain=known.site, action="randomisation date corrected", by=by, at=now, reason=reason
    ) as opened:
        _happened(opened, subject, RANDOMISATION, on, reason=reason, corrects=known.events[RANDOMISATION].id)
        return replan(connection, protocol, subject, entry=opened, now=now)


def record_death(
    connection: Connection, protocol: Protocol, subject: str, *, on: date, by: Actor, now: datetime
) -> Changes:
    """Record a death: every text that waits is cancelled, every link is closed."""
    return _end(connection, protocol, subject, facts.DEATH, on, None, by, now)


def withdraw(
    connection: Connection, protocol: Protocol, subject: str, *, on: date, reason: str, by: Actor, now: datetime
) -> Changes:
    """Record that a patient withdraws: every text that waits is cancelled, every link is closed. Answers are kept."""
    return _end(connection, protocol, subject, facts.WITHDRAWAL, on, reason, by, now)


def _end(
    connection: Connection,
    protocol: Protocol,
    subject: str,
    kind: str,
    on: date,
    reason: str | None,
    by: Actor,
    now: datetime,
) -> Changes:
    known = known_patient(connection, subject)
    wrongs = list(_wrong_date(protocol, "happened_on", on, now, known.events[CONSENT].on))
    if kind in known.events:
        wrongs.append(Wrong("happened_on", N_("This is recorded already, on %(day)s."), {"day": known.events[kind].on}))
    if wrongs:
        raise Refusal(wrongs)
    with entry(connection, chain=known.site, action=f"{kind} recorded", by=by, at=now, reason=reason) as opened:
        _happened(opened, subject, kind, on, reason=reason)
        links.revoke_all(connection, subject, entry=opened, now=now)
        return replan(connection, protocol, subject, entry=opened, now=now)


def record(
    connection: Connection, protocol: Protocol, subject: str, kind: str, *, on: date, by: Actor, now: datetime
) -> None:
    """Record surgery, progression, or a day the patient was known to be alive (a call, a visit, an import).

    The plan is made anew only when visits of this trial hang on the event.
    """
    if kind not in HAPPENINGS:
        raise ValueError(f"{kind} is not recorded by itself; one of {', '.join(HAPPENINGS)}")
    known = known_patient(connection, subject)
    wrongs = list(_wrong_date(protocol, "happened_on", on, now, known.events[CONSENT].on))
    if wrongs:
        raise Refusal(wrongs)
    with entry(connection, chain=known.site, action=f"{kind} recorded", by=by, at=now) as opened:
        _happened(opened, subject, kind, on)
        if kind in protocol.schedule.anchors:
            replan(connection, protocol, subject, entry=opened, now=now)


def allow_texts(
    connection: Connection, protocol: Protocol, subject: str, *, allowed: bool, by: Actor, now: datetime
) -> Changes:
    """Record that a patient gives, or takes back, the permission to send her texts."""
    known = known_patient(connection, subject)
    kind = facts.TEXTS_ALLOWED if allowed else facts.TEXTS_REFUSED
    with entry(connection, chain=known.site, action=kind.replace("_", " "), by=by, at=now) as opened:
        _happened(opened, subject, kind, today(protocol, now))
        return replan(connection, protocol, subject, entry=opened, now=now)


def opt(connection: Connection, protocol: Protocol, subject: str, *, out: bool, by: Actor, now: datetime) -> Changes:
    """Keep what a patient said by STOP or START, or what the carrier says she said to it."""
    known = known_patient(connection, subject)
    kind = facts.OPTED_OUT if out else facts.OPTED_IN
    with entry(connection, chain=known.site, action=kind.replace("_", " "), by=by, at=now) as opened:
        _happened(opened, subject, kind, today(protocol, now))
        return replan(connection, protocol, subject, entry=opened, now=now)


def change_number(
    connection: Connection, protocol: Protocol, cipher: Cipher, subject: str, *, phone: str, by: Actor, now: datetime
) -> Changes:
    """Give a patient another number; links sent to the old one are closed. Raises Refusal when it is no mobile."""
    known = known_patient(connection, subject)
    try:
        e164 = parse_mobile(phone, protocol.trial.country)
    except NotAMobile as error:
        raise Refusal([Wrong("phone", error.message, error.values)]) from None
    with entry(connection, chain=known.site, action="number changed", by=by, at=now) as opened:
        if known.contact is not None:
            opened.update(Contact, known.contact, until_at=now)
            links.revoke_all(connection, subject, entry=opened, now=now)
        _keep_number(opened, cipher, subject, e164)
        return replan(connection, protocol, subject, entry=opened, now=now)


def known_patient(connection: Connection, subject: str) -> Facts:
    """The facts of one patient. Raises NoSuchPatient."""
    found = facts.facts_of(connection, [subject])
    if subject not in found:
        raise NoSuchPatient(subject)
    return found[subject]


def today(protocol: Protocol, now: datetime) -> date:
    """The calendar day in the trial's zone."""
    return now.astimezone(protocol.zone).date()


def _happened(
    opened: Entry, subject: str, kind: str, on: date, *, reason: str | None = None, corrects: int | None = None
) -> None:
    opened.insert(
        PatientEvent,
        subject=subject,
        kind=kind,
        happened_on=on,
        value=None,
        reported_at=opened.at,
        by=opened.by.name,
        reason=reason,
        corrects=corrects,
    )


def _keep_number(opened: Entry, cipher: Cipher, subject: str, e164: str) -> None:
    opened.insert(
        Contact,
        subject=subject,
        kind="sms",
        address=cipher.encrypt(e164),
        address_hash=cipher.digest(e164),
        from_at=opened.at,
        until_at=None,
    )


def wrongs_of(connection: Connection, protocol: Protocol, asked: Enrolment, now: datetime) -> Iterator[Wrong]:
    """Everything for which `enrol` would refuse."""
    yield from _wrong_subject(connection, protocol, asked.subject)
    yield from _not_among("site", asked.site, protocol.sites)
    yield from _not_among("language", asked.language, protocol.trial.languages)
    for code, stratum in protocol.strata.items():
        yield from _not_among(code, asked.strata.get(code, ""), stratum.levels)
    for code in asked.strata:
        if code not in protocol.strata:
            yield Wrong(code, N_("The trial has no stratum of this name."))
    if asked.zone is not None and asked.zone not in available_timezones():
        yield Wrong("zone", N_("No time zone has this name. Write it like Europe/Stockholm."))
    if not asked.eligible:
        yield Wrong("eligible", N_("Every criterion of the checklist must be met and ticked."))
    yield from _wrong_date(protocol, "consented_on", asked.consented_on, now, EARLIEST)
    if asked.phone:
        try:
            parse_mobile(asked.phone, protocol.trial.country)
        except NotAMobile as error:
            yield Wrong("phone", error.message, error.values)
    if (asked.randomised_on is None) != (asked.arm is None):
        missing = "arm" if asked.arm is None else "randomised_on"
        yield Wrong(missing, N_("Arm and randomisation date belong together: give both, or neither yet."))
    elif asked.randomised_on and asked.arm:
        yield from _wrong_allocation(protocol, asked.consented_on, asked.randomised_on, asked.arm, now)


def _wrong_subject(connection: Connection, protocol: Protocol, subject: str) -> Iterator[Wrong]:
    if PERSONNUMMER.search(subject):
        yield Wrong("subject", N_("This looks like a personal identity number. Use the trial's subject id only."))
    elif not re.fullmatch(protocol.trial.subject_pattern, subject):
        yield Wrong(
            "subject",
            N_("Write the subject id as the trial does: %(pattern)s."),
            {"pattern": protocol.trial.subject_pattern},
        )
    elif connection.execute(select(Patient.subject).where(Patient.subject == subject)).first():
        yield Wrong("subject", N_("A patient with this subject id is enrolled already."))


def _wrong_allocation(protocol: Protocol, consented_on: date, on: date, arm: str, now: datetime) -> Iterator[Wrong]:
    yield from _not_among("arm", arm, protocol.arms)
    yield from _wrong_date(protocol, "randomised_on", on, now, consented_on)


def _wrong_date(protocol: Protocol, name: str, on: date, now: datetime, earliest: date) -> Iterator[Wrong]:
    if on > today(protocol, now):
        yield Wrong(name, N_("%(day)s lies in the future. Check the year."), {"day": on})
    elif on < earliest:
        yield Wrong(
            name,
            N_("%(day)s is too early; the earliest possible day is %(earliest)s."),
            {"day": on, "earliest": earliest},
        )


def _not_among(name: str, value: str, choices: Mapping[str, object] | tuple[str, ...]) -> Iterator[Wrong]:
    if not value:
        yield Wrong(name, N_("Choose one of %(choices)s."), {"choices": ", ".join(choices)})
    elif value not in choices:
        yield Wrong(
            name, N_("%(value)s is not one of %(choices)s."), {"value": repr(value), "choices": ", ".join(choices)}
        )
