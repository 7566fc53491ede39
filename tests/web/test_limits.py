"""What is too much is refused in words, at once, and nothing of it reaches a page."""

import json

import pytest

from epro.web.limits import MAX_DEPTH, depth_of
from tests.web.conftest import Browser, rows_of
from tests.web.staffing import Staff

pytestmark = pytest.mark.requirement("abuse-30")


@pytest.mark.parametrize("n", [2**31, 2**63, 2**64, 10**40])
def test_a_number_that_no_database_can_hold_is_no_page(browser, token, n):
    browser.begin(token)

    assert browser.open(f"/form/{n}").status == 404


def test_an_address_that_is_too_long_is_refused(browser):
    assert browser.open("/p/" + "a" * 3_000).status == 414
    assert browser.open("/p/x?" + "a" * 3_000).status == 414


def test_headers_that_are_too_large_are_refused(app):
    assert Browser(app, **{"X-Note": "a" * 20_000}).open("/p/nonsense").status == 431


@pytest.mark.parametrize("path", ["/p/a%00b", "/p/nonsense?language=%00"])
def test_a_nul_in_an_address_is_refused(browser, path):
    assert browser.open(path).status == 400


def test_a_nul_in_a_form_is_refused_before_the_database_sees_it(app, house):
    nurse = Staff(app, house, sites=["UME"])
    before = rows_of(house)

    assert nurse.enrol(house, subject="UME\0001").status_code == 400
    assert rows_of(house) == before


def test_json_that_is_nested_deeper_than_anything_we_read_is_400(app):
    @app.post("/echo")
    def echo():
        from flask import request

        return {"read": request.get_json() is not None}

    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    deep = "[" * 30_000 + "]" * 30_000

    assert client.post("/echo", data=deep, content_type="application/json").status_code == 400
    assert client.post("/echo", data="[" * 60_000, content_type="application/json").status_code == 400
    assert client.post("/echo", json={"a": [1]}).status_code == 200
    assert depth_of(json.dumps({"a": [[1]]})) == 3 < MAX_DEPTH


@pytest.mark.parametrize("code", [400, 403, 404, 405, 408, 413, 414, 415, 429, 431, 500, 503])
def test_every_error_is_a_page_in_both_languages(app, code):
    @app.get("/fails")
    def fails():
        from flask import abort

        abort(code)

    swedish, english = (Browser(app, **{"Accept-Language": language}).open("/fails") for language in ("sv", "en"))

    assert swedish.status == english.status == code
    assert (swedish.heading, english.heading) == ("Det gick inte", "That did not work")
    assert swedish.words != english.words


def test_an_error_keeps_what_a_program_needs_to_know(browser):
    response = browser.client.put("/form")

    assert response.status_code == 405
    assert "GET" in response.headers["Allow"]
