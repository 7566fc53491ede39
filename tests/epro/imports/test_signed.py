"""A signature covers what the case report form says: covariates and adverse events; what is added later shows."""

from datetime import date

import pytest

from epro.acts import signing
from epro.store.database import reading, writing
from epro.store.signed import changed_since, signatures, still_fits
from tests.epro.conftest import NOW, NURSE

CUT_ON = date(2027, 2, 20)
AGE = {"subject": "UME-001", "age": "57"}
EVENT = {"subject": "UME-001", "term": "Nausea", "grade": "2", "serious": "no", "started_on": "2027-02-10"}


@pytest.fixture(autouse=True)
def patients(desk):
    for subject, consented_on in (("UME-001", date(2027, 2, 1)), ("UME-002", date(2027, 2, 25))):
        desk.enrol(subject, consented_on=consented_on)


@pytest.fixture
def sign(house):
    """Sign the record of UME-001 and Umeå's data up to the cut."""

    def sign():
        signer, asked = signing.Signer("Some One", NURSE), {"meaning": "confirmed", "now": NOW}
        with writing(house.engine) as connection:
            signing.sign_record(connection, house.protocol, "UME-001", signer=signer, **asked)
            signing.sign_cut(connection, house.protocol, "UME", cut_on=CUT_ON, signer=signer, **asked)

    return sign


def standing(house):
    """Of the record's signature and the cut's: does it fit, and was anything added?"""
    with reading(house.engine) as connection:
        rows = [*signatures(connection, subject="UME-001"), *signatures(connection, site="UME")]
        return [(still_fits(connection, row), changed_since(connection, row)) for row in rows]


UNTOUCHED, ADDED_TO = (True, False), (True, True)


@pytest.mark.requirement("trust-26", "trust-27")
@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [("covariates", AGE, {**AGE, "age": "58"}), ("adverse_events", EVENT, {**EVENT, "grade": "3"})],
)
def test_a_later_word_of_the_case_report_form_shows_under_the_record_and_the_cut(
    office, house, sign, kind, before, after
):
    office.send([before], kind)
    sign()
    assert standing(house) == [UNTOUCHED, UNTOUCHED]

    office.send([after], kind)

    assert standing(house) == [ADDED_TO, ADDED_TO]


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("covariates", {"subject": "UME-002", "age": "61"}),
        ("adverse_events", {**EVENT, "subject": "UME-002", "started_on": "2027-02-26"}),
    ],
)
def test_what_a_later_patient_brings_is_no_part_of_an_earlier_cut_nor_of_anothers_record(
    office, house, sign, kind, row
):
    sign()

    office.send([row], kind)

    assert standing(house) == [UNTOUCHED, UNTOUCHED]


def test_what_is_imported_again_without_a_difference_changes_nothing_that_is_signed(office, house, sign):
    office.send([AGE], "covariates")
    sign()

    office.send([AGE], "covariates")

    assert standing(house) == [UNTOUCHED, UNTOUCHED]
