"""Whatever is sent to a patient's page, it is answered in words: no request makes one of them fail."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.conftest import Browser

ROUTES = (
    "/",
    "/p/{any}",
    "/p/{token}",
    "/p/{token}/not-me",
    "/form",
    "/form/copy",
    "/form/{n}",
    "/form/review",
    "/form/language",
    "/form/answer",
    "/form/submit",
    "/form/done",
    "/accessibility",
    "/worker.js",
)
FIELDS = ("csrf_token", "key", "value", "blank", "ticket", "name", "said_at", "send", "who", "code", "language", "why")
anything = st.text(max_size=60) | st.sampled_from(
    ["1", "-1", "9" * 40, "qlq-c30.q1", "a" * 32, "\0", "²", "2027-03-01T12:00:00+00:00", "W10.x", "{}", "en", "proxy"]
)
requests = st.fixed_dictionaries(
    {
        "route": st.sampled_from(ROUTES),
        "method": st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]),
        "any": st.text(min_size=1, max_size=60).map(lambda text: text.replace("/", "")),
        "n": st.integers(min_value=0, max_value=2**70),
        "fields": st.dictionaries(st.sampled_from(FIELDS), anything, max_size=8),
        "query": st.dictionaries(st.sampled_from(["language", "then", "token"]), anything, max_size=2),
        "keeps_token": st.booleans(),
    }
)


@pytest.fixture
def sitting(app, token):
    """A browser that has begun a form, and its page's own fields."""
    browser = Browser(app)
    page = browser.begin(token)
    ticket = page.html.split('"ticket": "')[1].split('"')[0]
    return browser, token, {**page.fields, "ticket": ticket}


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(asked=requests)
def test_no_request_to_a_patients_page_fails(sitting, clock, asked):
    browser, token, fields = sitting
    clock.wait(minutes=5)  # so that whoever guesses seldom waits, and the routes behind are reached
    path = asked["route"].format(any=asked["any"] or "x", token=token, n=asked["n"])
    sent = {**(fields if asked["keeps_token"] else {}), **asked["fields"]}

    reply = browser.client.open(path, method=asked["method"], data=sent, query_string=asked["query"])

    assert reply.status_code < 500
    assert "Traceback" not in reply.text
