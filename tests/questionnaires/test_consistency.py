"""Is a contradiction in gates, recoding, grades, value sets or thresholds told at its line, with the cure?"""

from pathlib import Path

import pytest

import questionnaires
from questionnaires.catalogue import UnknownInstrument
from questionnaires.located import Refused

INSTRUMENTS = Path(__file__).parent / "instruments"


@pytest.fixture
def load(tmp_path):
    """Loads one of our small instruments after replacing the first of each old text by the new one."""

    def load(name, *changes):
        text = (INSTRUMENTS / f"{name}.toml").read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        file = tmp_path / f"{name}.toml"
        file.write_text(text, encoding="utf-8")
        return questionnaires.load(file)

    return load


BROKEN = {
    "a gate that points forward": (
        "gates", 'item = "pain", answers', 'item = "sleep", answers',
        "item drug is asked after an answer to sleep, which does not stand before it\n"
        "  A gate is an item that stands earlier in this file.",
    ),
    "a gate that is no item": (
        "gates", 'item = "pain", answers', 'item = "pian", answers',
        "item drug is asked after an answer to pian, which is no item\n"
        "  A gate is an item that stands earlier in this file.",
    ),
    "a gate that hangs on itself": (
        "gates", 'item = "drug", answers', 'item = "relief", answers',
        "item relief is asked after an answer to relief, which does not stand before it\n"
        "  A gate is an item that stands earlier in this file.",
    ),
    "a gate that opens on an answer that cannot be given": (
        "gates", "answers = [1]", "answers = [1, 2]",
        "item relief is asked after the answer 2 to drug, which cannot be given\n  Use some of its options: 0, 1.",
    ),
    "an unasked answer that counts as no option": (
        "every-score", "counts_as = 0", "counts_as = 2",
        "item e counts as 2 when it is not asked, which is no option of its own\n  Use one of its options: 0, 1.",
    ),
    "text that is to be scored": (
        "gates", ', scored = false', "",
        "item words is text, which is never scored\n  Add scored = false to it.",
    ),
    "an item that is scored and says it is not": (
        "gates", 'code = "sleep", number = 4', 'code = "sleep", scored = false, number = 4',
        "item sleep says that it is not scored, but a scale has it\n"
        "  Take scored = false away, or take it out of the scale.",
    ),
    "a response set of two kinds": (
        "gates", "longest = 200", "longest = 200\nbetween = [0, 1]",
        "a response set is of one kind\n"
        "  Give one of options = [1, 2, 3], between = [0, 100], longest = 500 (characters of text).",
    ),
    "numbers between ends in the wrong order": (
        "every-score", "[0, 100]", "[100, 0]",
        "response set line ends before it begins\n  Give the lowest number first.",
    ),
    "a recode nobody knows": (
        "every-score", 'recode = "falling"', 'recode = "fallen"',
        "item a uses the unknown recode fallen\n  Use one of falling, or add [recode.fallen].",
    ),
    "a recode of another length": (
        "every-score", "[100, 40, 0]", "[100, 0]",
        "recode falling has 2 values, but item a has 3 options\n"
        "  Give one value for each option, the lowest option's first.",
    ),
    "a sum that may miss an item": (
        "every-score", 'formula = "sum"\nneeds = "all"', 'formula = "sum"\nneeds = "half"',
        "scale SUM is a sum, which is too low when an item is missing\n"
        '  Write needs = "all", or formula = "mean".',
    ),
    "a stretched scale without its range": (
        "gates", "range = 3\n", "",
        "scale PAIN has no range\n  Add the range: highest minus lowest option.",
    ),
    "a range where none belongs": (
        "every-score", 'formula = "sum"\n', 'formula = "sum"\nrange = 2\n',
        "scale SUM is a sum, which has no range\n  Take the range away.",
    ),
    "a conversion that is too short": (
        "every-score", "[20.5, 30, 40, 50, 60.5]", "[20.5, 30, 40, 50]",
        "T has 4 values from 2 on, but SUM goes from 2 to 6\n  Give one value for each whole number on the way.",
    ),
    "a conversion of what is no sum": (
        "every-score", 'scale = "SUM"', 'scale = "MEAN"',
        "T converts MEAN, which is no sum of this instrument\n  Use one of SUM.",
    ),
    "a table that has too few grades": (
        "every-score", "[0, 1, 2, 3, 4, 5]", "[0, 1, 2, 3, 4]",
        "table small has 5 grades, but the items of GRADE have 6 combinations of answers\n"
        "  Give one grade for each, the last item's answer changing fastest.",
    ),
    "a table nobody knows": (
        "every-score", 'table = "small"', 'table = "large"',
        "grade GRADE uses the unknown table large\n  Use one of small, or add [table.large].",
    ),
    "a threshold of no scale": (
        "every-score", "above = { SUM = 5 }", "above = { SUN = 5 }",
        "there is no scale SUN\n  Use some of MEAN, SUM, WORST, VAS, T, GRADE, WORTH.",
    ),
    "a difference of no scale": (
        "every-score", "{ MEAN = 15 }", "{ MAEN = 15 }",
        "there is no scale MAEN\n  Use some of MEAN, SUM, WORST, VAS, T, GRADE, WORTH.",
    ),
    "a difference that is not positive": (
        "every-score", "{ MEAN = 15 }", "{ MEAN = -15 }",
        "`MEAN` is -15\n  It must be greater than 0.",
    ),
    "a value set of an unknown part": (
        "every-score", 'parts = ["c", "WORST"]', 'parts = ["c", "WURST"]',
        "every-score has no item or scale WURST\n"
        "  Use some of a, b, c, d, e, vas, note, MEAN, SUM, WORST, VAS, GRADE.",
    ),
    "a threshold that does not say whether it was checked": (
        "every-score", 'cite = "made up for a test"\nchecked = true\n', 'cite = "made up for a test"\n',
        "`checked` is missing\n  Add it here.",
    ),
    "scores, and a reason why there are none": (
        "gates", 'title = "Gates"', 'title = "Gates"\nnot_scored = "because"',
        "this says that there is no score, but there are scales\n  Take one of them away.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "told"), BROKEN.values(), ids=BROKEN)
def test_it_is_refused_with_its_line_and_cure(load, name, old, new, told):
    with pytest.raises(Refused) as refused:
        load(name, (old, new))

    fault = refused.value.faults[0]
    assert f"{fault.what}\n  {fault.cure}" == told
    assert fault.line > 1


def test_an_instrument_without_scales_says_why(load):
    text = (INSTRUMENTS / "five-items.toml").read_text(encoding="utf-8")
    scales = text[text.index("[[scale]]") :]

    with pytest.raises(Refused, match=r"nothing here is scored\n  Add a \[\[scale\]\], or say in `not_scored`"):
        load("five-items", (scales, "\n"))
    instrument = load("five-items", (scales, "\n"), ("\nitem = [", '\nnot_scored = "No manual yet."\nitem = ['))
    assert instrument.not_scored == "No manual yet."


@pytest.mark.parametrize("asked", ["QLQ-C30", "qlq_c30", "qlqc30"])
def test_an_id_is_found_however_it_is_written(asked):
    assert questionnaires.load(asked).id == "qlq-c30"


def test_a_definition_beside_the_trial_goes_before_the_catalogue(tmp_path):
    text = (INSTRUMENTS / "five-items.toml").read_text(encoding="utf-8")
    (tmp_path / "five-items.toml").write_text(text, encoding="utf-8")

    assert questionnaires.load("five-items", beside=tmp_path).title == "My five questions"
    assert questionnaires.load("qlq-c30", beside=tmp_path).version == "3.0"
    with pytest.raises(UnknownInstrument):
        questionnaires.load("five-items")


def test_a_file_that_describes_another_instrument_than_its_name_says_is_refused(tmp_path):
    text = (INSTRUMENTS / "five-items.toml").read_text(encoding="utf-8")
    (tmp_path / "my-five.toml").write_text(text, encoding="utf-8")

    with pytest.raises(Refused, match=r"my-five\.toml:4: this file describes five-items, not my-five"):
        questionnaires.load("my-five", beside=tmp_path)
