"""At the desk: texts rest and go again, a wrong record is taken back, and a stop shows its proof."""

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import select

from epro.acts.amendments import Amendment, amend
from epro.opening import in_force
from epro.protocol import read_protocol
from epro.store.database import reading, writing
from epro.store.models import Assessment, PatientEvent
from epro.web.app import create_app
from tests.epro.conftest import NOW, NURSE
from tests.queries.conftest import Course
from tests.web.staffing import Staff

ARM = {"arm": "surgery", "randomised_on": date(2027, 3, 1)}
PAGE = "/desk/patients/UME-001"


@pytest.fixture
def nurse(app, house, desk):
    desk.enrol(**ARM)
    return Staff(app, house)


def event(house, kind):
    with reading(house.engine) as connection:
        return connection.execute(select(PatientEvent.id).where(PatientEvent.kind == kind)).scalars().first()


def test_texts_rest_until_a_day_and_go_again_when_the_nurse_says_so(nurse, house):
    assert nurse.record("pause", until="2027-03-20", reason="in hospital").status_code == 303
    page = nurse.open(PAGE)
    assert "Texts rest until 2027-03-20." in page.words
    assert "texts rest until 2027-03-20" in nurse.open("/desk").words

    assert nurse.record("pause/end").status_code == 303
    assert "Texts rest until 2027-03-20." not in nurse.open(PAGE).words


def test_a_pause_without_a_reason_is_refused_beside_its_field(nurse):
    response = nurse.record("pause", until="2027-03-20")
    assert response.status_code == 422
    assert "Say why" in response.text


@pytest.mark.parametrize(
    ("what", "fields"),
    [
        ("death", {"happened_on": "2027-03-01"}),
        ("withdrawal", {"happened_on": "2027-03-01", "reason": "own wish"}),
        ("permission", {"texts_allowed": "no"}),
    ],
)
def test_a_stop_ends_on_a_page_that_proves_it(nurse, house, clock, what, fields):
    Course(house).tick(NOW)  # the invitation to the baseline
    response = nurse.record(what, **fields)
    assert response.location.endswith(f"{PAGE}/stopped")

    page = nurse.open(f"{PAGE}/stopped")

    assert "Nothing more is sent." in page.words
    assert "0 texts are pending." in page.words
    with reading(house.engine) as connection:
        from epro.queries.stopped import proof

        left = proof(connection, "UME-001").left
    assert page.html.count('data-label="State"') == len(left) == 1


def test_a_death_recorded_for_the_wrong_patient_is_taken_back(nurse, house):
    nurse.record("death", happened_on="2027-03-01")
    assert "died on" in nurse.open(PAGE).words

    assert nurse.record("undo", event=str(event(house, "death")), reason="another patient").status_code == 303

    page = nurse.open(PAGE)
    assert "died on" not in page.words
    assert "taken back" in page.words
    assert "another patient" in page.words


def test_discharge_is_recorded(nurse, house):
    nurse.record("discharge", happened_on="2027-03-01")
    assert "Discharge from hospital" in nurse.open(PAGE).words
    assert event(house, "discharge")


def test_one_click_says_that_a_patient_is_alive(nurse, house, clock):
    clock.wait(days=181)  # three days before the invitation to M6
    silent = Staff(nurse.client.application, house, role="investigator")
    page = silent.open("/desk")
    assert "Known to be alive?" in page.words

    said = silent.press(page, f"{PAGE}/alive")

    assert "noted that she is alive today" in said.words
    assert "Known to be alive?" not in said.words


def test_an_amended_trial_is_known_to_pages_that_were_open_and_consent_to_it_is_recorded(house, desk, clock, tmp_path):
    desk.enrol(**ARM)
    app = create_app(in_force(replace(house, clock=clock)))
    nurse = Staff(app, house)
    text = house.protocol.document.text.replace("[visit.M9]", "[visit.M10]").replace("n = 9, unit", "n = 10, unit")
    text = text.replace('en = "9 months"', 'en = "Ten months"')
    (tmp_path / "amended.toml").write_text(text, encoding="utf-8")
    with writing(house.engine) as connection:
        amended = Amendment(read_protocol(tmp_path / "amended.toml"), "consent", date(2027, 3, 2))
        amend(connection, amended, by=NURSE, now=NOW)

    page = nurse.open(PAGE)
    assert "Consented to the amended trial" in page.words
    assert "9 months" in page.words  # her version

    clock.wait(days=2)
    nurse = Staff(app, house, role="investigator")
    assert nurse.record("consent", happened_on="2027-03-03").status_code == 303

    page = nurse.open(PAGE)
    assert "Ten months" in page.words
    with reading(house.engine) as connection:
        m10 = connection.execute(select(Assessment.due_on).where(Assessment.visit == "M10")).scalar_one()
    assert m10 == date(2028, 1, 1)
