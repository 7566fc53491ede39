"""The trial office's files at the desk: first what they would do, then, confirmed, all of it."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from io import BytesIO

import pytest
from sqlalchemy import func, select

from epro.store.database import reading
from epro.store.models import Patient
from tests.epro.imports.conftest import csv_of, patient, xlsx_of
from tests.web.conftest import rows_of
from tests.web.staffing import Staff


@pytest.fixture
def office(app, house):
    return Staff(app, house, "trial_office")


def send(office, raw, kind="patients"):
    return office.post("/desk/imports", kind=kind, file=(BytesIO(raw), "a file.csv"))


def confirm(office, response, kind="patients"):
    carried = response.text.split('name="carried" value="')[1].split('"')[0]
    return office.post("/desk/imports/confirmed", kind=kind, carried=carried)


def enrolled(house):
    with reading(house.engine) as connection:
        return connection.execute(select(func.count()).select_from(Patient)).scalar_one()


def test_a_file_is_shown_row_by_row_and_kept_when_that_is_confirmed(office, house):
    shown = send(office, xlsx_of([patient(), patient(subject="UME-002", phone="")]))

    assert shown.status_code == 200
    assert "2 new, 0 changed, 0 unchanged. Nothing is saved yet." in shown.text
    assert enrolled(house) == 0
    assert confirm(office, shown).location == "/desk/imports"
    assert enrolled(house) == 2
    assert "The file is imported: 2 rows." in office.open("/desk/imports").html


def test_the_page_between_holds_no_number(office):
    shown = send(office, csv_of([patient()])).text

    assert not any(number in shown for number in ("070-174 06 05", "701740605"))


def test_every_fault_is_listed_by_row_and_column_in_the_language_of_the_page(app, house):
    office = Staff(app, house, "trial_office", language="sv")
    before = rows_of(house)["patient"]

    shown = send(
        office, csv_of([patient(site="XXX", er=""), patient(subject="UME-002", randomised_on="2026-03-29T02:30")])
    )

    assert shown.status_code == 422
    for words in ("rad 2, <code>site</code>", "rad 2, <code>er</code>", "Klockslaget finns inte", "3 saker är fel"):
        assert words in shown.text
    assert "carried" not in shown.text
    assert rows_of(house)["patient"] == before


def test_the_same_file_again_says_that_there_is_nothing_to_import(office):
    raw = csv_of([patient()])
    confirm(office, send(office, raw))

    again = send(office, raw)

    assert "Everything in the file is known already" in again.text
    assert "carried" not in again.text


def test_what_was_imported_can_be_had_again_without_contact_data(office):
    confirm(office, send(office, csv_of([patient()])))

    [at] = re.findall(r"/desk/imports/\d+\.csv", office.open("/desk/imports").html)
    copy = office.client.get(at, headers=office.headers)

    assert copy.headers["Content-Disposition"].startswith('attachment; filename="patients-2027')
    assert "UME-001" in copy.text
    assert "174" not in copy.text


def test_a_file_may_be_larger_than_a_form_and_no_larger_than_it_says(office):
    many = [patient(subject=f"UME-{n:03d}", phone="", site="XXX") for n in range(1200)]
    assert len(csv_of(many)) > 64 * 1024
    assert send(office, csv_of(many)).status_code == 422
    assert send(office, b"x" * 1_500_000).status_code == 422
    assert send(office, b"x" * 3_000_000).status_code == 413


@pytest.mark.parametrize("carried", ["", "nothing of ours", "gAAAAABpAAAA"])
def test_what_was_not_shown_first_is_not_imported(office, carried):
    assert office.post("/desk/imports/confirmed", kind="patients", carried=carried).status_code == 400


@pytest.mark.parametrize("role", ["nurse", "investigator", "monitor", "analyst", "administrator"])
def test_files_are_the_trial_offices_alone(app, house, role):
    one = Staff(app, house, role)

    assert one.open("/desk/imports").status == 403
    assert send(one, csv_of([patient()])).status_code == 403


def test_a_submission_without_a_file_is_told_so(office):
    assert "Choose a file." in office.post("/desk/imports", kind="patients").text


def test_an_export_that_lacks_an_arm_says_so_in_words(app, house, desk):
    desk.enrol(consented_on=date(2027, 2, 1), randomised_on=date(2027, 2, 8))

    response = Staff(app, house, "analyst").post("/desk/export")

    assert response.status_code == 422
    assert "randomised, but to no arm" in response.text


def test_of_two_exports_at_once_one_is_written_and_the_other_told_to_wait(app, house):
    first = Staff(app, house, "analyst")
    second = Staff.signed_in(app, first.email)

    with ThreadPoolExecutor() as beside:
        asked = beside.submit(first.post, "/desk/export")
        heard = [second.post("/desk/export")]
        while not asked.done() and {one.status_code for one in heard} == {200}:
            heard.append(second.post("/desk/export"))  # the other had not come as far
        heard.append(asked.result())

    refused = next(one for one in heard if one.status_code != 200)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
    assert "Another export is being written" in refused.text
    assert {one.mimetype for one in heard if one is not refused} == {"application/zip"}
    assert second.post("/desk/export").status_code == 200  # once it is written, the next one is
