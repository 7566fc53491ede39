"""What is known of a patient now, gathered from the events, contacts and assessments that were recorded?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, select
from sqlalchemy.orm import InstrumentedAttribute

from epro.store.models import Assessment, Contact, Patient, PatientEvent

CONSENT, RANDOMISATION, SURGERY, PROGRESSION = "consent", "randomisation", "surgery", "progression"
DEATH, WITHDRAWAL = "death", "withdrawal"
TEXTS_ALLOWED, TEXTS_REFUSED = "texts_allowed", "texts_refused"
OPTED_OUT, OPTED_IN = "opted_out", "opted_in"
SEEN_ALIVE = "seen_alive"
ASKED_LATER = "asked_later"  # to be reminded once more, the day after
NOT_ME, WRONG_NUMBER = "not_me", "wrong_number"  # said by somebody who opened a link


@dataclass(frozen=True)
class Happened:
    """The current word on one kind of event."""

    id: int
    on: date
    reported_at: datetime
    value: str | None
    reason: str | None


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
    contact: int | None
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
        return self._latest(OPTED_OUT, OPTED_IN) == OPTED_OUT

    @property
    def denied(self) -> str | None:
        """NOT_ME or WRONG_NUMBER, until she has been spoken to or has another number."""
        if self.contact is None and WRONG_NUMBER in self.events:
            return WRONG_NUMBER
        return NOT_ME if self._latest(NOT_ME, SEEN_ALIVE, CONSENT) == NOT_ME else None

    @property
    def may_be_texted(self) -> bool:
        return self.texts_allowed and not self.opted_out and self.contact is not None and self.ended is None

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
    events = _events(connection, wanted)
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
            contact=contacts.get(row.subject),
            completed=frozenset(completed.get(row.subject, ())),
        )
        for row in patients
    }


def lock(connection: Connection, subject: str) -> None:
    """Hold a patient until the end of the transaction, so that two plans of one patient are never written at once."""
    connection.execute(select(Patient.subject).where(Patient.subject == subject).with_for_update())


def _among(column: InstrumentedAttribute[str], wanted: Sequence[str] | None) -> list[ColumnElement[bool]]:
    return [] if wanted is None else [column.in_(wanted)]


def _events(connection: Connection, wanted: Sequence[str] | None) -> dict[str, dict[str, Happened]]:
    """The latest word on each kind of event."""
    found: dict[str, dict[str, Happened]] = defaultdict(dict)
    statement = select(PatientEvent.__table__).where(*_among(PatientEvent.subject, wanted)).order_by(PatientEvent.id)
    for row in connection.execute(statement):
        found[row.subject][row.kind] = Happened(row.id, row.happened_on, row.reported_at, row.value, row.reason)
    return found


def _contacts(connection: Connection, wanted: Sequence[str] | None) -> dict[str, int]:
    """The contact in use."""
    in_use = (Contact.until_at.is_(None), *_among(Contact.subject, wanted))
    rows = connection.execute(select(Contact.subject, Contact.id).where(*in_use).order_by(Contact.id))
    return {row.subject: row.id for row in rows}


def _completed(connection: Connection, wanted: Sequence[str] | None) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    submitted = (Assessment.completed_at.is_not(None), *_among(Assessment.subject, wanted))
    for row in connection.execute(select(Assessment.subject, Assessment.visit).where(*submitted)):
        found[row.subject].add(row.visit)
    return found
