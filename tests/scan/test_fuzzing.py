"""No request breaks a page, whoever sends it; and the same fuzzer breaks the control application."""

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from epro.web.desk.gate import ROLES_WITH
from tests.scan.control import control
from tests.scan.document import document_of
from tests.web.conftest import app, clock, desk, house, link, schema, token
from tests.web.staffing import Staff

__all__ = ["app", "clock", "desk", "house", "link", "schema", "token"]

EXAMPLES = int(os.environ.get("SCAN_EXAMPLES", "6"))  # of each route; `make scan` asks for more
ROLES = sorted({role for roles in ROLES_WITH.values() for role in roles})


OFTEN = settings(
    max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


def broken(app, headers=None, cookies=None) -> list[str]:
    """The routes that answered 5xx, with what broke them."""
    found = schemathesis.openapi.from_dict(document_of(app))
    found.app = app
    wrong: list[str] = []
    for result in found.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def fuzz(case):
            try:
                status = case.call(headers=headers, cookies=cookies).status_code
            except Exception:  # an application without a page for its errors lets them through
                status = 500
            if status >= 500 and case.path != "/health":  # which says 503 while no clock runs
                wrong.append(f"{case.method} {case.path}: {status}")

        fuzz()
    return wrong


def test_the_fuzzer_finds_the_planted_number():
    assert {each.split("/")[1] for each in broken(control())} >= {"thing"}


def test_no_request_of_a_stranger_breaks_a_page(app):
    assert broken(app) == []


@pytest.mark.parametrize("role", ROLES)
def test_no_request_of_somebody_signed_in_breaks_a_page(app, house, desk, role):
    desk.enrol()
    somebody = Staff(app, house, role=role, sites=["UME"] if role in ("nurse", "investigator") else [])
    app.config["WTF_CSRF_ENABLED"] = False  # so that what is sent reaches the page
    cookies = {cookie.key: cookie.value for cookie in somebody.client._cookies.values()}

    assert broken(app, cookies=cookies) == []
