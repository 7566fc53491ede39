"""Is a description that contradicts itself refused, at its line, with what would be right?"""

import pytest

import questionnaires
from questionnaires.catalogue import FOLDER, UnknownInstrument
from questionnaires.located import Refused

SOUND = """\
id = "small"
version = "1"
title = "Small"
item = [
    { code = "a", number = 1, response = "four" },
    { code = "b", number = 2, response = "four", recall = "week" },
]
[[source]]
covers = "everything"
cite = "made up for a test"
mark = "read"
[recall]
week = "P1W"
[response.four]
options = [1, 2, 3, 4]
[[scale]]
code = "AB"
label = { en = "Both" }
items = ["a", "b"]
formula = "symptom"
range = 3
needs = "half"
higher_is = "worse"
[[composite]]
code = "ALL"
label = { en = "All" }
scales = ["AB"]
needs = "all"
higher_is = "worse"
"""


@pytest.fixture
def load(tmp_path):
    """Loads the sound description after replacing the first of each old text by the new one."""

    def load(*changes):
        text = SOUND
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        file = tmp_path / "small.toml"
        file.write_text(text, encoding="utf-8")
        return questionnaires.load(file)

    return load


def test_a_sound_description_loads(load):
    instrument = load()

    assert (instrument.id, [scale.code for scale in instrument.scales]) == ("small", ["AB"])
    assert instrument.options("b") == (1, 2, 3, 4)


BROKEN = {
    "an item code twice": (
        '    { code = "b"', '    { code = "a", number = 3, response = "four" },\n    { code = "b"',
        "small.toml:6: item a stands twice\n  Each item stands once, with a code and a number of its own.",
    ),
    "an item number twice": (
        "number = 2", "number = 1",
        "small.toml:6: item number 1 stands twice\n  Each item stands once, with a code and a number of its own.",
    ),
    "an item scored nowhere": (
        'items = ["a", "b"]', 'items = ["a"]',
        "small.toml:6: item b is scored in no scale\n  Add it to a scale, say scored = false, or take it away.",
    ),
    "an item with an unknown response set": (
        'response = "four"', 'response = "five"',
        "small.toml:5: item a uses the unknown response set five\n  Use one of four, or add [response.five].",
    ),
    "an item with an unknown recall period": (
        'recall = "week"', 'recall = "month"',
        "small.toml:6: item b uses the unknown recall period month\n  Use one of week, or add month to [recall].",
    ),
    "a scale with an unknown item": (
        'items = ["a", "b"]', 'items = ["a", "b",\n"z"]',
        "small.toml:20: scale AB uses the unknown item z\n  Use an item of this file, or add z as one.",
    ),
    "an item twice in a scale": (
        'items = ["a", "b"]', 'items = ["a", "b", "a"]',
        "small.toml:19: in scale AB, item a stands twice\n  List each item of a scale once.",
    ),
    "a range that contradicts the options": (
        "range = 3", "range = 4",
        "small.toml:21: scale AB has range 4, but its items are answered 1 to 4\n"
        "  The range is highest minus lowest option: 3.",
    ),
    "options not unique": (
        "[1, 2, 3, 4]", "[1, 2, 2, 4]",
        "small.toml:15: the options of response set four are not all different and rising\n"
        "  List each code once, the lowest first.",
    ),
    "options not numeric": (
        "[1, 2, 3, 4]", '[1,\n"two", 3, 4]',
        "small.toml:16: `options` no. 2 is 'two'\n  It must be a valid integer.",
    ),
    "no source": (
        '[[source]]\ncovers = "everything"\ncite = "made up for a test"\nmark = "read"\n', "",
        "small.toml:1: `source` is missing\n  Add it here.",
    ),
    "a source that does not say how sure it is": (
        'mark = "read"\n', "",
        "small.toml:8: `mark` is missing\n  Add it here.",
    ),
    "a formula nobody knows": (
        '"symptom"', '"median"',
        "small.toml:20: `formula` is 'median'\n  It must be 'functional', 'symptom', 'mean', 'sum' or 'highest'.",
    ),
    "a key nobody knows": (
        "range = 3", "range = 3\nrnage = 3",
        "small.toml:22: `rnage` is not known here\n  Correct its spelling, or take it away.",
    ),
    "a label without English": (
        'label = { en = "Both" }', 'label = { sv = "Båda" }',
        'small.toml:18: this label has no English name\n  Add en = "…" to it.',
    ),
    "a scale code twice": (
        'code = "ALL"', 'code = "AB"',
        "small.toml:25: scale AB stands twice\n"
        "  Give each scale, composite, conversion, grade and value set a code of its own.",
    ),
    "a composite of an unknown scale": (
        'scales = ["AB"]', 'scales = ["AB", "XY"]',
        "small.toml:27: ALL uses the unknown scale XY\n  Use some of AB.",
    ),
    "a scale both as it is and reversed": (
        'scales = ["AB"]', 'scales = ["AB"]\nreversed = ["AB"]',
        "small.toml:28: in ALL, scale AB stands twice\n  List each scale once: as it is, or reversed.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "told"), BROKEN.values(), ids=BROKEN)
def test_it_is_refused_with_its_line_and_cure(load, old, new, told):
    with pytest.raises(Refused) as refused:
        load((old, new))

    assert str(refused.value) == told


def test_items_of_one_scale_share_one_range(load):
    two = "[response.two]\noptions = [1, 2]\n[response.four]"

    with pytest.raises(Refused, match=r"small\.toml:21: the items of scale AB do not share one lowest"):
        load(("[response.four]", two), ('number = 1, response = "four"', 'number = 1, response = "two"'))


def test_all_faults_are_told_at_once(load):
    with pytest.raises(Refused) as refused:
        load(('{ code = "a", number = 1, response = "four" },', '{ code = "z", number = 2, response = "five" },'))

    assert [fault.line for fault in refused.value.faults] == [5, 5, 6, 19]


def test_an_unknown_instrument_is_refused_naming_those_there_are():
    with pytest.raises(UnknownInstrument, match=r"there is no instrument qlq-c31\.\n  Give one of .*qlq-c30"):
        questionnaires.load("qlq-c31")


def test_a_file_that_is_not_there_is_an_unknown_instrument(tmp_path):
    with pytest.raises(UnknownInstrument):
        questionnaires.load(tmp_path / "nothing.toml")


def test_the_catalogue_lists_every_file_under_its_own_id():
    instruments = questionnaires.available()

    assert [instrument.id for instrument in instruments] == sorted(file.stem for file in FOLDER.glob("*.toml"))
    assert "qlq-c30" in [instrument.id for instrument in instruments]


def test_the_c30_has_the_structure_of_version_3(c30):
    assert [item.code for item in c30.items] == [f"q{n}" for n in range(1, 31)]
    assert [item.number for item in c30.items if item.recall is None] == [1, 2, 3, 4, 5]
    assert {item.code for item in c30.items if len(c30.options(item.code)) == 7} == {"q29", "q30"}
    assert {scale.code for scale in c30.scales if scale.higher_is == "better"} == {"QL", "PF", "RF", "EF", "CF", "SF"}
    (summary,) = c30.composites
    assert {scale.code for scale in c30.scales} - {*summary.scales, *summary.reversed} == {"QL", "FI"}


def test_an_instrument_cannot_be_changed(c30):
    with pytest.raises(ValueError, match="frozen"):
        c30.version = "3.1"
