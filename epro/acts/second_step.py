"""With what, beside the password, does a person show who she is: a code, a passkey, a recovery code?

Codes are those of an authenticator app (RFC 6238, 6 digits, 30 s), by Flask-Security's Totp. The step of the last code
that was used is kept with the account and only moves forward, so that one code opens one session, also for two at once.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from typing import Any

from flask_security.totp import Totp
from passlib.totp import TOTP
from sqlalchemy import Connection, select

from epro.acts.users import new_uniquifier
from epro.store.audit import ACCOUNTS_CHAIN, Actor, entry
from epro.store.contacts import Cipher
from epro.store.models import Passkey, RecoveryCode, User

ISSUER = "epro"
DRIFT_SECONDS = 30  # how far a phone's clock may be off
RECOVERY_CODES = 10
RECOVERY_BYTES = 8
CODE_DIGITS = 6


class Codes(Totp):
    """Flask-Security's codes, judged at a given instant; `counter` is the step of the code that was right.

    last: the step of the last code that was used; that one and older ones are wrong.
    """

    def __init__(self, now: datetime, last: int | None = None) -> None:
        self.last, self.counter = last, 0
        self._totp = TOTP.using(issuer=ISSUER, now=staticmethod(lambda: now.timestamp()))

    def generate_totp_secret(self) -> str:
        return str(self._totp.new().to_json(encrypt=False))  # encrypted by our own keys, so that they rotate together

    def get_last_counter(self, user: Any) -> int | None:
        return self.last

    def set_last_counter(self, user: Any, tmatch: Any) -> None:
        self.counter = tmatch.counter


def new_secret(now: datetime) -> str:
    """The secret of a new authenticator, as an app and `address_of` take it."""
    return Codes(now).generate_totp_secret()


def address_of(secret: str, email: str, now: datetime) -> tuple[str, str]:
    """The otpauth: address that a QR code holds, and the secret as a person types it."""
    codes = Codes(now)
    return codes.get_totp_uri(email, secret), codes.get_totp_pretty_key(secret)


def use_code(connection: Connection, cipher: Cipher, user: int, code: str, *, by: Actor, now: datetime) -> bool:
    """Whether it is a code of this account's authenticator that was not used; it is used up by asking."""
    kept = connection.execute(select(User.totp_secret).where(User.id == user)).scalar_one()
    counter = _counter_of(connection, cipher.decrypt(kept), user, code, now) if kept else None
    if counter is None:
        return False
    with entry(connection, chain=ACCOUNTS_CHAIN, action="code used", by=by, at=now) as opened:
        opened.update(User, user, totp_counter=counter)
    return True


def keep_authenticator(
    connection: Connection, cipher: Cipher, user: int, secret: str, code: str, *, by: Actor, now: datetime
) -> bool:
    """Set up an authenticator whose first code is right; other sessions end. Returns whether it was."""
    counter = _counter_of(connection, secret, user, code, now)
    if counter is None:
        return False
    with entry(connection, chain=ACCOUNTS_CHAIN, action="authenticator set up", by=by, at=now) as opened:
        kept = {"totp_secret": cipher.encrypt(secret), "totp_counter": counter}
        opened.update(User, user, **kept, fs_uniquifier=new_uniquifier())
    return True


def new_recovery_codes(connection: Connection, user: int, *, by: Actor, now: datetime) -> list[str]:
    """Ten codes in place of those before. They are shown once and kept as hashes."""
    codes = [_grouped(secrets.token_hex(RECOVERY_BYTES)) for _ in range(RECOVERY_CODES)]
    with entry(connection, chain=ACCOUNTS_CHAIN, action="recovery codes made", by=by, at=now) as opened:
        for old in _unused(connection, user):
            opened.update(RecoveryCode, old, used_at=now)
        rows = [{"user_id": user, "code_hash": _hash_of(code)} for code in codes]
        opened.insert_all(RecoveryCode, rows)
    return codes


def use_recovery_code(connection: Connection, user: int, code: str, *, by: Actor, now: datetime) -> bool:
    """Whether it is an unused recovery code of this account; it is used up by asking."""
    here = (RecoveryCode.user_id == user, RecoveryCode.code_hash == _hash_of(code), RecoveryCode.used_at.is_(None))
    asked = select(RecoveryCode.id).where(*here)
    if connection.dialect.name == "postgresql":
        asked = asked.with_for_update()  # SQLite's transaction already holds the only write lock
    found = connection.execute(asked).scalar_one_or_none()
    if found is None:
        return False
    with entry(connection, chain=ACCOUNTS_CHAIN, action="recovery code used", by=by, at=now) as opened:
        opened.update(RecoveryCode, found, used_at=now)
    return True


def recovery_codes_left(connection: Connection, user: int) -> int:
    return len(_unused(connection, user))


def passkeys_of(connection: Connection, user: int) -> list[Any]:
    """id, name and added_at of the passkeys of an account."""
    asked = select(Passkey.id, Passkey.name, Passkey.added_at, Passkey.credential)
    return list(connection.execute(asked.where(Passkey.user_id == user, Passkey.removed_at.is_(None))).all())


def has_any(connection: Connection, user: int) -> bool:
    """Whether the account has a second step."""
    secret = connection.execute(select(User.totp_secret).where(User.id == user)).scalar_one()
    return secret is not None or bool(passkeys_of(connection, user))


def reset(connection: Connection, user: int, *, by: Actor, now: datetime) -> None:
    """Take every second step from an account: of somebody who has lost hers and has shown in person who she is."""
    with entry(connection, chain=ACCOUNTS_CHAIN, action="second step reset", by=by, at=now) as opened:
        opened.update(User, user, totp_secret=None, fs_uniquifier=new_uniquifier())
        for key in passkeys_of(connection, user):
            opened.update(Passkey, key.id, removed_at=now)
        for code in _unused(connection, user):
            opened.update(RecoveryCode, code, used_at=now)


def _counter_of(connection: Connection, secret: str, user: int, code: str, now: datetime) -> int | None:
    """The step of a code that is right and was not used; None when it is neither. Of two at once one waits here."""
    asked = select(User.totp_counter).where(User.id == user)
    if connection.dialect.name == "postgresql":
        asked = asked.with_for_update()  # SQLite's transaction already holds the only write lock
    codes: Any = Codes(now, connection.execute(asked).scalar_one())
    right = codes.verify_totp(code.replace(" ", ""), secret, user, window=DRIFT_SECONDS)
    return codes.counter if right else None


def _unused(connection: Connection, user: int) -> list[int]:
    here = (RecoveryCode.user_id == user, RecoveryCode.used_at.is_(None))
    return list(connection.execute(select(RecoveryCode.id).where(*here)).scalars())


def _hash_of(code: str) -> str:
    """They are random and long enough (64 bits, few tries) for a plain hash."""
    letters = code.replace("-", "").replace(" ", "").lower()
    return hashlib.sha256(letters.encode()).hexdigest()


def _grouped(letters: str) -> str:
    return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))
