"""The hospital's own sign-on, against a provider that really signs tokens, over HTTP on loopback."""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field, replace
from threading import Thread
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from flask import Flask, redirect, request
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from pydantic import SecretStr
from sqlalchemy import select
from werkzeug.serving import make_server

from epro.acts import users
from epro.store.database import reading, writing
from epro.store.models import Audit
from epro.web.app import create_app
from tests.epro.conftest import NOW, NURSE
from tests.web.conftest import Browser
from tests.web.staffing import Staff

CLIENT, SECRET = "epro-client", "a secret between two services"


@dataclass
class Provider:
    """A sign-on server: discovery, keys, codes with PKCE, tokens. What it claims is told to it."""

    clock: object
    claims: dict = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"}))
    signs_with: RSAKey | None = None
    codes: dict = field(default_factory=dict)
    issuer: str = ""

    def app(self) -> Flask:
        app = Flask("provider")

        @app.get("/.well-known/openid-configuration")
        def discovery():
            return {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "id_token_signing_alg_values_supported": ["RS256"],
            }

        @app.get("/keys")
        def keys():
            return KeySet([self.key]).as_dict(private=False)

        @app.get("/authorize")
        def authorize():
            assert request.args["client_id"] == CLIENT
            assert request.args["code_challenge_method"] == "S256"
            code = secrets.token_urlsafe(8)
            self.codes[code] = request.args.to_dict()
            return redirect(
                f"{request.args['redirect_uri']}?{urlencode({'code': code, 'state': request.args['state']})}"
            )

        @app.post("/token")
        def token():
            asked = self.codes.pop(request.form["code"])
            challenge = hashlib.sha256(request.form["code_verifier"].encode()).digest()
            assert base64.urlsafe_b64encode(challenge).rstrip(b"=").decode() == asked["code_challenge"]
            assert (request.authorization.username, request.authorization.password) == (CLIENT, SECRET)
            at = int(self.clock().timestamp())
            claims = {"iss": self.issuer, "sub": "7", "aud": CLIENT, "iat": at, "exp": at + 300} | {
                "nonce": asked["nonce"],
                **self.claims,
            }
            signed = jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.signs_with or self.key)
            return {"access_token": "opaque", "token_type": "Bearer", "expires_in": 300, "id_token": signed}

        return app


@pytest.fixture
def provider(clock):
    provider = Provider(clock)
    server = make_server("127.0.0.1", 0, provider.app(), threaded=True)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield provider
    server.shutdown()
    thread.join()


@pytest.fixture
def service(house, clock, provider):
    """Builds the service with this provider, and what its settings ask of it."""

    def service(**settings):
        chosen = {
            "public_url": "http://localhost",
            "oidc_issuer": provider.issuer,
            "oidc_client_id": CLIENT,
            "oidc_client_secret": SecretStr(SECRET),
            **settings,
        }
        standing = replace(house, clock=clock, settings=house.settings.model_copy(update=chosen))
        return create_app(standing)

    return service


def sign_on(app, provider, browser=None, **claims):
    """Walk to the provider and back. Returns the browser and the page it arrives at."""
    import requests

    provider.claims = claims
    browser = browser or Browser(app)
    away = browser.client.get("/desk/login/hospital").location
    assert parse_qs(urlsplit(away).query)["redirect_uri"] == ["http://localhost/desk/login/hospital/back"]
    back = requests.get(away, allow_redirects=False, timeout=10).headers["Location"]
    return browser, browser.open(back.removeprefix("http://localhost"))


@pytest.fixture
def nurse(service, house):
    return Staff(service(), house)


def test_the_claim_of_an_account_that_exists_opens_the_desk(service, provider, nurse):
    _, page = sign_on(service(), provider, email=nurse.email.upper())

    assert page.path == "/desk"


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "nobody@example.org"},
        {"email": "nurse0@example.org", "email_verified": False},
        {"email": "nurse0@example.org", "aud": "another-client"},
        {"email": "nurse0@example.org", "aud": "another-client", "azp": CLIENT},
        {"email": "nurse0@example.org", "iss": "https://evil.example"},
        {"email": "nurse0@example.org", "nonce": "of somebody else"},
        {"email": "nurse0@example.org", "exp": 1_000_000_000},
        {},
    ],
)
def test_a_token_that_is_not_for_this_person_here_and_now_opens_nothing(service, provider, nurse, house, claims):
    browser, page = sign_on(service(), provider, **claims)

    assert page.path == "/desk/login"
    assert browser.open("/desk").path == "/desk/login"
    with reading(house.engine) as connection:
        last = (
            connection.execute(select(Audit.action).where(Audit.chain == "accounts").order_by(Audit.seq))
            .scalars()
            .all()
        )
        assert last[-1] == "sign-in missed"


def test_a_token_signed_by_another_key_opens_nothing(service, provider, nurse):
    provider.signs_with = RSAKey.generate_key(2048, {"kid": "one"})

    assert sign_on(service(), provider, email=nurse.email)[1].path == "/desk/login"


def test_a_closed_account_stays_closed(service, provider, nurse, house):
    with writing(house.engine) as connection:
        users.disable(connection, users.id_of(connection, nurse.email), by=NURSE, now=NOW)

    assert sign_on(service(), provider, email=nurse.email)[1].path == "/desk/login"


def test_an_answer_that_nobody_asked_for_opens_nothing(service, provider, nurse):
    assert Browser(service()).open("/desk/login/hospital/back?code=x&state=y").path == "/desk/login"


def test_the_provider_counts_as_both_steps_only_where_it_vouches_for_them(service, provider, nurse):
    app = service(oidc_vouches_for="mfa urn:loa3")

    assert sign_on(app, provider, email=nurse.email, amr=["pwd"])[1].path == "/desk/login"
    assert sign_on(app, provider, email=nurse.email, amr=["pwd", "mfa"])[1].path == "/desk"
    assert sign_on(app, provider, email=nurse.email, acr="urn:loa3")[1].path == "/desk"


def test_without_an_issuer_there_is_no_such_page(app):
    assert Browser(app).open("/desk/login/hospital").status == 404
    assert Browser(app).open("/desk/login/hospital/back?code=x&state=y").status == 404
