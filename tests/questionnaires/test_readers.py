"""Is a file of answers read as its maker meant it, and refused by line where that cannot be known?"""

import datetime

import pandas as pd
import pytest

import questionnaires
from questionnaires.located import Refused
from questionnaires.readers import read_answers

WIDE = "subject,a,b\nUME-001,0,1\nUME-002,,3\n"
LONG = "subject,visit,item,value\nU1,BL,a,0\nU1,BL,b,1\nU2,BL,b,3\n"


@pytest.fixture
def read(tmp_path, from_zero):
    """Reads a text as a file of answers to the items a and b (0 to 4)."""

    def read(text, *, name="answers.csv", encoding="utf-8", **options):
        file = tmp_path / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return read_answers(file, from_zero, **options)

    return read


def told(refused):
    return str(refused.value)


def rows(answers):
    """The answers, None = missing."""
    return answers.items.astype(object).where(answers.items.notna(), None).to_numpy().tolist()


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (WIDE, "utf-8"),
        (WIDE.replace(",", ";"), "utf-8"),
        (WIDE.replace(",", "\t"), "utf-8"),
        (WIDE.replace(",", "|"), "utf-8"),
        (WIDE, "utf-8-sig"),
        (WIDE, "utf-16"),
        (WIDE.replace("UME-001", "Umeå"), "cp1252"),
        (WIDE.replace("\n", "\r\n"), "utf-8"),
        (WIDE + "\n\n", "utf-8"),
        (WIDE.replace(",0,1", ',0," 1 "'), "utf-8"),
        (WIDE.replace(",", ";").replace("0;1", "0,0;1,0"), "utf-8"),
        (WIDE.replace("\n", ",\n"), "utf-8"),
        (WIDE.replace("a,b", "A,B"), "utf-8"),
        (WIDE.replace(",,3", ",NA,3"), "utf-8"),
        (WIDE.replace(",,3", ",.,3"), "utf-8"),
    ],
    ids=[
        "comma", "semicolon", "tab", "bar", "byte order mark", "UTF-16", "Windows-1252", "Windows line ends",
        "empty lines", "quotes and spaces", "decimal comma", "separators at the end", "other case", "R", "SAS",
    ],
)  # fmt: skip
def test_the_same_answers_are_read_from_a_file_of_any_making(read, text, encoding):
    answers = read(text, encoding=encoding)

    assert rows(answers) == [[0, 1], [None, 3]]
    assert list(answers.forms.columns) == ["subject"]


def test_how_a_file_was_read_is_told_where_it_had_to_be_guessed(read):
    answers = read(WIDE.replace("UME-001", "Umeå").replace("a,b", "A,b"), encoding="cp1252")

    assert answers.notes == ("read as Windows-1252, because it is not UTF-8", "columns read: A as a")


def test_a_code_for_no_answer_can_be_named(read):
    assert rows(read(WIDE.replace(",,3", ",99,3"), missing=["99"])) == [[0, 1], [None, 3]]


def test_excel_and_parquet_give_what_csv_gives(read, tmp_path, from_zero):
    frame = pd.DataFrame({"subject": ["UME-001", "UME-002"], "a": [0, None], "b": [1, 3]})
    frame.to_excel(tmp_path / "answers.xlsx", index=False)
    frame.to_parquet(tmp_path / "answers.parquet")

    for name in ("answers.xlsx", "answers.parquet"):
        assert rows(read_answers(tmp_path / name, from_zero)) == [[0, 1], [None, 3]]


@pytest.mark.parametrize("name", ["answers.xlsx", "answers.parquet"])
def test_a_number_kept_as_text_is_taken_for_one_only_on_request(tmp_path, from_zero, name):
    frame = pd.DataFrame({"a": ["0"], "b": ["1"]})
    frame.to_excel(tmp_path / name, index=False) if name.endswith("xlsx") else frame.to_parquet(tmp_path / name)

    answers = read_answers(tmp_path / name, from_zero)
    scores = questionnaires.score(answers.items, from_zero, on_invalid="missing")

    assert [cell.problem for cell in scores.attrs["invalid"]] == ["not a number"] * 2
    assert rows(read_answers(tmp_path / name, from_zero, numbers_in_text=True)) == [[0, 1]]


def test_a_date_that_excel_made_of_an_answer_is_refused_by_its_row(tmp_path, from_zero):
    pd.DataFrame({"a": [datetime.date(2027, 2, 1)], "b": [1]}).to_excel(tmp_path / "a.xlsx", index=False)

    answers = read_answers(tmp_path / "a.xlsx", from_zero)
    (cell,) = questionnaires.score(answers.items, from_zero, on_invalid="missing").attrs["invalid"]

    assert str(answers.fault(cell)).startswith("a.xlsx:2: a is not a number")


def test_a_formula_that_was_never_worked_out_is_no_gap(tmp_path, from_zero):
    from openpyxl import Workbook

    book = Workbook()
    book.active.append(["a", "b"])
    book.active.append([1, "=A2+1"])
    book.save(tmp_path / "a.xlsx")

    with pytest.raises(Refused, match=r"a\.xlsx:2: this row has a formula that was never worked out"):
        read_answers(tmp_path / "a.xlsx", from_zero)


def test_a_long_file_has_an_answer_a_line(read):
    answers = read(LONG)

    assert rows(answers) == [[0, 1], [None, 3]]
    assert answers.forms.to_numpy().tolist() == [["U1", "BL"], ["U2", "BL"]]


def test_an_export_of_answers_is_read_for_one_instrument_at_a_time(read):
    text = (
        "subject,visit,instrument,version,item,value,state,answered_at\n"
        "U1,BL,from-zero,1,a,0,answered,2027-03-01T08:00\n"
        "U1,BL,other,1,a,9,answered,2027-03-01T08:00\n"
        "U1,BL,from-zero,1,b,,skipped,2027-03-01T08:01\n"
    )

    assert rows(read(text)) == [[0, None]]


def test_a_line_of_a_long_file_that_is_no_item_is_left_out_and_told(read):
    assert read(LONG + "U2,BL,z,3\n").notes == ("1 line of z left out: from-zero has no such item",)


def test_an_invalid_answer_of_a_long_file_has_its_own_line(read, from_zero):
    answers = read(LONG.replace("U1,BL,b,1", "U1,BL,b,7"))

    (cell,) = questionnaires.score(answers.items, from_zero, on_invalid="missing").attrs["invalid"]

    assert answers.fault(cell).line == 3


REFUSED = {
    "an empty file": ("", "answers.csv:1: this file is empty\n  It begins with a line that names its columns."),
    "no line of names": (
        "1,2,3\n1,2,3\n", "answers.csv:1: this line names no columns\n  Put a line of column names first.",
    ),
    "a column without a name": (
        "a,,b\n1,2,3\n", "answers.csv:1: column 2 has no name\n  Name it, or take it away.",
    ),
    "a column twice": (
        "a,b,a\n1,2,3\n", "answers.csv:1: the column a stands twice\n  Take one of them away, or rename it.",
    ),
    "a cell too many": (
        "a,b\n1,2\n1,2,3\n",
        "answers.csv:3: this line has 3 cells for 2 columns\n"
        "  A cell that holds the separator stands in quotation marks; an empty cell has its separator too.",
    ),
    "a cell too few": (
        "a,b\n\n1\n",
        "answers.csv:3: this line has 1 cells for 2 columns\n"
        "  A cell that holds the separator stands in quotation marks; an empty cell has its separator too.",
    ),
    "an open quotation mark": (
        'a,b\n1,2\n1,"2\n', "answers.csv:3: this line is not CSV: unexpected end of data\n  Close its quotation mark.",
    ),
    "a missing column": (
        "a,bee\n1,2\n",
        "answers.csv:1: no column b, which From zero 1 asks\n"
        "  Name each column by its item's code; an item that nobody was asked is an empty column.",
    ),
    "an unknown separator": (
        "a:b\n1:2\n",
        "answers.csv:1: no column a, b, which From zero 1 asks\n  Separate the columns by comma, semicolon or tab.",
    ),
    "an answer twice": (
        LONG + "U1,BL,a,2\n",
        "answers.csv:5: a of this form stands on line 2 already\n"
        "  Keep one of them. If they are of two forms, name the columns that tell these apart (--form).",
    ),
    "an answer with a time of its own": (
        "subject,at,item,value\nU1,1,a,0\nU1,2,b,0\n",
        "answers.csv:1: each answer would be a form of its own, as forms are told apart by subject, at\n"
        "  Say which columns name a form (--form subject --form visit).",
    ),
    "another version": (
        "subject,version,item,value\nU1,2,a,0\n",
        "answers.csv:2: this is version 2\n  Leave it out, or score it as what it is: from-zero here is 1.",
    ),
    "another instrument": (
        "subject,instrument,item,value\nU1,other,a,0\n",
        "answers.csv:1: no line is of from-zero\n  The file has other.",
    ),
    "no item of the instrument": (
        "subject,item,value\nU1,z,0\n",
        "answers.csv:1: no line has an item of From zero 1\n  The column `item` holds a, b, …",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "words"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_with_its_line_and_cure(read, text, words):
    with pytest.raises(Refused) as refused:
        read(text)

    assert told(refused) == words


def test_two_columns_that_may_be_one_item_are_refused(tmp_path, c30):
    header = ",".join(["Q1", "q_1", *(f"q{n}" for n in range(2, 31))])
    (tmp_path / "a.csv").write_text(header + "\n")

    with pytest.raises(Refused, match="Q1 and q_1 may both be q1\n  Name one of them q1"):
        read_answers(tmp_path / "a.csv", c30)


def test_the_columns_that_tell_forms_apart_can_be_named(read):
    answers = read("subject,at,item,value\nU1,1,a,0\nU1,2,b,0\n", form=["subject"])

    assert rows(answers) == [[0, 0]]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("answers.sav", b"x", "files that end on .sav are not read"),
        ("answers.csv", b"PK\x03\x04rest", "this is an Excel workbook under another name"),
        ("answers.xlsx", b"a,b\n", "this is not an Excel workbook"),
        ("answers.parquet", b"a,b\n", "this is not a Parquet file"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(read, name, content, words):
    with pytest.raises(Refused, match=words):
        read(content, name=name)


def test_no_message_tells_an_answer(read):
    with pytest.raises(Refused) as refused:
        read(LONG + "U1,BL,a,777\n")

    assert "777" not in told(refused)
