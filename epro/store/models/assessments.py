"""What was asked, by which link it was reached, and what was answered."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import ColumnElement, ForeignKey, Index, Text, UniqueConstraint, and_
from sqlalchemy.orm import Mapped, mapped_column

from epro.store.models.base import Base, Entry, Serial, Subject, entry_key


class Assessment(Base):
    """One patient at one visit, all its questionnaires. Windows are written by replanning alone.

    One that fell out of the plan before it was begun has an empty window: nothing is ever deleted.
    """

    __tablename__ = "assessment"
    __table_args__ = (
        UniqueConstraint("subject", "visit"),
        Index("ix_assessment_subject_closes_at", "subject", "closes_at"),
    )

    id: Mapped[Serial]
    subject: Mapped[Subject]
    visit: Mapped[str]
    schedule_version: Mapped[int]
    due_on: Mapped[date]
    opens_at: Mapped[datetime]
    closes_at: Mapped[datetime] = mapped_column(index=True)
    expected: Mapped[bool]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None] = mapped_column(index=True)
    received_at: Mapped[datetime | None]  # since when at least one answer stands; empty: none does
    reason: Mapped[str | None]
    entry: Mapped[Entry]


def never_planned() -> ColumnElement[bool]:
    """That an assessment fell out of the plan before it was begun: its window is empty."""
    return and_(Assessment.opens_at == Assessment.closes_at, Assessment.started_at.is_(None))


class Form(Base):
    """One questionnaire of an assessment, with the words it was asked in."""

    __tablename__ = "form"
    __table_args__ = (UniqueConstraint("assessment", "instrument"),)

    id: Mapped[Serial]
    assessment: Mapped[int] = mapped_column(ForeignKey("assessment.id"))
    instrument: Mapped[str]
    version: Mapped[str]
    wording_pack: Mapped[str]
    wording_edition: Mapped[int]
    wording_sha256: Mapped[str]
    language: Mapped[str]
    mode: Mapped[str]  # self | self_helped | proxy | not_said | tablet | phone | paper
    entry: Mapped[Entry]


class Answer(Base):
    """One answer to one item. Append only: the current answer is the one with the highest id."""

    __tablename__ = "answer"
    __table_args__ = (UniqueConstraint("form", "key"), Index("ix_answer_form_item", "form", "item", "id"))

    id: Mapped[Serial]
    form: Mapped[int] = mapped_column(ForeignKey("form.id"))
    item: Mapped[str]
    value: Mapped[int | None]
    text: Mapped[str | None] = mapped_column(Text)  # of an item that asks for words; never exported
    state: Mapped[str]  # answered | skipped | not_applicable
    key: Mapped[str]  # the phone's own key for this save: the same save twice is one answer
    session: Mapped[str]  # the patient's sitting: what was said in it may be shown again in it
    said_at: Mapped[datetime | None]  # the phone's clock, as claimed
    received_at: Mapped[datetime]
    by: Mapped[str]
    mode: Mapped[str]
    reason: Mapped[str | None]
    entry: Mapped[Entry]


class Link(Base):
    """A way in for one patient to one assessment. Only the token's hash is kept."""

    __tablename__ = "link"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    assessment: Mapped[int] = mapped_column(ForeignKey("assessment.id"), index=True)
    message_key: Mapped[str | None] = mapped_column(index=True)  # of the text that carried it; empty on a tablet
    contact: Mapped[int | None] = mapped_column(ForeignKey("contact.id"))
    mode: Mapped[str]  # self | tablet
    issued_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    entry: Mapped[str | None] = mapped_column(entry_key())  # empty when the clock issued it: the ledger's event tells
