"""What holds for every page."""

from dataclasses import replace

import pytest
from flask import request
from sqlalchemy import event

from epro.settings import Settings
from epro.store.database import open_engine
from epro.web.app import create_app
from tests.web.conftest import Browser


@pytest.mark.parametrize("path", ["/p/nonsense", "/form", "/form/3", "/no-such-page", "/health"])
def test_no_page_is_kept_framed_referred_to_or_given_to_others(browser, path):
    headers = browser.open(path).headers

    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]


def test_a_file_of_ours_may_be_kept_for_a_year_because_its_address_follows_its_content(browser):
    page = browser.open("/desk/login")
    address = page.html.split('rel="stylesheet" href="')[1].split('"')[0]

    response = browser.client.get(address)

    assert response.status_code == 200
    assert "max-age=31536000" in response.headers["Cache-Control"]
    assert "?v=" in address


def test_over_https_the_session_is_bound_to_this_host_and_needs_no_referrer(house, token):
    secure = Settings(**{**house.settings.model_dump(), "public_url": "https://forms.example.org"})
    app = create_app(replace(house, settings=secure))
    client = app.test_client()
    https = {"base_url": "https://forms.example.org", "headers": {"Accept-Language": "sv"}}
    started = client.get(f"/p/{token}", **https)
    csrf = started.text.split('name="csrf_token" value="')[1].split('"')[0]

    response = client.post(f"/p/{token}", data={"csrf_token": csrf}, **https)

    assert response.status_code == 303
    assert "max-age" in response.headers["Strict-Transport-Security"]
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("__Host-epro=")
    for attribute in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert attribute in cookie
    assert "Domain" not in cookie


def test_a_language_once_chosen_is_remembered_by_the_browser(browser):
    assert browser.open("/p/nonsense").language == "sv"
    assert browser.open("/p/nonsense?language=en").language == "en"
    assert browser.open("/p/nonsense").language == "en"
    assert browser.open("/p/nonsense?language=tlh").language == "en"


def test_a_browser_that_speaks_none_of_the_trials_languages_gets_its_first(app):
    assert Browser(app, **{"Accept-Language": "fi"}).open("/p/nonsense").language == "sv"


@pytest.mark.requirement("abuse-30")
def test_too_much_is_refused_in_words(browser, token):
    page = browser.begin(token)

    assert browser.press(page, note="x" * 100_000).status == 413
    many = {f"field-{n}": "x" for n in range(10_000)}
    assert browser.press(page, **many).status == 413


def test_a_page_that_does_not_exist_says_so_without_a_traceback(browser):
    page = browser.open("/no-such-page")

    assert (page.status, page.heading) == (404, "Det gick inte")
    assert browser.client.put("/form").status_code == 405


@pytest.mark.requirement("abuse-22")
def test_an_unforeseen_error_shows_no_traceback_and_logs_no_value(app, caplog):
    @app.get("/breaks")
    def breaks():
        raise ValueError("+46701740605 said 4")

    page = Browser(app).open("/breaks")

    assert page.status == 500
    assert "Inget sparades" in page.words
    assert "Traceback" not in page.html
    assert "unforeseen ValueError at breaks:" in caplog.text
    assert "0701740605" not in caplog.text.replace("+46", "0")


def test_a_database_that_does_not_answer_is_told_as_such(house, tmp_path, caplog):
    away = replace(house, engine=open_engine(f"sqlite:///{tmp_path / 'no-such-folder' / 'epro.db'}"))

    page = Browser(create_app(away)).open("/p/nonsense")

    assert page.status == 503
    assert "Inget sparades just nu" in page.words
    assert page.headers["Retry-After"]
    assert "The database cannot be reached" in caplog.text


def test_an_answer_that_could_not_be_written_is_never_called_saved(house, browser, token):
    if house.engine.dialect.name != "sqlite":
        pytest.skip("a database that refuses writes is played on SQLite alone")
    page = browser.begin(token)

    @event.listens_for(house.engine, "checkout")
    def refuse_writes(connection, _record, _proxy):
        connection.execute("PRAGMA query_only=ON")

    refused = browser.press(page, value="2")

    assert refused.status == 503
    assert "Inget sparades just nu" in refused.words
    assert browser.open("/form/1").chosen is None


@pytest.mark.requirement("trust-24")
@pytest.mark.parametrize(("proxies", "seen"), [(0, "127.0.0.1"), (1, "198.51.100.7"), (2, "203.0.113.9")])
def test_who_asks_is_what_the_last_proxies_say_and_nothing_that_a_caller_made_up(house, proxies, seen):
    """As many names are believed as EPRO_PROXIES says, from the end; without proxies none, for anybody writes them."""
    settings = house.settings.model_copy(update={"proxies": proxies})
    app = create_app(replace(house, settings=settings))
    app.add_url_rule("/who", "who", lambda: request.remote_addr)

    told = app.test_client().get("/who", headers={"X-Forwarded-For": "192.0.2.1, 203.0.113.9, 198.51.100.7"})

    assert told.text == seen
