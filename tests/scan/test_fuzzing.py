"""No request breaks a page, whoever sends it; and the same fuzzer breaks the control application."""

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from epro.acts import users
from epro.web.desk.gate import ROLES_WITH
from tests.scan.control import control
from tests.scan.document import document_of
from tests.web.conftest import Browser, app, clock, desk, house, link, token
from tests.web.staffing import Staff

__all__ = ["app", "clock", "desk", "house", "link", "token"]

EXAMPLES = int(os.environ.get("SCAN_EXAMPLES", "8"))  # of each route, by everybody together; `make scan` asks for more
LAST = ("/desk/logout", "/desk/patients/{subject}/tablet", "/desk/account", "/form/submit")  # may end a session
ROLES = sorted({role for roles in ROLES_WITH.values() for role in roles})
OFTEN = settings(
    max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


def broken(app, people: dict[str, dict[str, str]]) -> list[str]:
    """The routes that answered 5xx, and whom. people: the cookies of each; every request is somebody's."""
    found = schemathesis.openapi.from_dict(document_of(app))
    found.app = app
    wrong: list[str] = []
    operations = [result.ok() for result in found.get_all_operations()]
    for operation in sorted(operations, key=lambda each: each.path.startswith(LAST)):

        @OFTEN
        @given(case=operation.as_strategy(), who=st.sampled_from(sorted(people)))
        def fuzz(case, who):
            try:
                status = case.call(cookies=people[who]).status_code
            except Exception:  # an application without a page for its errors lets them through
                status = 500
            if status >= 500 and case.path != "/health":  # which says 503 while no clock runs
                wrong.append(f"{case.method} {case.path} as {who}: {status}")

        fuzz()
    return wrong


def cookies_of(browser: Browser) -> dict[str, str]:
    return {cookie.key: cookie.value for cookie in browser.client._cookies.values()}


def test_the_fuzzer_finds_the_planted_number():
    assert {each.split("/")[1].split()[0] for each in broken(control(), {"anybody": {}})} >= {"thing"}


@pytest.mark.timeout(1800)
def test_no_request_of_anybody_breaks_a_page(app, house, token):
    patient = Browser(app)
    patient.begin(token)
    people = {"stranger": {}, "patient": cookies_of(patient)}
    for role in ROLES:
        people[role] = cookies_of(Staff(app, house, role=role, sites=["UME"] if role in users.AT_OWN_SITES else []))
    app.config["WTF_CSRF_ENABLED"] = False  # so that what is sent reaches the page

    assert broken(app, people) == []
