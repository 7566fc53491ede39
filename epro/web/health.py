"""Is the service well? For a monitor, without login, and without a word about anybody."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import Blueprint, jsonify
from flask.wrappers import Response
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from epro.acts import guessing
from epro.web.house import house, now, reading
from scheduler import ledger
from scheduler.ledger import Health

pages = Blueprint("health", __name__)

MISSED_TICKS = 3  # so many intervals without a tick, and the clock counts as stopped
PATIENCE = timedelta(minutes=1)  # at least: a tick that sends many texts takes longer than its interval
OVERDUE = timedelta(minutes=15)  # a text later than this says that sending does not keep up


@pages.get("/health")
def health() -> tuple[Response, int]:
    try:
        with reading() as connection:
            seen = ledger.health(connection, now())
            guessed = guessing.guessed_links(connection, now())
    except (OperationalError, InterfaceError, PoolExhausted):
        return jsonify(status="down", database="unreachable"), 503
    wrong = what_is_wrong(seen, now(), timedelta(seconds=house().settings.tick_seconds))
    overdue = _overdue(seen, now())
    return jsonify(
        status="; ".join(wrong) or "well",
        database="well",
        last_tick_at=seen.last_tick_at.isoformat() if seen.last_tick_at else None,
        oldest_overdue_seconds=int(overdue.total_seconds()),
        unknown=seen.counts["unknown"],
        refused=seen.counts["refused"],
        balance=_balance(seen),
        alarm=alarm(guessed),
    ), 503 if wrong else 200


def what_is_wrong(seen: Health, now: datetime, interval: timedelta) -> list[str]:
    """Why sending is not well; empty when it is."""
    wrong = []
    if seen.last_tick_at is None:
        wrong.append("the clock has never run")
    elif now - seen.last_tick_at > max(MISSED_TICKS * interval, PATIENCE):
        wrong.append("the clock has stopped")
    elif seen.last_error:
        wrong.append("the last tick failed")
    if _overdue(seen, now) > OVERDUE:
        wrong.append("texts are overdue")
    return wrong


def alarm(guessed: int) -> str | None:
    """What a person should look at though the service is well: a stranger must not be able to make it look ill."""
    return f"links are being guessed: {guessed} in the last hour" if guessed >= guessing.ALARM.most else None


def _balance(seen: Health) -> dict[str, str] | None:
    left = seen.left
    return {"amount": left.amount, "currency": left.currency, "at": left.at.isoformat()} if left else None


def _overdue(seen: Health, now: datetime) -> timedelta:
    return now - seen.oldest_due_at if seen.oldest_due_at else timedelta()
