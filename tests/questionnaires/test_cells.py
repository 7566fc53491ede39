"""A text is never a formula to the spreadsheet that opens it, and a number stays a number."""

import csv
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from questionnaires.cells import as_csv, inert, plain

pytestmark = pytest.mark.requirement("abuse-18")
BEGIN = "=+-@\t\r'"
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(text=TEXT, first=st.sampled_from(BEGIN))
def test_a_cell_that_begins_like_a_formula_is_inert(text, first):
    (_, (cell,)) = csv.reader(StringIO(as_csv(["a"], [[first + text]]), newline=""))

    assert cell[0] == "'"


@given(st.text())
def test_what_was_made_inert_is_itself_when_read_back(text):
    assert plain(inert(text)) == text


@given(st.lists(TEXT, min_size=1))
def test_whatever_line_ends_a_cell_holds_it_stays_one_cell(row):
    (_, read) = csv.reader(StringIO(as_csv(["a"], [row]), newline=""))

    assert [plain(cell) for cell in read] == row


def test_an_apostrophe_that_belongs_to_a_word_stays():
    assert plain("'s-Hertogenbosch") == "'s-Hertogenbosch"


def test_a_number_stays_a_number():
    assert as_csv(["a", "b"], [[-1.5, 3]]) == "a,b\n-1.5,3\n"
