"""A nurse's calendar is read by a program that cannot sign in: by an address that only she has, and can end."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from epro.acts import tokens
from epro.store.audit import ACCOUNTS_CHAIN, Actor, entry
from epro.store.models import StaffToken

PURPOSE = "calendar"
LASTS = timedelta(days=366)


def make(connection: Connection, user: int, *, by: Actor, now: datetime) -> str:
    """A new secret for her calendar's address; the one before ends. It is kept nowhere else."""
    with entry(connection, chain=ACCOUNTS_CHAIN, action="calendar address made", by=by, at=now):
        tokens.revoke(connection, PURPOSE, user, now)
        return tokens.issue(connection, PURPOSE, user, now + LASTS)


def end(connection: Connection, user: int, *, by: Actor, now: datetime) -> None:
    with entry(connection, chain=ACCOUNTS_CHAIN, action="calendar address ended", by=by, at=now):
        tokens.revoke(connection, PURPOSE, user, now)


def until(connection: Connection, user: int, now: datetime) -> datetime | None:
    """How long her address works; None when she has none."""
    mine = (StaffToken.user_id == user, StaffToken.purpose == PURPOSE, StaffToken.used_at.is_(None))
    expires_at = connection.execute(select(StaffToken.expires_at).where(*mine, StaffToken.expires_at > now)).scalar()
    found: datetime | None = expires_at
    return found
