"""Who takes part, what happened to her, and how she is reached."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from epro.store.models.base import Base, Entry, Serial, Subject


class Patient(Base):
    __tablename__ = "patient"

    subject: Mapped[str] = mapped_column(primary_key=True)
    site: Mapped[str] = mapped_column(index=True)
    strata: Mapped[dict[str, Any]]
    language: Mapped[str]
    zone: Mapped[str]
    enrolled_at: Mapped[datetime]
    entry: Mapped[Entry]


class Allocation(Base):
    """The arm, apart from the patient, so that no query on patients carries it."""

    __tablename__ = "allocation"

    subject: Mapped[str] = mapped_column(ForeignKey("patient.subject"), primary_key=True)
    arm: Mapped[str]
    entry: Mapped[Entry]


class PatientEvent(Base):
    """Something that happened to a patient, on a day, reported at an instant. Append only; `corrects` replaces."""

    __tablename__ = "patient_event"
    __table_args__ = (Index("ix_patient_event_kind_reported_at", "kind", "reported_at"),)

    id: Mapped[Serial]
    subject: Mapped[Subject] = mapped_column(index=True)
    kind: Mapped[str]
    happened_on: Mapped[date]
    value: Mapped[str | None]
    reported_at: Mapped[datetime]
    by: Mapped[str]
    reason: Mapped[str | None]
    corrects: Mapped[int | None] = mapped_column(ForeignKey("patient_event.id"))
    entry: Mapped[Entry]


class Contact(Base):
    """An address of a patient, encrypted, for a span of time."""

    __tablename__ = "contact"

    id: Mapped[Serial]
    subject: Mapped[Subject] = mapped_column(index=True)
    kind: Mapped[str]  # sms | email
    address: Mapped[str] = mapped_column(Text)  # encrypted
    address_hash: Mapped[str] = mapped_column(index=True)  # keyed
    from_at: Mapped[datetime]
    until_at: Mapped[datetime | None]
    entry: Mapped[Entry]


class SecondStep(Base):
    """What a patient shows besides her link, as a keyed hash that can be emptied. Append only: the latest counts."""

    __tablename__ = "second_step"

    id: Mapped[Serial]
    subject: Mapped[Subject] = mapped_column(index=True)
    kind: Mapped[str]  # birth_year | pin
    hash: Mapped[str | None]
    entry: Mapped[Entry]


class Card(Base):
    """The code on the card that a patient took home, encrypted, for a span of time."""

    __tablename__ = "card"

    id: Mapped[Serial]
    subject: Mapped[Subject] = mapped_column(index=True)
    code: Mapped[str] = mapped_column(Text)  # encrypted, so that the card can be printed again
    code_hash: Mapped[str] = mapped_column(index=True)  # keyed
    from_at: Mapped[datetime]
    until_at: Mapped[datetime | None]
    entry: Mapped[Entry]


class Miss(Base):
    """A link, a code or a second step that was wrong. Kept for a day."""

    __tablename__ = "miss"
    __table_args__ = (Index("ix_miss_what_whom_at", "what", "whom", "at"),)

    id: Mapped[Serial]
    what: Mapped[str]
    whom: Mapped[str]  # hashed: an address, or a patient
    at: Mapped[datetime]


class CodeWord(Base):
    """The word by which a patient knows a text of ours, encrypted."""

    __tablename__ = "code_word"

    subject: Mapped[str] = mapped_column(ForeignKey("patient.subject"), primary_key=True)
    word: Mapped[str] = mapped_column(Text)
    entry: Mapped[Entry]


class FirstText(Base):
    """A test text, sent while its patient sits beside the nurse. It is of no visit: the ledger knows nothing of it."""

    __tablename__ = "first_text"

    id: Mapped[Serial]
    subject: Mapped[Subject] = mapped_column(index=True)
    contact: Mapped[int] = mapped_column(ForeignKey("contact.id"))
    token: Mapped[str] = mapped_column(unique=True)  # by which the carrier's receipt is known
    link_hash: Mapped[str] = mapped_column(unique=True)
    state: Mapped[str]  # claimed | accepted | refused | unknown | delivered | undelivered
    code: Mapped[int | None]  # the carrier's
    claimed_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]  # when the state was last heard of
    opened_at: Mapped[datetime | None]
    entry: Mapped[Entry]


class Reply(Base):
    """A text that came in. Its words and its sender can be erased, and nothing else of it changed."""

    __tablename__ = "reply"

    id: Mapped[Serial]
    carrier_ref: Mapped[str] = mapped_column(unique=True)  # a doubled callback is one reply
    subject: Mapped[str | None] = mapped_column(ForeignKey("patient.subject"), index=True)
    address_hash: Mapped[str]
    body: Mapped[str] = mapped_column(Text)  # encrypted
    understood_as: Mapped[str]
    received_at: Mapped[datetime]
    entry: Mapped[Entry]
