"""How does a person become signed in? Each step one transaction with its line in the trail.

1. A try is counted (committed) before it is judged. 2. The password is judged, no transaction open: it takes a tenth of
a second. 3. Success or miss is recorded, and the session begun. Of an account that has a second step, or must have one,
this first session opens the page for it and nothing else; the next step begins another under a new id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, select

from epro.acts import guessing, passwords, second_step, sessions, tokens, users
from epro.acts.guessing import CODE, PASSWORD, Place
from epro.acts.sessions import FULL, SECOND_STEP, SETUP, Session
from epro.store.audit import ACCOUNTS_CHAIN, Actor, entry
from epro.store.contacts import Cipher
from epro.store.database import reading, writing
from epro.store.models import Audit, User

UNKNOWN = "unknown"
MISSED, SLOWED_DOWN = "sign-in missed", "sign-in slowed down"


@dataclass(frozen=True)
class Begun:
    """A session that has begun: what its browser is to keep, how far it is, and what went wrong since the last one."""

    token: str
    user_id: int
    stage: str
    misses: int = 0


def by_password(
    engine: Engine, email: str, password: str, *, place: Place, required: bool, request: str | None, now: datetime
) -> Begun | None:
    """None when it is wrong, nobody's, or of a closed account: all three look alike and take as long. Raises Slowed."""
    with writing(engine) as connection:
        tried = guessing.begin(connection, place, PASSWORD, now)
    with reading(engine) as connection:
        before = _account(connection, email)
    right = passwords.is_right(password, before.password if before else None)
    with writing(engine) as connection:
        known = _account(connection, email)
        same = known is not None and before is not None and known.password == before.password
        if known is None or not (right and same and known.active):
            _miss(connection, known, place, PASSWORD, request, now)
            return None
        guessing.succeed(connection, tried)
        return begin(connection, known.id, "password", proved_twice=False, required=required, request=request, now=now)


def by_code(
    engine: Engine, cipher: Cipher, session: Session, code: str, *, place: Place, request: str | None, now: datetime
) -> Begun | None:
    """The second step: an authenticator's or a recovery code. None when it is wrong or used. Raises Slowed."""
    with writing(engine) as connection:
        tried = guessing.begin(connection, place, CODE, now)
    with writing(engine) as connection:
        method = _code_used(connection, cipher, session, code, request, now)
        known = _account(connection, session.email)
        if known is None or not (method and known.active and session.unchanged):
            _miss(connection, known, place, CODE, request, now)
            return None
        guessing.succeed(connection, tried)
        sessions.drop(connection, session, now)
        reason = f"password and {method}"
        return begin(connection, known.id, reason, proved_twice=True, required=True, request=request, now=now)


def by_setup_link(
    connection: Connection, token: str, password: str, *, required: bool, request: str | None, now: datetime
) -> Begun | None:
    """Choose a password by a link that works once. None when the link does not. Raises Refusal, and keeps the link."""
    redeemed = tokens.redeem(connection, users.SETUP, token, now)
    if redeemed is None or redeemed.user_id is None:
        return None
    holder = redeemed.user_id
    known = connection.execute(select(User.__table__).where(User.id == holder)).one()
    by = actor(known.email, known.role, request)
    users.set_password(connection, holder, password, by=by, now=now, action="password chosen")
    return begin(connection, holder, "set-up link", proved_twice=False, required=required, request=request, now=now)


def begin(
    connection: Connection,
    user: int,
    method: str,
    *,
    proved_twice: bool,
    required: bool,
    request: str | None,
    now: datetime,
) -> Begun:
    """Begin a session of an account that has shown who she is once, or in two ways."""
    known = connection.execute(select(User.__table__).where(User.id == user)).one()
    stage = FULL
    if not proved_twice and second_step.has_any(connection, user):
        stage = SECOND_STEP
    elif not proved_twice and required:
        stage = SETUP
    last = users.account(connection, user).last_signed_in_at
    token = sessions.start(connection, user, known.fs_uniquifier, stage, now)
    action = users.SIGNED_IN if stage == FULL else "first step given"
    with entry(
        connection,
        chain=ACCOUNTS_CHAIN,
        action=action,
        by=actor(known.email, known.role, request),
        at=now,
        reason=method,
    ):
        pass
    return Begun(token, user, stage, _misses(connection, known.email, last) if stage == FULL else 0)


def go_on(connection: Connection, session: Session, method: str, request: str | None, now: datetime) -> Begun:
    """The person of a session has just set up, or shown again, what it takes: on under a new id."""
    sessions.drop(connection, session, now)
    return begin(connection, session.user_id, method, proved_twice=True, required=True, request=request, now=now)


def prove_by_password(
    engine: Engine, session: Session, password: str, *, place: Place, request: str | None, now: datetime
) -> bool:
    """Show anew who is sitting there. Raises Slowed."""
    with writing(engine) as connection:
        tried = guessing.begin(connection, place, PASSWORD, now)
    with reading(engine) as connection:
        known = _account(connection, session.email)
    right = known is not None and passwords.is_right(password, known.password)
    with writing(engine) as connection:
        if not right:
            _miss(connection, known, place, PASSWORD, request, now)
            return False
        guessing.succeed(connection, tried)
        sessions.prove(connection, session, now)
        tell(connection, "identity shown again", actor(session.email, session.role, request), now, "password")
    return True


def prove_by_code(
    engine: Engine, cipher: Cipher, session: Session, code: str, *, place: Place, request: str | None, now: datetime
) -> bool:
    """Show anew the second step too: an authenticator's or a recovery code. Raises Slowed."""
    with writing(engine) as connection:
        tried = guessing.begin(connection, place, CODE, now)
    with writing(engine) as connection:
        method = _code_used(connection, cipher, session, code, request, now)
        if method is None:
            _miss(connection, _account(connection, session.email), place, CODE, request, now)
            return False
        guessing.succeed(connection, tried)
        tell(connection, "identity shown again", actor(session.email, session.role, request), now, method)
    return True


def account_key(cipher: Cipher, email: str) -> str:
    """Under which name the tries of an account are counted, whether or not it exists."""
    return cipher.digest(f"account {users.normal(email)}")


def actor(email: str, role: str, request: str | None) -> Actor:
    return Actor(email, role, "desk", request)


def _code_used(
    connection: Connection, cipher: Cipher, session: Session, code: str, request: str | None, now: datetime
) -> str | None:
    """Which kind of code it was, and is used up now; None when it is wrong or was used."""
    typed, by = code.strip(), actor(session.email, session.role, request)
    digits = typed.replace(" ", "")
    if digits.isdigit() and len(digits) == second_step.CODE_DIGITS:
        return "code" if second_step.use_code(connection, cipher, session.user_id, digits, by=by, now=now) else None
    used = second_step.use_recovery_code(connection, session.user_id, typed, by=by, now=now)
    return "recovery code" if used else None


def _account(connection: Connection, email: str) -> Any:
    return connection.execute(select(User.__table__).where(User.email == users.normal(email))).one_or_none()


def _miss(
    connection: Connection,
    known: Any,
    place: Place,
    kind: str,
    request: str | None,
    now: datetime,
) -> None:
    """Tell of a miss, and of the delay it may bring. Of an unknown account nothing that was typed is kept."""
    by = actor(known.email, known.role, request) if known else Actor(UNKNOWN, "none", "desk", request)
    tell(connection, MISSED, by, now, kind)
    until = guessing.judged_from(connection, place, kind, now)
    if until > now:
        tell(connection, SLOWED_DOWN, by, now, f"{kind}, until {until.isoformat(timespec='seconds')}")


def tell(connection: Connection, action: str, by: Actor, now: datetime, reason: str) -> None:
    with entry(connection, chain=ACCOUNTS_CHAIN, action=action, by=by, at=now, reason=reason):
        pass


def _misses(connection: Connection, email: str, last: datetime | None) -> int:
    asked = select(func.count()).where(Audit.chain == ACCOUNTS_CHAIN, Audit.actor == email, Audit.action == MISSED)
    return connection.execute(asked.where(Audit.at > last) if last else asked).scalar_one()
