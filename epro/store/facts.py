"""What is known of a patient now, gathered from the events, contacts and assessments that were recorded?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, select
from sqlalchemy.orm import InstrumentedAttribute

from epro.store.models import Assessment, Contact, Patient, PatientEvent
from scheduler.ports import CHANNELS, EMAIL, SMS

CONSENT, RANDOMISATION, SURGERY, PROGRESSION = "consent", "randomisation", "surgery", "progression"
DEATH, WITHDRAWAL = "death", "withdrawal"
TEXTS_ALLOWED, TEXTS_REFUSED = "texts_allowed", "texts_refused"
OPTED_OUT, OPTED_IN = "opted_out", "opted_in"
FAILS = {SMS: "sms_fails", EMAIL: "email_fails"}  # what is sent there does not arrive; holds until a new address
SEEN_ALIVE = "seen_alive"
ASKED_LATER = "asked_later"  # to be reminded once more, the day after


@dataclass(frozen=True)
class Happened:
    """The current word on one kind of event."""

    id: int
    on: date
    reported_at: datetime
    value: str | None
    reason: str | None


@dataclass(frozen=True)
class InUse:
    """An address in use, by its row."""

    id: int
    from_at: datetime


@dataclass(frozen=True)
class Facts:
    """One patient as known now. Holds no address."""

    subject: str
    site: str
    language: str
    zone: str
    enrolled_at: datetime
    strata: Mapping[str, str]
    events: Mapping[str, Happened]
    contacts: Mapping[str, InUse]  # by channel
    stopped: frozenset[str] = frozenset()  # the channels that she ended by STOP, and has not begun again
    completed: frozenset[str] = field(default_factory=frozenset)

    @property
    def anchors(self) -> dict[str, date]:
        """Every dated event may be an anchor; the trial file decides which are."""
        return {kind: event.on for kind, event in self.events.items()}

    @property
    def ended(self) -> Happened | None:
        """Death or withdrawal, whichever day is first."""
        ends = [self.events[kind] for kind in (DEATH, WITHDRAWAL) if kind in self.events]
        return min(ends, key=lambda event: event.on) if ends else None

    @property
    def first_told_of_end_at(self) -> datetime | None:
        ends = [self.events[kind].reported_at for kind in (DEATH, WITHDRAWAL) if kind in self.events]
        return min(ends) if ends else None

    @property
    def later_on(self) -> date | None:
        """The day for which she asked to be reminded again."""
        asked = self.events.get(ASKED_LATER)
        return asked.on + timedelta(days=1) if asked else None

    @property
    def texts_allowed(self) -> bool:
        return self._latest(TEXTS_ALLOWED, TEXTS_REFUSED) == TEXTS_ALLOWED

    @property
    def opted_out(self) -> bool:
        """Whether she ended every channel by which she could be reached."""
        return bool(self.stopped) and self.stopped >= (set(self.contacts) or {SMS})

    @property
    def channels(self) -> frozenset[str]:
        """Those by which she may be reached now, and that are not known to fail."""
        if not self.texts_allowed or self.ended is not None:
            return frozenset()
        return frozenset(channel for channel in self.contacts.keys() - self.stopped if not self.fails(channel))

    @property
    def may_be_texted(self) -> bool:
        return bool(self.channels)

    def fails(self, channel: str) -> bool:
        """Whether what is sent to the address in use is known not to arrive."""
        told, in_use = self.events.get(FAILS[channel]), self.contacts.get(channel)
        return told is not None and in_use is not None and told.reported_at >= in_use.from_at

    def with_day(self, kind: str, on: date) -> Facts:
        """The same patient, had this event happened on another day."""
        return replace(self, events={**self.events, kind: replace(self.events[kind], on=on)})

    def _latest(self, *kinds: str) -> str | None:
        known = [kind for kind in kinds if kind in self.events]
        return max(known, key=lambda kind: self.events[kind].id) if known else None


def facts_of(connection: Connection, subjects: Iterable[str] | None = None) -> dict[str, Facts]:
    """The facts of these patients (None = all), in four statements however many they are."""
    wanted = None if subjects is None else sorted(set(subjects))
    patients = connection.execute(select(Patient.__table__).where(*_among(Patient.subject, wanted))).all()
    events, stopped = _events(connection, wanted)
    contacts = _contacts(connection, wanted)
    completed = _completed(connection, wanted)
    return {
        row.subject: Facts(
            subject=row.subject,
            site=row.site,
            language=row.language,
            zone=row.zone,
            enrolled_at=row.enrolled_at,
            strata=row.strata,
            events=events.get(row.subject, {}),
            contacts=contacts.get(row.subject, {}),
            stopped=frozenset(stopped.get(row.subject, ())),
            completed=frozenset(completed.get(row.subject, ())),
        )
        for row in patients
    }


def lock(connection: Connection, subject: str) -> None:
    """Hold a patient until the end of the transaction, so that two plans of one patient are never written at once."""
    connection.execute(select(Patient.subject).where(Patient.subject == subject).with_for_update())


def _among(column: InstrumentedAttribute[str], wanted: Sequence[str] | None) -> list[ColumnElement[bool]]:
    return [] if wanted is None else [column.in_(wanted)]


def _events(
    connection: Connection, wanted: Sequence[str] | None
) -> tuple[dict[str, dict[str, Happened]], dict[str, set[str]]]:
    """The latest word on each kind of event; and the channels that are stopped, each by the latest word on it."""
    found: dict[str, dict[str, Happened]] = defaultdict(dict)
    stopped: dict[str, set[str]] = defaultdict(set)
    statement = select(PatientEvent.__table__).where(*_among(PatientEvent.subject, wanted)).order_by(PatientEvent.id)
    for row in connection.execute(statement):
        found[row.subject][row.kind] = Happened(row.id, row.happened_on, row.reported_at, row.value, row.reason)
        if row.kind == OPTED_OUT:
            stopped[row.subject] |= channels_named(row.value)
        elif row.kind == OPTED_IN:
            stopped[row.subject] -= channels_named(row.value)
    return found, stopped


def channels_named(value: str | None) -> frozenset[str]:
    """The channels that a STOP or START speaks of; every one where it names none."""
    return frozenset(value.split(",")) if value else CHANNELS


def _contacts(connection: Connection, wanted: Sequence[str] | None) -> dict[str, dict[str, InUse]]:
    """The addresses in use."""
    found: dict[str, dict[str, InUse]] = defaultdict(dict)
    in_use = (Contact.until_at.is_(None), *_among(Contact.subject, wanted))
    columns = (Contact.subject, Contact.kind, Contact.id, Contact.from_at)
    for row in connection.execute(select(*columns).where(*in_use).order_by(Contact.id)):
        found[row.subject][row.kind] = InUse(row.id, row.from_at)
    return found


def _completed(connection: Connection, wanted: Sequence[str] | None) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    submitted = (Assessment.completed_at.is_not(None), *_among(Assessment.subject, wanted))
    for row in connection.execute(select(Assessment.subject, Assessment.visit).where(*submitted)):
        found[row.subject].add(row.visit)
    return found
