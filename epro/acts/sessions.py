"""Which browser is signed in, since when, and until when?

The browser holds a random token and the table its hash. A session ends after 15 minutes of silence, after 8 hours, on
signing out, and when the account is disabled or its role or sites change (its `fs_uniquifier` is then another).
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from epro.store.audit import ACCOUNTS_CHAIN, Actor, entry
from epro.store.models import StaffSession, User

IDLE, ABSOLUTE = timedelta(minutes=15), timedelta(hours=8)
UNFINISHED = timedelta(minutes=10)  # to give the second step, or to set it up
PROOF_LASTS = timedelta(minutes=5)  # for what asks the person to show anew who she is
TOUCHED_EVERY = timedelta(seconds=10)  # how old the note of the last click may become before it is written again
SECOND_STEP, SETUP, FULL = "second_step", "setup", "full"
IDLE_END, ABSOLUTE_END, ACCESS_CHANGED, SIGNED_OUT = "idle", "absolute", "access changed", "signed out"


@dataclass(frozen=True)
class Session:
    """One row of the sessions, with what its account looks like now."""

    id: int
    user_id: int
    email: str
    name: str
    role: str
    sites: tuple[str, ...]
    stage: str
    started_at: datetime
    seen_at: datetime
    proved_at: datetime
    ended_at: datetime | None
    unchanged: bool  # the account is active and as it was at the start
    has_totp: bool
    password: str | None = field(repr=False)  # its hash

    def end_at(self, now: datetime) -> str | None:
        """Why it is over at this instant; None while it is not."""
        if not self.unchanged:
            return ACCESS_CHANGED
        if now - self.seen_at >= IDLE:
            return IDLE_END
        if now - self.started_at >= (ABSOLUTE if self.stage == FULL else UNFINISHED):
            return ABSOLUTE_END
        return None

    def is_proved(self, now: datetime) -> bool:
        """Whether the person has shown a moment ago who she is."""
        return now - self.proved_at < PROOF_LASTS


def start(connection: Connection, user: int, uniquifier: str, stage: str, now: datetime) -> str:
    """Begin a session. Returns its token, which is kept nowhere else."""
    token = secrets.token_urlsafe(32)
    at = {"started_at": now, "seen_at": now, "proved_at": now}
    row = {"token_hash": hash_of(token), "user_id": user, "uniquifier": uniquifier, "stage": stage}
    connection.execute(insert(StaffSession).values(**row, **at))
    return token


def find(connection: Connection, token: str) -> Session | None:
    """The session of this token, over or not; roles and sites are those of now."""
    row = connection.execute(
        select(
            StaffSession.id,
            StaffSession.user_id,
            StaffSession.stage,
            StaffSession.started_at,
            StaffSession.seen_at,
            StaffSession.proved_at,
            StaffSession.ended_at,
            StaffSession.uniquifier,
            User.email,
            User.name,
            User.role,
            User.sites,
            User.active,
            User.fs_uniquifier,
            User.password,
            User.totp_secret,
        )
        .join(User, User.id == StaffSession.user_id)
        .where(StaffSession.token_hash == hash_of(token))
    ).one_or_none()
    return None if row is None else _as_it_stands(row)


def _as_it_stands(row: Row[*tuple[Any, ...]]) -> Session:
    return Session(
        id=row.id,
        user_id=row.user_id,
        email=row.email,
        name=row.name,
        role=row.role,
        sites=tuple(row.sites),
        stage=row.stage,
        started_at=row.started_at,
        seen_at=row.seen_at,
        proved_at=row.proved_at,
        ended_at=row.ended_at,
        unchanged=row.active and row.uniquifier == row.fs_uniquifier,
        password=row.password,
        has_totp=row.totp_secret is not None,
    )


def touch(connection: Connection, session: Session, now: datetime) -> None:
    """Note a click."""
    connection.execute(update(StaffSession).where(StaffSession.id == session.id).values(seen_at=now))


def prove(connection: Connection, session: Session, now: datetime) -> None:
    """The person has shown anew who she is."""
    connection.execute(update(StaffSession).where(StaffSession.id == session.id).values(proved_at=now, seen_at=now))


def end(connection: Connection, session: Session, why: str, by: Actor, now: datetime) -> None:
    """End a session, once, and tell of it."""
    ended = connection.execute(
        update(StaffSession)
        .where(StaffSession.id == session.id, StaffSession.ended_at.is_(None))
        .values(ended_at=now)
        .returning(StaffSession.id)
    )
    if ended.scalar_one_or_none() is None:
        return
    action = "signed out" if why == SIGNED_OUT else "session ended"
    with entry(
        connection, chain=ACCOUNTS_CHAIN, action=action, by=by, at=now, reason=None if why == SIGNED_OUT else why
    ):
        pass


def drop(connection: Connection, session: Session, now: datetime) -> None:
    """End a session that the next one takes the place of: signing in goes on under another id."""
    connection.execute(update(StaffSession).where(StaffSession.id == session.id).values(ended_at=now))


def hash_of(token: str) -> str:
    """What is kept of a token: it is random and long, so a plain hash will do."""
    return hashlib.sha256(token.encode()).hexdigest()
