"""A CSV file of the trial office: all of it, or nothing and every reason."""

import pytest
from sqlalchemy import func, select

from epro.acts import imports
from epro.refusals import Refusal
from epro.store.database import reading, writing
from epro.store.models import Audit, Patient
from tests.epro.conftest import NOW, NURSE

HEADER = "subject,site,language,consented_on,eligible,texts_allowed,er,metastases,phone,randomised_on,arm"
GOOD = "UME-001,UME,sv,2027-02-01,yes,yes,pos,1,070-174 06 05,2027-02-08,surgery"
ALSO_GOOD = "GBG-001,GBG,en,2027-02-01,ja,nej,neg,2-4,,,"


def load(house, *lines):
    with writing(house.engine) as connection:
        return imports.enrol_all(connection, house.protocol, house.cipher, "\n".join(lines), by=NURSE, now=NOW)


def count(house, table):
    with reading(house.engine) as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_every_row_becomes_a_patient(house):
    assert load(house, HEADER, GOOD, ALSO_GOOD) == ["UME-001", "GBG-001"]
    assert count(house, Patient) == 2


def test_semicolons_and_a_byte_order_mark_are_read_as_excel_writes_them(house):
    text = [line.replace(",", ";") for line in (HEADER, GOOD)]

    assert load(house, "\ufeff" + text[0], text[1]) == ["UME-001"]


def test_one_bad_row_keeps_every_row_out_and_is_named_by_line(house):
    before = count(house, Audit)
    with pytest.raises(Refusal) as refusal:
        load(house, HEADER, GOOD, ALSO_GOOD.replace("GBG,en", "XXX,fi"))

    assert "line 3, site" in str(refusal.value)
    assert "line 3, language" in str(refusal.value)
    assert count(house, Patient) == 0
    assert count(house, Audit) == before


def test_a_subject_that_stands_twice_in_the_file_is_refused(house):
    with pytest.raises(Refusal, match="line 3, subject"):
        load(house, HEADER, GOOD, GOOD)


def test_a_missing_and_an_unknown_column_are_both_named(house):
    with pytest.raises(Refusal) as refusal:
        load(house, HEADER.replace("language", "tongue"), GOOD)

    assert "language is missing" in str(refusal.value)
    assert "tongue" in str(refusal.value)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("2027-02-01", "1/2 2027", "consented_on"),
        ("2027-02-01", "", "consented_on"),
        ("yes,yes", "yes,perhaps", "texts_allowed"),
    ],
)
def test_dates_and_yes_or_no_are_read_strictly(house, old, new, field):
    with pytest.raises(Refusal, match=f"line 2, {field}"):
        load(house, HEADER, GOOD.replace(old, new, 1))
