"""Which of the texts that are due may go now, and who holds them?"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, or_, select, update

from scheduler import arrows
from scheduler.hours import after_quiet, local_date, next_quiet
from scheduler.judging import one_text_a_day
from scheduler.ports import Claimed
from scheduler.tables import message

LEASE = timedelta(seconds=120)  # after which a claim is looked into; far longer than a batch takes to leave
TOKEN_BYTES = 16
DUE = (
    select(message)
    .where(message.c.state == arrows.PLANNED, message.c.next_try_at <= bindparam("now"))
    .order_by(message.c.next_try_at, message.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)


@dataclass
class Claims:
    """What one look at the due texts gave: those claimed, and how many were set aside."""

    claimed: list[Claimed] = field(default_factory=list)
    expired: int = 0
    superseded: int = 0


def claim_due(connection: Connection, now: datetime, *, owner: str, limit: int) -> Claims:
    """Judge up to `limit` due texts by the plan's own rules, and claim those that may go.

    In the caller's transaction, which must be committed before anything is handed over. Texts that another process
    looks at are passed over (PostgreSQL); the caller's transaction must be a writing one (SQLite).
    """
    due = connection.execute(DUE, {"now": now, "most": limit}).all()
    if not due:
        return Claims()
    verdicts = _Verdicts(due, _neighbours(connection, {row.subject for row in due}, now), now)
    expired = arrows.expire(connection, verdicts.expired, now)
    superseded = arrows.supersede(connection, verdicts.superseded, now)
    _look_again(connection, verdicts.waiting)
    return Claims(_claim(connection, verdicts.goes, now, owner), len(expired), len(superseded))


def _neighbours(connection: Connection, subjects: set[str], now: datetime) -> Sequence[Row[Any]]:
    """The texts of these patients that left, or are due: what decides whether another may go."""
    columns = [message.c[name] for name in ("id", "subject", "visit", "position", "zone", "send_at", "left_at")]
    left = message.c.left_at.is_not(None)
    due = (message.c.state == arrows.PLANNED) & (message.c.send_at <= now)
    return connection.execute(select(*columns).where(message.c.subject.in_(subjects), or_(left, due))).all()


class _Verdicts:
    """Each due text goes, waits for the end of the quiet hours, or is set aside."""

    def __init__(self, due: Sequence[Row[Any]], neighbours: Sequence[Row[Any]], now: datetime) -> None:
        self.now = now
        self.expired: list[int] = []
        self.superseded: list[int] = []
        self.waiting: list[tuple[int, datetime]] = []
        self.goes: list[Row[Any]] = []
        of_visit: dict[tuple[str, str], list[Row[Any]]] = defaultdict(list)
        for row in neighbours:
            of_visit[row.subject, row.visit].append(row)
        left = {(row.subject, local_date(row.left_at, row.zone)) for row in neighbours if row.left_at is not None}
        rivals: dict[tuple[str, date], list[Row[Any]]] = defaultdict(list)
        for row in due:
            leaves_at = after_quiet(now, row.zone, _quiet(row))
            day = (row.subject, local_date(now, row.zone))
            if any(_is_later_step(other, row) for other in of_visit[row.subject, row.visit]):
                self.superseded.append(row.id)
            elif leaves_at >= row.expires_at:
                self.expired.append(row.id)
            elif leaves_at > now:
                self.waiting.append((row.id, leaves_at))
            elif day in left:
                self.superseded.append(row.id)
            else:
                rivals[day].append(row)
        for texts in rivals.values():
            chosen = one_text_a_day(texts)
            self.goes.append(chosen)
            self.superseded += [row.id for row in texts if row.id != chosen.id]


def _is_later_step(other: Row[Any], row: Row[Any]) -> bool:
    """A later step that is due, or has left since this one was: not one sent before a date was corrected."""
    return other.position > row.position and (other.left_at is None or other.left_at >= row.send_at)


def _quiet(row: Row[Any]) -> tuple[Any, Any] | None:
    return None if row.quiet_from is None else (row.quiet_from, row.quiet_until)


def _look_again(connection: Connection, waiting: Sequence[tuple[int, datetime]]) -> None:
    if waiting:
        statement = update(message).where(message.c.id == bindparam("row_id")).values(next_try_at=bindparam("again_at"))
        connection.execute(statement, [{"row_id": id, "again_at": at} for id, at in waiting])


def _claim(connection: Connection, rows: Sequence[Row[Any]], now: datetime, owner: str) -> list[Claimed]:
    tokens = [secrets.token_hex(TOKEN_BYTES) for _ in rows]
    lease = {"lease_owner": owner, "lease_until": now + LEASE}
    claims = [
        {"id": row.id, "n": row.attempts + 1, "token": token, "left_on": local_date(now, row.zone), **lease}
        for row, token in zip(rows, tokens, strict=True)
    ]
    attempts = arrows.claim(connection, claims, now)
    return [
        Claimed(
            id=row.id,
            key=row.key,
            subject=row.subject,
            visit=row.visit,
            step=row.step,
            channel=row.channel,
            version=row.schedule_version,
            expires_at=_last_moment(row, now),
            attempt=attempt,
            n=row.attempts + 1,
            token=token,
            claimed_at=now,
        )
        for row, attempt, token in zip(rows, attempts, tokens, strict=True)
    ]


def _last_moment(row: Row[Any], now: datetime) -> datetime:
    quiet_at = next_quiet(now, row.zone, _quiet(row))
    expires_at: datetime = row.expires_at
    return expires_at if quiet_at is None else min(expires_at, quiet_at)
