"""Who is sitting there? Asked of the table of sessions at each request, never of the cookie alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from flask import Flask, g, request, session
from flask_login import LoginManager, UserMixin
from itsdangerous import BadSignature, URLSafeSerializer

from epro.acts import sessions, signing_in
from epro.acts.guessing import Place
from epro.acts.sessions import FULL, Session
from epro.web.house import house, now, reading, writing

COOKIE_KEY = "staff"  # the session's token, in the signed cookie
DEVICE_COOKIE = "epro_device"
HALF_A_YEAR_SECONDS = 183 * 24 * 3600
MOST_ON_ONE_DEVICE = 20


@dataclass(frozen=True)
class Staff(UserMixin):  # type: ignore[misc]
    """The member of staff of this request; everything is as the database has it now."""

    session: Session

    @property
    def id(self) -> int:
        return self.session.user_id

    @property
    def email(self) -> str:
        return self.session.email

    @property
    def name(self) -> str:
        return self.session.name

    @property
    def role(self) -> str:
        return self.session.role

    @property
    def sites(self) -> tuple[str, ...]:
        return self.session.sites

    @property
    def password(self) -> str | None:
        """The stored hash."""
        return self.session.password

    def get_id(self) -> str:
        return str(self.session.user_id)


def init_app(app: Flask) -> None:
    manager = LoginManager(app)
    manager.session_protection = None  # the table of sessions protects them
    manager.request_loader(lambda _request: _staff())


def _staff() -> Staff | None:
    found = present()
    return Staff(found) if found is not None and found.stage == FULL else None


def present() -> Session | None:
    """The session of this browser while it lasts, at whichever step; ends it, with its line in the trail, when not."""
    if "present" not in g:
        g.present, g.lapsed = None, None
        token = session.get(COOKIE_KEY)
        if isinstance(token, str):
            _look(token)
    return cast(Session | None, g.present)


def lapsed() -> Session | None:
    """The session that this browser still thinks it has."""
    present()
    return cast(Session | None, g.lapsed)


def _look(token: str) -> None:
    with reading() as connection:
        found = sessions.find(connection, token)
    if found is None:
        return
    why = found.end_at(now())
    if found.ended_at is not None or why is not None:
        g.lapsed = found
        if found.ended_at is None and why is not None:
            with writing() as connection:
                sessions.end(connection, found, why, actor_of(found), now())
        return
    if now() - found.seen_at >= sessions.TOUCHED_EVERY:
        with writing() as connection:
            sessions.touch(connection, found, now())
    g.present = found


def keep(token: str) -> None:
    """Give this browser its new session. Nothing of what it held before goes on."""
    kept = {name: session[name] for name in ("_flashes",) if name in session}
    session.clear()
    session.update(kept)
    session[COOKIE_KEY] = token
    for name in ("present", "lapsed", "_login_user"):
        g.pop(name, None)


def leave() -> None:
    """End the session wholly: nothing of it can be used on a tablet that changes hands."""
    found = present()
    if found is not None:
        with writing() as connection:
            sessions.end(connection, found, sessions.SIGNED_OUT, actor_of(found), now())
    session.clear()
    for name in ("present", "lapsed", "_login_user"):
        g.pop(name, None)


def actor_of(found: Session) -> Any:
    return signing_in.actor(found.email, found.role, g.get("request_id"))


def place_of(email: str) -> Place:
    """Whose account is tried, and from where."""
    cipher = house().cipher
    account = signing_in.account_key(cipher, email)
    device, accounts = _device()
    known = cipher.digest(f"device {device} {account}") if account[:16] in accounts else None
    return Place(account, cipher.digest(f"address {request.remote_addr}"), known)


def remember_device(response: Any, email: str) -> None:
    """From now on this browser is one that the account has signed in from."""
    import secrets

    device, accounts = _device()
    key = signing_in.account_key(house().cipher, email)[:16]
    accounts = [*(each for each in accounts if each != key), key][-MOST_ON_ONE_DEVICE:]
    value = _signer().dumps([device or secrets.token_hex(16), accounts])
    secure = house().settings.address.startswith("https://")
    response.set_cookie(
        DEVICE_COOKIE, value, max_age=HALF_A_YEAR_SECONDS, httponly=True, samesite="Lax", secure=secure, path="/desk"
    )


def _device() -> tuple[str, list[str]]:
    try:
        device, accounts = _signer().loads(request.cookies.get(DEVICE_COOKIE, ""))
    except (BadSignature, ValueError, TypeError):
        return "", []
    return str(device), [str(each) for each in accounts]


def _signer() -> URLSafeSerializer:
    settings = house().settings
    keys = [key.get_secret_value() for key in (*settings.old_secret_keys, settings.secret_key)]  # the last one signs
    return URLSafeSerializer(keys, salt="epro device")
