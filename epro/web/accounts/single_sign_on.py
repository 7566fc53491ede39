"""How does the hospital's own sign-on open the desk? OpenID Connect by Authlib, where the settings name an issuer.

Authorization code with PKCE, state and nonce; the token is judged at the service's own clock. It opens accounts that
exist and makes none: the claim that the settings name must be the e-mail address of an active one. Where the settings
name what the provider must vouch for (`acr` or `amr`), its word is both steps; else the second step is asked for here.
"""

from __future__ import annotations

from typing import Any

from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.flask_client import OAuth
from authlib.oidc.core import CodeIDToken
from flask import Flask, abort, current_app, flash, redirect, url_for
from flask_babel import gettext
from joserfc.errors import InvalidClaimError, JoseError
from requests import RequestException

from epro.acts import signing_in, users
from epro.acts.users import NoSuchAccount
from epro.settings import Settings
from epro.store.audit import Actor
from epro.web.accounts.blueprint import SIGN_IN, pages, went_on
from epro.web.accounts.signing_in import request_id
from epro.web.house import house, now, writing

PROVIDER = "hospital"
WELL_KNOWN = "/.well-known/openid-configuration"
LEEWAY_SECONDS = 60
TIMEOUT_SECONDS = 10


class Claims(CodeIDToken):  # type: ignore[misc]
    """What the provider says of the person, judged at the service's clock."""

    def validate(self, now: Any = None, leeway: int = 0) -> None:
        super().validate(now=int(this_second()), leeway=LEEWAY_SECONDS)
        audience = self["aud"] if isinstance(self["aud"], list) else [self["aud"]]
        if self.params["client_id"] not in audience:
            raise InvalidClaimError("aud")


def this_second() -> float:
    return now().timestamp()


def init_app(app: Flask) -> None:
    settings: Settings = app.extensions["epro"].settings
    if not settings.oidc_issuer:
        return
    clients = OAuth(app)
    clients.register(
        PROVIDER,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value(),
        server_metadata_url=settings.oidc_issuer.rstrip("/") + WELL_KNOWN,
        client_kwargs={
            "scope": "openid email",
            "code_challenge_method": "S256",
            "default_timeout": TIMEOUT_SECONDS,
        },
    )


@pages.get("/login/hospital")
def single_sign_on() -> Any:
    """To the provider; nothing is written before the person comes back."""
    try:
        return _client().authorize_redirect(house().settings.address + url_for("accounts.signed_on"))
    except (OAuthError, RequestException):
        return _refused("provider not reached")


@pages.get("/login/hospital/back")
def signed_on() -> Any:
    """The provider sends the person back here."""
    settings = house().settings
    try:
        claims = _client().authorize_access_token(claims_cls=Claims).get("userinfo")
    except (OAuthError, JoseError, RequestException, ValueError, KeyError, TypeError):
        return _refused("token not good")
    email = str((claims or {}).get(settings.oidc_claim) or "")
    if not email or claims.get("email_verified") is False:
        return _refused("no address")
    vouched = settings.oidc_vouches_for and _vouches(claims, settings.oidc_vouches_for)
    if settings.oidc_vouches_for and not vouched:
        return _refused("sign-on not strong enough")
    required = house().protocol.second_step_required
    with writing() as connection:
        user = _account(connection, email)
        if user is not None:
            begun = signing_in.begin(
                connection,
                user,
                "single sign-on",
                proved_twice=bool(vouched),
                required=required,
                request=request_id(),
                now=now(),
            )
    if user is None:
        return _refused("no account")
    return went_on(begun, email)


def _account(connection: Any, email: str) -> int | None:
    try:
        known = users.account(connection, users.id_of(connection, email))
    except NoSuchAccount:
        return None
    return known.id if known.active else None


def _vouches(claims: dict[str, Any], wanted: str) -> bool:
    """Whether `acr` is, or `amr` holds, one of the values that the settings want."""
    said = {str(claims.get("acr"))} | {str(each) for each in claims.get("amr") or ()}
    return bool(said & set(wanted.split()))


def _refused(why: str) -> Any:
    """One sentence for the person, whatever the reason; the trail says which."""
    with writing() as connection:
        by = Actor(signing_in.UNKNOWN, "none", "desk", request_id())
        signing_in.tell(connection, signing_in.MISSED, by, now(), f"single sign-on: {why}")
    flash(gettext("The hospital's sign-on did not open the desk. Try again, or ask your administrator."))
    return redirect(url_for(SIGN_IN), 303)


def _client() -> Any:
    """The provider's client; no such page where no issuer is set."""
    clients = current_app.extensions.get("authlib.integrations.flask_client")
    if clients is None:
        abort(404)
    return clients.create_client(PROVIDER)
