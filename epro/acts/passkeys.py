"""How is a passkey added, and how does it sign in? W3C Web Authentication, judged by the webauthn library.

A passkey proves possession and, by the device's own lock, the person: it is both steps at once, and it answers only to
our own address. Each challenge works once.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import webauthn
from sqlalchemy import Connection, Engine, select
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, parse_client_data_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from epro.acts import second_step, signing_in, tokens
from epro.acts.sessions import Session
from epro.acts.signing_in import Begun
from epro.acts.users import new_uniquifier
from epro.store.audit import ACCOUNTS_CHAIN, Actor, entry
from epro.store.database import writing
from epro.store.models import Passkey, User

CHALLENGE_LASTS = timedelta(minutes=5)
REGISTER, SIGN_IN = "register", "sign_in"
LONGEST_NAME = 60
# what a body that anybody may send can raise
UNREADABLE = (
    WebAuthnException,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RecursionError,
)


@dataclass(frozen=True)
class Place:
    """The address a passkey answers to."""

    origin: str

    @property
    def host(self) -> str:
        return urlsplit(self.origin).hostname or ""


def options_to_register(connection: Connection, place: Place, session: Session, now: datetime) -> str:
    """What a browser needs to make a passkey, as JSON."""
    made = webauthn.generate_registration_options(
        rp_id=place.host,
        rp_name=second_step.ISSUER,
        user_id=hashlib.sha256(f"epro account {session.user_id}".encode()).digest(),
        user_name=session.email,
        user_display_name=session.name,
        challenge=_challenge(connection, REGISTER, session.user_id, now),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[
            PublicKeyCredentialDescriptor(id=base64url_to_bytes(key.credential))
            for key in second_step.passkeys_of(connection, session.user_id)
        ],
    )
    return webauthn.options_to_json(made)


def register(
    connection: Connection, place: Place, session: Session, credential: str, name: str, *, by: Actor, now: datetime
) -> bool:
    """Keep the passkey a browser has made; other sessions of the account end. Returns whether it is a good one."""
    challenge = _redeemed(connection, REGISTER, credential, session.user_id, now)
    if challenge is None:
        return False
    try:
        made = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=place.host,
            expected_origin=place.origin,
            require_user_verification=True,
        )
    except UNREADABLE:
        return False
    with entry(connection, chain=ACCOUNTS_CHAIN, action="passkey added", by=by, at=now) as opened:
        opened.insert(
            Passkey,
            user_id=session.user_id,
            credential=bytes_to_base64url(made.credential_id),
            public_key=bytes_to_base64url(made.credential_public_key),
            sign_count=made.sign_count,
            name=name.strip()[:LONGEST_NAME] or "passkey",
            added_at=now,
        )
        opened.update(User, session.user_id, fs_uniquifier=new_uniquifier())
    return True


def remove(connection: Connection, user: int, passkey: int, *, by: Actor, now: datetime) -> bool:
    """Take a passkey of one's own away."""
    if passkey not in [key.id for key in second_step.passkeys_of(connection, user)]:
        return False
    with entry(connection, chain=ACCOUNTS_CHAIN, action="passkey removed", by=by, at=now) as opened:
        opened.update(Passkey, passkey, removed_at=now)
    return True


def options_to_sign_in(connection: Connection, place: Place, now: datetime) -> str:
    """What a browser needs to sign in with whichever passkey it holds for this address, as JSON."""
    asked = webauthn.generate_authentication_options(
        rp_id=place.host,
        challenge=_challenge(connection, SIGN_IN, None, now),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return webauthn.options_to_json(asked)


def sign_in(engine: Engine, place: Place, credential: str, *, request: str | None, now: datetime) -> Begun | None:
    """Begin a session by a passkey; not counted as a try, for nobody guesses a signature. None when it is not good."""
    with writing(engine) as connection:
        user = proved(connection, place, credential, request=request, now=now)
        if user is None:
            return None
        return signing_in.begin(connection, user, "passkey", proved_twice=True, required=True, request=request, now=now)


def proved(connection: Connection, place: Place, credential: str, *, request: str | None, now: datetime) -> int | None:
    """Whose passkey has signed this challenge; None when it is nobody's, or of a closed account."""
    challenge = _redeemed(connection, SIGN_IN, credential, None, now)
    known = None if challenge is None else _known(connection, credential)
    if challenge is None or known is None:
        return None
    try:
        shown = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=place.host,
            expected_origin=place.origin,
            credential_public_key=base64url_to_bytes(known.public_key),
            credential_current_sign_count=known.sign_count,
            require_user_verification=True,
        )
    except UNREADABLE:
        return None
    by = signing_in.actor(known.email, known.role, request)
    with entry(connection, chain=ACCOUNTS_CHAIN, action="passkey used", by=by, at=now) as opened:
        opened.update(Passkey, known.id, sign_count=shown.new_sign_count)
    return int(known.user_id)


def _challenge(connection: Connection, purpose: str, user: int | None, now: datetime) -> bytes:
    return tokens.issue(connection, purpose, user, now + CHALLENGE_LASTS).encode()


def _redeemed(connection: Connection, purpose: str, credential: str, user: int | None, now: datetime) -> bytes | None:
    """The challenge that was signed, used up here; None when it was not ours, not for this person, or used before."""
    try:
        client_data = base64url_to_bytes(json.loads(credential)["response"]["clientDataJSON"])
        challenge = parse_client_data_json(client_data).challenge
        redeemed = tokens.redeem(connection, purpose, challenge.decode(), now)
    except UNREADABLE:
        return None
    return challenge if redeemed is not None and redeemed.user_id == user else None


def _known(connection: Connection, credential: str) -> Any:
    """The passkey of this id with its account, if both stand; of a credential whose challenge has been read."""
    wanted = str(json.loads(credential).get("id", ""))
    asked = select(Passkey.id, Passkey.user_id, Passkey.public_key, Passkey.sign_count, User.email, User.role)
    here = (Passkey.credential == wanted, Passkey.removed_at.is_(None), User.active)
    return connection.execute(asked.join(User, User.id == Passkey.user_id).where(*here)).one_or_none()
