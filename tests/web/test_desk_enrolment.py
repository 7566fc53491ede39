"""Enrolling at the desk: one form, or a file, with every fault said at once and nothing lost."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from epro.queries.timeline import planned_texts, timeline
from epro.store.database import reading
from epro.store.models import Allocation, Audit, Contact, Patient
from epro.web.app import create_app
from tests.epro.conftest import NOW
from tests.web.staffing import ENROLMENT, Staff, ticked


@pytest.fixture
def nurse(app, house):
    return Staff(app, house)


def number_of(house, model):
    with reading(house.engine) as connection:
        return connection.execute(select(func.count()).select_from(model)).scalar_one()


def test_an_enrolled_patient_is_shown_with_her_plan_at_once(nurse, house):
    response = nurse.enrol(house, randomised_on="2027-03-01", arm="control")

    assert (response.status_code, response.location) == (303, "/desk/patients/UME-001")
    page = nurse.open(response.location)
    for shown in ("M36", "2030-03-01", "invitation", "Control: oncological treatment alone"):
        assert shown in page.words
    assert number_of(house, Allocation) == 1


def test_a_patient_may_be_enrolled_before_she_is_randomised_and_without_a_number(nurse, house):
    nurse.enrol(house, phone="", phone_again="")

    page = nurse.open("/desk/patients/UME-001")

    assert "No phone number" in page.words
    assert "Ask for a mobile number" in page.words
    assert (number_of(house, Contact), number_of(house, Allocation)) == (0, 0)


def test_without_permission_nothing_is_pending_and_the_page_says_why(nurse, house):
    nurse.enrol(house, texts_allowed="no")

    page = nurse.open("/desk/patients/UME-001")

    assert "No permission for texts" in page.words
    assert "0 texts are pending." in page.words


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"subject": "19121212-1212"}, "subject", "personal identity number"),
        ({"subject": "patient one"}, "subject", "Write the subject id as the trial does"),
        ({"site": ""}, "site", "Choose one of your own sites."),
        ({"language": ""}, "language", "Choose one of sv, en."),
        ({"er": ""}, "er", "Choose one of pos, neg."),
        ({"consented_on": ""}, "consented_on", "Give the day of consent"),
        ({"consented_on": "1 March"}, "consented_on", "Write the date as 2027-03-01."),
        ({"consented_on": "2027-03-02"}, "consented_on", "lies in the future"),
        ({"texts_allowed": ""}, "texts_allowed", "Say whether texts are permitted."),
        ({"phone": "08-123 456 78", "phone_again": ""}, "phone", "A mobile is like 070-174 06 05."),
        ({"phone_again": "070-174 06 06"}, "phone_again", "The two numbers differ."),
        ({"arm": "surgery"}, "randomised_on", "With the arm give the day of randomisation."),
        ({"included_0": ""}, "eligible", "must be met and ticked"),
    ],
)
def test_each_fault_is_said_beside_its_field_and_nothing_is_saved(nurse, house, change, field, words):
    response = nurse.enrol(house, **change)

    assert response.status_code == 422
    assert f'id="{field}-wrong-1"' in response.text
    assert words in response.text.replace("&#39;", "'")
    assert number_of(house, Patient) == 0


def test_every_fault_is_said_at_once_and_nothing_that_was_typed_is_lost(nurse, house):
    changed = {"consented_on": "soon", "phone_again": "070-174 06 99", "subject": "nobody", "arm": "control"}

    page = nurse.enrol(house, **changed).text

    for field in ("consented_on", "phone_again", "subject", "randomised_on"):
        assert f'id="{field}-wrong-1"' in page
    assert 'value="NOBODY"' in page or 'value="nobody"' in page
    assert 'value="070-174 06 05"' in page
    assert '<option value="control" selected>' in page
    assert page.count(" checked") == 4 + len(ticked(house))  # language, er, metastases, texts; the checklist


def test_a_fault_is_said_in_the_language_of_the_page(app, house):
    nurse = Staff(app, house, language="sv")

    response = nurse.enrol(house, consented_on="2027-03-02", phone="08-123 456 78", phone_again="")

    assert "2027-03-02 ligger i framtiden." in response.text
    assert "Numret är ingen mobil" in response.text or "Det finns inget sådant telefonnummer" in response.text


def test_a_subject_id_is_used_once(nurse, house):
    nurse.enrol(house)

    assert "enrolled already" in nurse.enrol(house).text
    assert number_of(house, Patient) == 1


def test_an_enrolment_is_one_entry_of_the_trail_by_the_nurse_who_made_it(nurse, house):
    nurse.enrol(house)

    with reading(house.engine) as connection:
        entry = connection.execute(select(Audit).where(Audit.action == "patient enrolled")).one()
    assert (entry.chain, entry.actor, entry.role, entry.channel) == ("UME", nurse.email, "nurse", "desk")


def test_the_arm_is_asked_only_of_those_who_may_see_it(app, house):
    monitor, office = Staff(app, house, "monitor"), Staff(app, house, "trial_office")

    assert monitor.open("/desk/patients/new").status == 403
    assert 'name="arm"' in office.open("/desk/patients/new").html


def test_the_form_says_what_it_needs_before_anything_is_typed(nurse, house):
    page = nurse.open("/desk/patients/new")

    for criterion in (*house.protocol.eligibility.inclusion, *house.protocol.eligibility.exclusion):
        assert criterion in page.words
    assert set(ENROLMENT) <= {name.split('"')[0] for name in page.html.split('name="')[1:]}


def test_a_mail_address_is_taken_beside_the_number_and_a_wrong_one_said_without_repeating_it(nurse, house):
    refused = nurse.enrol(house, email="hers at example.org")
    assert refused.status_code == 422
    assert "This is not an e-mail address." in refused.text

    assert nurse.enrol(house, email="hers@example.org").status_code == 303
    assert number_of(house, Contact) == 2


def dates(page):
    return page.split('id="dates"')[1].split("</section>")[0]


def test_every_date_is_shown_before_anything_is_saved_and_is_what_is_planned(nurse, house):
    fields = {**ENROLMENT, "consented_on": "2027-02-01", "randomised_on": "2027-02-08"}

    shown = nurse.post("/desk/patients/new/dates", **fields)

    assert (shown.status_code, number_of(house, Patient)) == (200, 0)
    foreseen = dates(shown.text)
    nurse.enrol(house, **fields)
    with reading(house.engine) as connection:
        visits = timeline(connection, house.protocol, "UME-001", NOW).visits
    assert len(visits) == 10
    for visit in visits:
        for day in (visit.due_on, visit.last_on):
            assert day.isoformat() in foreseen
    for _, at in planned_texts_of(house):
        assert f"{at.astimezone(house.protocol.zone):%Y-%m-%d %H:%M}" in foreseen


def planned_texts_of(house):
    with reading(house.engine) as connection:
        return planned_texts(connection, "UME-001")


def test_visits_that_are_over_already_are_shown_as_before_the_system_and_without_texts(nurse):
    shown = nurse.post(
        "/desk/patients/new/dates", **{**ENROLMENT, "consented_on": "2025-01-01", "randomised_on": "2025-01-08"}
    )

    rows = dates(shown.text).split("<tr>")[2:]
    before = [row for row in rows if "before the system" in row]
    assert len(before) == 8
    assert all("invitation" not in row for row in before)


def test_a_date_that_cannot_be_is_said_in_place_of_the_dates(nurse):
    shown = nurse.post("/desk/patients/new/dates", **{**ENROLMENT, "consented_on": "2027-03-02"})

    assert shown.status_code == 422
    assert "lies in the future" in dates(shown.text)
    assert 'value="UME-001"' in shown.text


def test_the_number_is_typed_twice(nurse, house):
    assert "Type the number once more" in nurse.enrol(house, phone_again="").text
    assert number_of(house, Patient) == 0


def test_the_arm_may_be_left_to_the_trial_office(nurse, house):
    nurse.enrol(house, randomised_on="2027-03-01")

    assert number_of(house, Allocation) == 0
    assert "not yet" in nurse.open("/desk/patients/UME-001").words


@pytest.mark.requirement("trust-40")
def test_a_personal_identity_number_is_refused_wherever_it_is_typed_at_the_desk(nurse, house, desk):
    desk.enrol()
    asked = [
        ("/desk/patients/search", {"subject": "19121212-1212"}),
        ("/desk/patients/UME-001/withdrawal", {"happened_on": "2027-03-01", "reason": "701063-2391 moved"}),
        ("/desk/patients/UME-001/number", {"phone": "121212-1212", "phone_again": "121212-1212"}),
        ("/desk/patients/UME-001/email", {"email": "19121212-1212@example.org"}),
    ]
    for path, fields in asked:
        response = nurse.post(path, **fields)
        assert response.status_code == 422, path
    with reading(house.engine) as connection:
        assert (
            connection.execute(
                select(func.count()).select_from(Audit).where(Audit.action == "withdrawal recorded")
            ).scalar()
            == 0
        )


def test_where_a_site_may_not_see_the_arm_it_is_asked_of_the_trial_office_alone(house, clock):
    trial = house.protocol.trial.model_copy(update={"arm_seen_by_site": False})
    protocol = replace(house.protocol, sections=house.protocol.sections.model_copy(update={"trial": trial}))
    hidden = replace(house, protocol=protocol, clock=clock)
    one = Staff(create_app(hidden), hidden)

    assert 'name="arm"' not in one.open("/desk/patients/new").html
    one.enrol(hidden, randomised_on="2027-03-01")

    page = one.open("/desk/patients/UME-001").html
    assert "Control" not in page
    assert "Surgical" not in page
