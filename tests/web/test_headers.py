"""Every response of every route carries what keeps it from being kept, framed, sniffed or referred from."""

from dataclasses import replace

import pytest

from epro.settings import Settings
from epro.web.app import create_app

HTTPS = "https://forms.example.org"
EVERYWHERE = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
}


@pytest.fixture
def secure(house):
    settings = Settings(**{**house.settings.model_dump(), "public_url": HTTPS})
    return create_app(replace(house, settings=settings))


def test_every_route_answers_every_method_with_every_header(secure):
    client = secure.test_client()
    given = {"token": "nonsense", "subject": "UME-999", "filename": "patient.css"}
    seen = set()
    with secure.test_request_context():
        adapter = secure.url_map.bind("forms.example.org", url_scheme="https")
    for rule in secure.url_map.iter_rules():
        values = {name: given.get(name, 1 if "int" in str(rule) else "nonsense") for name in rule.arguments}
        path = adapter.build(rule.endpoint, values, method=next(iter(rule.methods)))
        for method in ("GET", "POST", "PUT"):
            response = client.open(path, method=method, base_url=HTTPS)
            _has_every_header(response, f"{method} {rule}")
            seen.add(response.status_code)
    assert {200, 404, 405} <= seen


def test_an_error_inside_a_page_carries_them_too(secure):
    @secure.get("/breaks")
    def breaks():
        raise RuntimeError

    response = secure.test_client().get("/breaks", base_url=HTTPS)

    assert response.status_code == 500
    _has_every_header(response, "a page that breaks")


def test_every_cookie_is_bound_to_this_host(secure):
    client = secure.test_client()
    for path in ("/desk/login", "/p/nonsense?language=en"):
        for cookie in client.get(path, base_url=HTTPS).headers.getlist("Set-Cookie"):
            assert cookie.startswith("__Host-"), cookie.split("=")[0]
            assert {"Secure", "HttpOnly", "Path=/"} <= {part.strip() for part in cookie.split(";")}
            assert "Domain" not in cookie


def _has_every_header(response, what):
    for name, value in EVERYWHERE.items():
        assert response.headers.get(name) == value, (what, name)
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'"), what
    assert "frame-ancestors 'none'" in policy, what
    assert "unsafe" not in policy, what
    kept = response.headers["Cache-Control"]
    assert kept == "no-store" or "/static/" in what, what
