"""A secret that works once or for a time: a link to set up an account, a passkey's challenge, a calendar's address.

And what is done once by whichever process comes first, such as a mail of this morning.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

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


def claim(connection: Connection, purpose: str, key: str, expires_at: datetime) -> bool:
    """Take something that is done once, by whichever process comes first. Returns whether it is ours to do."""
    row = {"token_hash": hash_of(f"{purpose}/{key}"), "purpose": purpose, "user_id": None, "expires_at": expires_at}
    try:
        with connection.begin_nested():
            connection.execute(insert(StaffToken).values(**row))
    except IntegrityError:
        return False
    return True


def release(connection: Connection, purpose: str, key: str) -> None:
    """Give back what was claimed and surely not done."""
    connection.execute(delete(StaffToken).where(StaffToken.token_hash == hash_of(f"{purpose}/{key}")))


def _working(purpose: str, token: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    known = (StaffToken.token_hash == hash_of(token), StaffToken.purpose == purpose)
    return (*known, StaffToken.used_at.is_(None), StaffToken.expires_at > now)
