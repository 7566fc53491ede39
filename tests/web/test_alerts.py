"""Alerts as patients and nurses see them: on a trial that watches answers, and on one that does not."""

from dataclasses import replace

import pytest

from epro import staff_mail
from epro.protocol import protocol_of
from epro.web.app import create_app
from questionnaires.located import parse
from tests.epro.conftest import NOW, Desk
from tests.epro.test_staff_mail import ALERTS, Post
from tests.queries.conftest import Course
from tests.web.conftest import Browser
from tests.web.staffing import Staff

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


@pytest.fixture
def watched(house, clock):
    document = house.protocol.document
    protocol = protocol_of(parse(document.text + ALERTS, document.path))
    return replace(house, clock=clock, protocol=replace(protocol, versions=house.protocol.versions))


def test_the_start_page_says_who_looks_and_when_and_nothing_where_nobody_does(app, watched, desk, link):
    desk.enrol()
    token = link()

    assert "the study nurse (weekdays 8 to 16)" in Browser(create_app(watched)).open(f"/p/{token}").words
    assert "the study nurse" not in Browser(app).open(f"/p/{token}").words


def test_an_alert_stands_on_the_worklist_until_somebody_says_what_was_done(watched):
    Desk(watched).enrol()
    Course(watched).answer("UME-001", "BL", NOW, value=4)
    staff_mail.look_for_alerts(watched, Post(), NOW)
    nurse = Staff(create_app(watched), watched, sites=["UME"])

    page = nurse.open("/desk")
    assert "alert: Severe pain, BL" in page.words
    patient = nurse.open("/desk/patients/UME-001")
    paths = [part.split('"')[0] for part in patient.html.split('action="')[1:] if "/alerts/" in part[:60]]
    assert len(paths) == 2

    assert nurse.press(patient, paths[0], note=" ").status == 422
    for path in paths:
        nurse.press(patient, path, note="called her, the ward knows")

    assert "alert: " not in nurse.open("/desk").words
    assert "called her, the ward knows" in nurse.open("/desk/patients/UME-001").words
