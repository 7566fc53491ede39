"""Whatever page, file, address or log line a member of staff gets: no arm and no score where she may not see it."""

import json
import logging
import re
from dataclasses import replace
from datetime import date
from urllib.parse import urljoin, urlsplit

import pandas as pd
import pytest

import questionnaires
from epro.acts import calls
from epro.protocol import protocol_of
from epro.store.database import writing
from epro.web.app import create_app
from epro.web.desk.gate import ROLES_WITH
from questionnaires.located import parse
from tests.epro.conftest import NOW, NURSE, Desk
from tests.queries.conftest import Course, later
from tests.scan.crawling import Forms
from tests.web.staffing import Staff

ARMS = ("Xavier-one", "Yolanda-two", "Xavier treatment", "Yolanda treatment")  # codes and words that mean nothing else
CASES = [  # a setting that opens what a role must not see is the harder one; for a site both are
    ("nurse", "true"),
    ("nurse", "false"),
    ("investigator", "false"),
    ("monitor", "true"),
    ("analyst", "true"),
    ("trial_office", "false"),
    ("administrator", "true"),
]
OF_ONE_PATIENT = {"desk.patient", "desk.trail", "desk.trail_as_csv", "desk.trail_as_json", "desk.enrolment"}
MOST_PAGES = 400

# What a page tells no database decides.
pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


@pytest.fixture
def renamed(house):
    """The same trial with arms that no other word resembles."""

    def renamed(**trial):
        text = house.protocol.document.text
        text = re.sub(r'(?m)^surgery = ".*"$', f'{ARMS[0]} = "{ARMS[2]}"', text)
        text = re.sub(r'(?m)^control = ".*"$', f'{ARMS[1]} = "{ARMS[3]}"', text)
        text = text.replace('reference_arm = "control"', f'reference_arm = "{ARMS[1]}"')
        for name, value in trial.items():
            text = re.sub(rf"(?m)^{name} = \S+", f"{name} = {value}", text)
        protocol = protocol_of(parse(text, house.protocol.document.path))
        return replace(house, protocol=replace(protocol, versions=house.protocol.versions))

    return renamed


def peopled(house):
    """Two patients at each of two sites, one of each arm, with answers, calls, reasons and a correction."""
    desk, course = Desk(house), Course(house)
    for n, site in enumerate(("UME", "UME", "GBG", "GBG"), start=1):
        subject = f"{site}-00{n}"
        known = {"consented_on": date(2027, 2, 25), "phone": f"070-174 06 0{4 + n}"}
        desk.enrol(subject, **known, randomised_on=date(2027, 2, 26), arm=ARMS[n % 2])
        course.answer(subject, "BL", NOW, said=29)
    desk.enrol("UME-009", phone="070-174 06 09", consented_on=date(2027, 2, 20))
    course.tick(later(days=1))
    with writing(house.engine) as connection:
        calls.log_call(
            connection, house.protocol, "UME-001", outcome=calls.WILL_ANSWER, note="evenings", by=NURSE, now=NOW
        )


def scores(house):
    """Every score of a form in which each item is answered with 2, as a page might write it, but for round ones."""
    instrument = questionnaires.load("qlq-c30")
    row = questionnaires.score(pd.DataFrame([{item.code: 2 for item in instrument.items}]), instrument).iloc[0]
    written = {f"{value:.{places}f}" for value in row for places in (1, 2) if value == value and value % 1}
    return written | {value.replace(".", ",") for value in written}


def crawled(app, one, starts):
    """path → endpoint, what came: every page, file and fragment that this person is led to, and every address."""
    adapter = app.url_map.bind("localhost")
    waiting, seen, found = list(starts), set(starts), {}
    while waiting and len(found) < MOST_PAGES:
        path = waiting.pop()
        response = one.client.get(path, headers=one.headers, follow_redirects=True)
        landed = response.request.path
        endpoint = adapter.match(landed, method="GET")[0] if response.status_code == 200 else ""
        text = response.get_data().decode("utf-8", "replace")
        found[path] = (endpoint, f"{response.request.url}\n{text}")
        if "html" not in response.content_type:
            continue
        here = Forms(text)
        addresses = [*here.links, *(action for method, action, _ in here.forms if method == "GET")]
        for address in addresses:
            there = urlsplit(urljoin(f"http://localhost{landed}", address))
            asked = there.path + (f"?{there.query}" if there.query else "")
            if there.netloc == "localhost" and there.path.startswith("/desk") and asked not in seen:
                seen.add(asked)
                waiting.append(asked)
    return found


def every_desk_page(app, subjects):
    """Every address of the desk that can be opened, of every patient, whether a page leads there or not."""
    parts = {"visit": "BL", "instrument": "qlq-c30", "item": "q1", "account": "1", "alert": "1"}
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("desk.") and "GET" in (rule.methods or ()):
            for subject in subjects if "subject" in rule.arguments else ["-"]:
                given = {**parts, "subject": subject}
                yield re.sub(r"<(?:[^:>]+:)?(\w+)>", lambda found, given=given: given.get(found[1], "1"), rule.rule)


def fragments(one):
    """What answers a form without leading on: the call, a paper form, a preview, a search."""
    for path, fields in (
        ("/desk/patients/UME-001/call", {"visit": "M1.5"}),
        ("/desk/patients/UME-001/randomisation/correction", {"randomised_on": "2027-02-27", "reason": "read wrongly"}),
        ("/desk/patients/search", {"subject": "UME"}),
        ("/desk/patients/UME-009/death", {"happened_on": ""}),
        ("/desk/patients/UME-009/visits/BL/paper", {"on": "2027-02-26", "twice": "yes"}),
    ):
        response = one.post(path, **fields)
        yield path, "desk.patient" if "correction" in path or "death" in path else "fragment", response.text


@pytest.mark.parametrize(("role", "seen_by_site"), CASES)
def test_no_page_file_address_or_log_line_tells_an_arm_or_a_score(renamed, clock, caplog, role, seen_by_site):
    house = renamed(arm_seen_by_site=seen_by_site)
    peopled(house)
    caplog.set_level(logging.DEBUG)
    app = create_app(replace(house, clock=clock))
    one = Staff(app, house, role, ["UME"] if role in ("nurse", "investigator") else [])
    subjects = ["UME-001", "UME-002", "GBG-003", "UME-009"]

    found = crawled(app, one, ["/desk", *every_desk_page(app, subjects)])
    came = [(path, *one_page) for path, one_page in found.items()] + list(fragments(one))

    may = role == "trial_office" or (role in ("nurse", "investigator") and seen_by_site == "true")
    telling = [(path, endpoint) for path, endpoint, text in came if any(arm in text for arm in ARMS)]
    assert [path for path, endpoint in telling if not may or endpoint not in OF_ONE_PATIENT] == []
    assert not may or telling, "the crawl reached no page on which an arm may stand: it proves nothing"
    assert [path for path, _, text in came if any(score in text for score in scores(house))] == []
    assert [path for path in found if any(arm in path for arm in ARMS)] == []
    logged = "\n".join(json.dumps(vars(record), default=str) for record in caplog.records if record.name != "tests")
    assert [arm for arm in ARMS if arm in logged] == []
    reached = {endpoint for endpoint, _ in found.values()}
    assert {"desk.completion_table"} <= reached
    if role in ROLES_WITH["patients.read"]:
        assert {"desk.patient", "desk.forms_as_csv", "desk.form_list", "desk.stopped", "desk.landing"} <= reached


def test_a_site_that_may_not_see_an_arm_records_the_day_alone(renamed, clock):
    house = renamed(arm_seen_by_site="false")
    Desk(house).enrol()
    nurse = Staff(create_app(replace(house, clock=clock)), house, sites=["UME"])

    assert 'name="arm"' not in nurse.open("/desk/patients/UME-001").html
    assert nurse.record("randomisation", randomised_on="2027-03-01").status_code == 303


def test_the_trial_folder_alone_holds_arms_and_only_the_analyst_is_given_it(renamed, clock):
    house = renamed(arm_seen_by_site="true")
    peopled(house)
    app = create_app(replace(house, clock=clock))

    assert Staff(app, house, "nurse", ["UME"]).post("/desk/export").status_code == 403
    assert ROLES_WITH["data.export"] == {"analyst"}
