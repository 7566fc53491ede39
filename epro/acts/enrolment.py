"""What is asked for when a patient enters the trial, and does it make sense?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import available_timezones

from sqlalchemy import Connection, select

from epro.acts import identity_step
from epro.personal import PERSONAL
from epro.protocol import Protocol
from epro.refusals import N_, Wrong
from epro.store.contacts import NotAMobile, NotAnEmail, parse_email, parse_mobile
from epro.store.models import Patient

EARLIEST = date(1990, 1, 1)  # no trial that runs on this began before
PERSONNUMMER = re.compile(r"(?:\d{2})?\d{6}[-+]?\d{4}")  # in an id whatever its check digit


@dataclass(frozen=True)
class Enrolment:
    """What is asked for when a patient enters the trial. Its repr shows neither address nor second step."""

    subject: str
    site: str
    language: str
    strata: Mapping[str, str]
    consented_on: date
    eligible: bool  # every criterion of the checklist was confirmed
    texts_allowed: bool
    phone: str | None = field(default=None, repr=False)  # as typed
    email: str | None = field(default=None, repr=False)
    randomised_on: date | None = None
    arm: str | None = None
    zone: str | None = None  # None: the trial's
    second_step: str | None = field(default=None, repr=False)  # where the trial asks for one


def wrongs_of(connection: Connection, protocol: Protocol, asked: Enrolment, now: datetime) -> Iterator[Wrong]:
    """Everything for which `patients.enrol` would refuse."""
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
    yield from identity_step.wrongs(protocol.trial.identity_step, asked.second_step, now)
    if not asked.eligible:
        yield Wrong("eligible", N_("Every criterion of the checklist must be met and ticked."))
    yield from wrong_date(protocol, "consented_on", asked.consented_on, now, EARLIEST)
    if asked.phone:
        try:
            parse_mobile(asked.phone, protocol.trial.country)
        except NotAMobile as error:
            yield Wrong("phone", error.message, error.values)
    if asked.email:
        yield from wrong_email(protocol, asked.email)
    if asked.randomised_on:
        yield from wrong_allocation(protocol, asked.consented_on, asked.randomised_on, asked.arm, now)
    elif asked.arm:
        yield Wrong("randomised_on", N_("With the arm give the day of randomisation."))


def _wrong_subject(connection: Connection, protocol: Protocol, subject: str) -> Iterator[Wrong]:
    if PERSONNUMMER.search(subject):
        yield Wrong("subject", PERSONAL)
    elif not re.fullmatch(protocol.trial.subject_pattern, subject):
        yield Wrong(
            "subject",
            N_("Write the subject id as the trial does: %(pattern)s."),
            {"pattern": protocol.trial.subject_pattern},
        )
    elif connection.execute(select(Patient.subject).where(Patient.subject == subject)).first():
        yield Wrong("subject", N_("A patient with this subject id is enrolled already."))


def wrong_allocation(
    protocol: Protocol, consented_on: date, on: date, arm: str | None, now: datetime
) -> Iterator[Wrong]:
    """An arm that the trial does not have, or a day on which nobody can have been randomised.

    arm: None = who says the day does not know it; the trial office does.
    """
    if arm is not None:
        yield from wrong_arm(protocol, arm)
    yield from wrong_date(protocol, "randomised_on", on, now, consented_on)


def wrong_arm(protocol: Protocol, arm: str) -> Iterator[Wrong]:
    """An arm that the trial does not have."""
    yield from _not_among("arm", arm, protocol.arms)


def wrong_email(protocol: Protocol, typed: str) -> Iterator[Wrong]:
    """An address that cannot be one, or that this trial has no use for."""
    if not protocol.schedule.uses_email:
        yield Wrong("email", N_("This trial sends no e-mail; leave the address out."))
        return
    try:
        parse_email(typed)
    except NotAnEmail as error:
        yield Wrong("email", error.message)


def wrong_date(protocol: Protocol, name: str, on: date, now: datetime, earliest: date) -> Iterator[Wrong]:
    """A day in the future, or before it was possible."""
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


def today(protocol: Protocol, now: datetime) -> date:
    """The calendar day in the trial's zone."""
    return now.astimezone(protocol.zone).date()
