"""Who works here: accounts, how a person signs in, and what a browser may do once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from epro.store.models.base import Base, Entry, Serial


class User(Base):
    """A member of staff. Accounts are personal and stay; `fs_uniquifier` ends every session when it changes."""

    __tablename__ = "staff_user"

    id: Mapped[Serial]
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[str]
    sites: Mapped[list[Any]]  # whose patients a nurse or an investigator may see; the other roles see every site
    password: Mapped[str | None]  # empty until the person has chosen one
    active: Mapped[bool] = mapped_column(default=True)
    fs_uniquifier: Mapped[str] = mapped_column(unique=True)
    totp_secret: Mapped[str | None] = mapped_column(Text)  # encrypted
    totp_counter: Mapped[int | None]  # the step of the last code that was used: no code opens two sessions
    added_at: Mapped[datetime]
    entry: Mapped[Entry]


class Passkey(Base):
    """A device by which a member of staff signs in without a password."""

    __tablename__ = "staff_passkey"

    id: Mapped[Serial]
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), index=True)
    credential: Mapped[str] = mapped_column(unique=True)
    public_key: Mapped[str] = mapped_column(Text)
    sign_count: Mapped[int]
    name: Mapped[str]
    added_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
    entry: Mapped[Entry]


class RecoveryCode(Base):
    """A code for the day the phone is lost. Only its hash is kept, and it works once."""

    __tablename__ = "staff_recovery_code"

    id: Mapped[Serial]
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), index=True)
    code_hash: Mapped[str]
    used_at: Mapped[datetime | None]  # also of a code whose set was replaced
    entry: Mapped[Entry]


class StaffSession(Base):
    """A browser that is signed in. The trail tells of its start and its end, not of each click."""

    __tablename__ = "staff_session"

    id: Mapped[Serial]
    token_hash: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), index=True)
    uniquifier: Mapped[str]  # the account's at the start
    stage: Mapped[str]  # second_step | setup | full
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    proved_at: Mapped[datetime]  # when the person last showed who she is
    ended_at: Mapped[datetime | None]


class StaffTry(Base):
    """One try to sign in, counted before it is judged. Account, address and device stand as keyed hashes."""

    __tablename__ = "staff_try"
    __table_args__ = (
        Index("ix_staff_try_account_at", "account", "at"),
        Index("ix_staff_try_address_at", "address", "at"),
    )

    id: Mapped[Serial]
    account: Mapped[str]
    address: Mapped[str]
    device: Mapped[str | None]  # of a browser that this account has signed in from before
    kind: Mapped[str]  # password | code
    at: Mapped[datetime]
    missed: Mapped[bool]


class StaffToken(Base):
    """Something that works once: a link to set up an account, a passkey's challenge."""

    __tablename__ = "staff_token"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"), index=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class StaffDraft(Base):
    """A form that was sent after its session had ended, kept for the same person's return."""

    __tablename__ = "staff_draft"

    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), primary_key=True)
    body: Mapped[str] = mapped_column(Text)  # encrypted
    kept_at: Mapped[datetime]
