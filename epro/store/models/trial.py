"""What the trial office hands in: versions of the trial file, and what the case report form says."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Boolean, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from epro.store.models.base import Base, Entry, Serial, Subject


class TrialVersion(Base):
    """A version of the trial file, in force for patients from a day on. Append only."""

    __tablename__ = "trial_version"

    n: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str]
    text: Mapped[str] = mapped_column(Text)
    from_on: Mapped[date]
    rule: Mapped[str]  # consent | amendment
    simulated: Mapped[bool] = mapped_column(Boolean)  # a database of invented patients
    entry: Mapped[Entry]


class ImportedFile(Base):
    """A file of the trial office as it was brought in: its cells, contact data left out. Append only."""

    __tablename__ = "imported_file"

    id: Mapped[Serial]
    kind: Mapped[str]  # patients | covariates | outcomes | adverse_events
    sha256: Mapped[str]  # of the file itself
    cells: Mapped[str | None] = mapped_column(Text)  # as CSV
    rows: Mapped[int]
    imported_at: Mapped[datetime]
    entry: Mapped[Entry]


class CovariateValue(Base):
    """What the case report form says of a patient at baseline. Append only: the highest id counts."""

    __tablename__ = "covariate_value"
    __table_args__ = (Index("ix_covariate_value_subject_name", "subject", "name", "id"),)

    id: Mapped[Serial]
    subject: Mapped[Subject]
    name: Mapped[str]  # [analysis.covariate.NAME] of the trial file
    value: Mapped[str]  # a number with a point for decimals, or a word
    file: Mapped[int] = mapped_column(ForeignKey("imported_file.id"))
    entry: Mapped[Entry]


class AdverseEvent(Base):
    """What the case report form says of an adverse event. Append only: of one subject, term and first day the highest
    id counts."""

    __tablename__ = "adverse_event"

    id: Mapped[Serial]
    subject: Mapped[Subject] = mapped_column(index=True)
    term: Mapped[str | None]
    grade: Mapped[int]  # 1 to 5, CTCAE
    serious: Mapped[bool | None]
    started_on: Mapped[date]
    ended_on: Mapped[date | None]
    taken_back: Mapped[bool] = mapped_column(Boolean)  # the form says now that it never was
    file: Mapped[int] = mapped_column(ForeignKey("imported_file.id"))
    entry: Mapped[Entry]
