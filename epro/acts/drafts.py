"""Where does a form wait whose session ended before it was sent? One a person, encrypted by who keeps it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from epro.store.models import StaffDraft


def keep(connection: Connection, user: int, body: str, now: datetime) -> None:
    """Keep a form, in place of the one before."""
    kept = update(StaffDraft).where(StaffDraft.user_id == user).values(body=body, kept_at=now)
    if connection.execute(kept).rowcount == 0:
        connection.execute(insert(StaffDraft).values(user_id=user, body=body, kept_at=now))


def find(connection: Connection, user: int, *, since: datetime) -> str | None:
    """The form kept since then."""
    asked = select(StaffDraft.body).where(StaffDraft.user_id == user, StaffDraft.kept_at > since, StaffDraft.body != "")
    return connection.execute(asked).scalar_one_or_none()


def forget(connection: Connection, user: int) -> None:
    connection.execute(update(StaffDraft).where(StaffDraft.user_id == user).values(body=""))
