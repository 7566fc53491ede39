"""Who did what and who looked, what was signed and locked, and when a backup came back."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from epro.store.models.base import Base, Entry, Serial


class Audit(Base):
    """One act of one person, with every change it made, chained by hash within a site. Append only.

    Its reason alone can be emptied: the chain holds its digest.
    """

    __tablename__ = "audit"
    __table_args__ = ({"sqlite_with_rowid": False},)  # a chain lies on the disk as it is read

    chain: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str]
    role: Mapped[str]
    channel: Mapped[str]  # desk | phone | tablet | clock | carrier | command | import
    request: Mapped[str | None]
    subject: Mapped[str | None] = mapped_column(index=True)  # whom it concerns; empty: nobody, or several
    action: Mapped[str] = mapped_column(index=True)
    reason: Mapped[str | None]  # can be redacted: the chain holds its digest
    why: Mapped[str | None]  # the salted digest of the reason
    changes: Mapped[list[Any]]  # [table, row, column, old digest, new digest]
    previous: Mapped[str]
    hash: Mapped[str]


class AuditValue(Base):
    """A value that the trail speaks of by its salted digest. It can be redacted and the chain still verifies."""

    __tablename__ = "audit_value"

    digest: Mapped[str] = mapped_column(primary_key=True)
    salt: Mapped[str | None]
    value: Mapped[str | None] = mapped_column(Text)  # both empty: redacted, as an entry tells


class Access(Base):
    """A look at patients' data: who, when, by which page or export, and whose. Append only; hashed nightly."""

    __tablename__ = "access"

    id: Mapped[Serial]
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str]
    role: Mapped[str]
    channel: Mapped[str]  # desk | command
    request: Mapped[str | None]
    what: Mapped[str]  # the page or the command
    subjects: Mapped[list[Any]]
    detail: Mapped[dict[str, Any]]  # of an export: row counts and the hash of what was written


class Signature(Base):
    """A name under one patient's record, or under a site's data up to a day. Append only."""

    __tablename__ = "signature"

    id: Mapped[Serial]
    site: Mapped[str] = mapped_column(index=True)
    subject: Mapped[str | None] = mapped_column(ForeignKey("patient.subject"), index=True)  # empty: a data cut
    cut_on: Mapped[date | None]
    meaning: Mapped[str]
    name: Mapped[str]
    email: Mapped[str]
    role: Mapped[str]
    signed_at: Mapped[datetime]
    zone: Mapped[str]
    version: Mapped[int]  # how many acts had made what was signed
    last_event: Mapped[int]  # the highest ids that were signed
    last_answer: Mapped[int]
    last_covariate: Mapped[int]
    last_adverse_event: Mapped[int]
    sha256: Mapped[str]  # of what was signed, see `store.signed`
    entry: Mapped[Entry]


class DataLock(Base):
    """A site's data up to a day, closed to changes or opened again, under a signature. Append only."""

    __tablename__ = "data_lock"

    id: Mapped[Serial]
    site: Mapped[str] = mapped_column(index=True)
    cut_on: Mapped[date]
    locked: Mapped[bool] = mapped_column(Boolean)
    signature: Mapped[int] = mapped_column(ForeignKey("signature.id"), unique=True)  # of its own, used once
    at: Mapped[datetime]
    entry: Mapped[Entry]


class Restored(Base):
    """The database came back from a backup. Nothing is sent before `released_at`: what left since is not in it."""

    __tablename__ = "restored"

    id: Mapped[Serial]
    backup_at: Mapped[datetime]
    restored_at: Mapped[datetime]
    released_at: Mapped[datetime | None]
    entry: Mapped[Entry]
