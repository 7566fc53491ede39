"""A secret that works once and not for long: a link to set up an account, a passkey's challenge."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, insert, select, update

from epro.acts.sessions import hash_of
from epro.store.models import StaffToken


@dataclass(frozen=True)
class Redeemed:
    user_id: int | None


def issue(connection: Connection, purpose: str, user: int | None, expires_at: datetime) -> str:
    """A new secret; only its hash is kept."""
    token = secrets.token_urlsafe(32)
    row = {"token_hash": hash_of(token), "purpose": purpose, "user_id": user, "expires_at": expires_at}
    connection.execute(insert(StaffToken).values(**row))
    return token


def holder(connection: Connection, purpose: str, token: str, now: datetime) -> int | None:
    """Whose secret this is, while it works. Does not use it up."""
    return connection.execute(select(StaffToken.user_id).where(*_working(purpose, token, now))).scalar()


def redeem(connection: Connection, purpose: str, token: str, now: datetime) -> Redeemed | None:
    """Use a secret up. None when it is unknown, old or used: of two at once, one gets it."""
    used = update(StaffToken).where(*_working(purpose, token, now)).values(used_at=now).returning(StaffToken.user_id)
    row = connection.execute(used).one_or_none()
    return None if row is None else Redeemed(row.user_id)


def revoke(connection: Connection, purpose: str, user: int, now: datetime) -> None:
    here = (StaffToken.purpose == purpose, StaffToken.user_id == user, StaffToken.used_at.is_(None))
    connection.execute(update(StaffToken).where(*here).values(used_at=now))


def _working(purpose: str, token: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    known = (StaffToken.token_hash == hash_of(token), StaffToken.purpose == purpose)
    return (*known, StaffToken.used_at.is_(None), StaffToken.expires_at > now)
