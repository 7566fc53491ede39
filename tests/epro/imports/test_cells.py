"""What a cell means and what a file is, whichever program wrote it; without a database."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from epro.acts.imports.cells import Cells
from epro.refusals import Refusal
from epro.sheets import EXCEL_DAY_0, sheet_of
from epro.store.contacts import NotAMobile, parse_mobile
from tests.epro.imports.conftest import csv_of, patient, xlsx_of

STOCKHOLM = ZoneInfo("Europe/Stockholm")
TABLE = [patient(site="Umeå"), patient(subject="UME-002", phone="")]


def cells(**written):
    return Cells(2, written, "[A-Z]{3}-[0-9]{3}", STOCKHOLM, EXCEL_DAY_0, {})


def why(row):
    return "\n".join(map(str, row.wrongs))


@pytest.mark.parametrize(
    "written",
    [
        "2026-10-24",
        "20261024",
        "46319",  # Excel's serial number of that day
        "46319,75",
        "2026-10-24 00:00:00",
        "2026-10-24T18:00:00+02:00",
        "2026-10-23T22:30:00Z",  # half past midnight in Stockholm
    ],
)
def test_a_day_is_read_however_excel_or_a_program_wrote_it(written):
    assert cells(on=written).day("on") == date(2026, 10, 24)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("2026-03-29T02:30", "There is no such time"),  # the clock went from 02:00 to 03:00
        ("46110,104167", "There is no such time"),  # the same as a serial number
        ("2026-10-25T02:30", "This hour came twice"),
        ("2026-10-25 02:30:00", "This hour came twice"),
        ("2026-02-30", "There is no such day"),
        ("2026-13-01T10:00", "There is no such day"),
        ("24/10/2026", "Write the date as"),
        ("24 okt", "Write the date as"),
        ("12345", "Write the date as"),
    ],
)
def test_a_day_or_hour_that_cannot_be_is_refused_with_its_reason(written, words):
    row = cells(on=written)

    assert row.day("on") is None
    assert words in why(row)


def test_an_hour_that_came_twice_is_taken_with_its_offset():
    assert cells(on="2026-10-25T02:30+01:00").day("on") == date(2026, 10, 25)


@pytest.mark.parametrize(("written", "number"), [("4", 4), ("4.5", 4.5), ("4,5", 4.5), ("1 234,5", 1234.5), ("-2", -2)])
def test_decimals_have_a_point_or_a_comma(written, number):
    assert cells(n=written).number("n") == number


@pytest.mark.parametrize("written", ["4,5,6", "1.234,5", "four", "7,01E+08"])
def test_what_is_no_number_is_refused(written):
    row = cells(n=written)

    assert row.number("n") is None
    assert written not in why(row)


@pytest.mark.parametrize(
    "written",
    ["070-174 06 05", "0701740605", "701740605", "46701740605", "0046 70 174 06 05", "+46 70-174 06 05"],
)
def test_a_mobile_is_read_as_people_and_excel_write_it(written):
    assert parse_mobile(cells(phone=written).phone(), "SE") == "+46701740605"


def test_a_finnish_mobile_is_taken():
    assert parse_mobile("+358 41 2345678", "SE") == "+358412345678"


@pytest.mark.parametrize("written", ["070-174 06", "08-123 456 78", "090-785 00 00", "call her", ""])
def test_what_cannot_be_texted_is_refused(written):
    with pytest.raises(NotAMobile):
        parse_mobile(cells(phone=written).phone(), "SE")


def test_a_number_that_excel_has_rounded_is_not_guessed():
    row = cells(phone="7,0174E+08")

    assert row.phone() == ""
    assert "Excel has rounded" in why(row)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_a_csv_file_is_read_as_any_excel_saves_it(separator, encoding):
    assert sheet_of(csv_of(TABLE, separator, encoding)).rows == sheet_of(csv_of(TABLE)).rows


def test_a_workbook_gives_the_same_cells_as_its_csv_file():
    typed = [{**row, "consented_on": date(2027, 2, 1), "randomised_on": datetime(2027, 2, 8)} for row in TABLE]  # noqa: DTZ001

    assert sheet_of(xlsx_of(typed)).rows == sheet_of(csv_of(TABLE)).rows


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "The file is empty"),
        (b"\x81\x8d\x8f", "neither an Excel workbook nor a CSV file"),
        (b"PK\x03\x04 and then nothing", "not an Excel workbook"),
        (b"\xd0\xcf\x11\xe0 an old .xls", "not an Excel workbook"),
        (b'subject,site\n"UME-001,UME\n', "not CSV"),
        (b"subject,site\nUME-001,UME,x\n", "row 2: This row has 3 cells for 2 columns"),
        (b"subject,site\n" + b"x" * 1024 * 1024, "larger than 1 MiB"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_words(raw, words):
    with pytest.raises(Refusal, match=words):
        sheet_of(raw)


@pytest.mark.parametrize("cell", ["=HYPERLINK(1)", "@SUM(1)", "#N/A", "#REF!"])
def test_a_formula_or_what_it_failed_at_is_refused(cell):
    for raw in (csv_of([patient(arm=cell)]), xlsx_of([patient(arm=cell)])):
        with pytest.raises(Refusal, match="row 2, arm"):
            sheet_of(raw)
