"""Enrolling at the desk: one form, or a file, with every fault said at once and nothing lost."""

from io import BytesIO

import pytest
from sqlalchemy import func, select

from epro.store.database import reading
from epro.store.models import Allocation, Audit, Contact, Patient
from tests.web.staffing import ENROLMENT, Staff, ticked

HEADER = "subject;site;language;consented_on;eligible;texts_allowed;er;metastases;phone"


@pytest.fixture
def nurse(app, house):
    return Staff(app, house)


def number_of(house, model):
    with reading(house.engine) as connection:
        return connection.execute(select(func.count()).select_from(model)).scalar_one()


def upload(nurse, text):
    token = nurse.open("/desk/patients/import").fields["csrf_token"]
    data = {"csrf_token": token, "file": (BytesIO(text if isinstance(text, bytes) else text.encode()), "patients.csv")}
    return nurse.client.post("/desk/patients/import", data=data, headers=nurse.headers)


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
        ({"randomised_on": "2027-03-01"}, "arm", "belong together"),
        ({"arm": "surgery"}, "randomised_on", "belong together"),
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


def test_a_file_enrols_every_patient(nurse, house):
    rows = "UME-001;UME;sv;2027-03-01;yes;yes;pos;1;070-174 06 05\nGBG-002;GBG;en;2027-03-01;ja;nej;neg;2-4;"

    response = upload(nurse, f"\ufeff{HEADER}\n{rows}\n")

    assert response.status_code == 200
    assert "2 patients are enrolled." in response.text
    assert number_of(house, Patient) == 2


def test_one_bad_row_of_a_file_stops_all_of_them_and_each_reason_is_listed(nurse, house):
    rows = (
        "UME-001;UME;sv;2027-03-01;yes;yes;pos;1;070-174 06 05\n"
        "UME-002;UME;sv;yesterday;yes;yes;pos;1;\n"
        "GBG-003;GBG;fi;2027-03-01;no;yes;neg;2-4;12"
    )

    response = upload(nurse, f"{HEADER}\n{rows}\n")

    assert response.status_code == 422
    for place in ("line 3, consented_on", "line 4, language", "line 4, eligible", "line 4, phone"):
        assert place in response.text
    assert number_of(house, Patient) == 0


def test_a_file_enrols_nobody_at_another_site(app, house):
    umea = Staff(app, house, sites=["UME"])

    response = upload(umea, f"{HEADER}\nGBG-002;GBG;en;2027-03-01;yes;no;neg;2-4;\n")

    assert response.status_code == 422
    assert "This is not one of your own sites." in response.text
    assert number_of(house, Patient) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is missing"),
        ("subject;name\n", "no column is called name"),
        (f"{HEADER}\n".encode("utf-16"), "The file is not UTF-8"),
        (f"{HEADER}\n".encode() + b"UME-001;Ume\xe5\n", "The file is not UTF-8"),
    ],
)
def test_a_file_that_is_no_list_of_patients_is_refused_in_words(nurse, house, text, words):
    response = upload(nurse, text)

    assert response.status_code == 422
    assert words in response.text


def test_a_submission_without_a_file_is_told_so(nurse):
    assert "Choose a file." in nurse.post("/desk/patients/import").text


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
