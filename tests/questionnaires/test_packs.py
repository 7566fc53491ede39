"""How does a wording come into a file, who may use it until when, and what happens when it changes after use?"""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

import questionnaires
from questionnaires.grids import grid_of
from questionnaires.located import Refused
from questionnaires.packs import (
    PackIsLocked,
    checked,
    key_of,
    listed,
    places,
    refuse_change_after_use,
    words_of,
    written,
)
from questionnaires.wording import wording_of

FIVE = questionnaires.load(Path(__file__).parent / "instruments" / "five-items.toml")
MANIFEST = {
    "instrument": "five-items",
    "version": "1",
    "language": "sv",
    "pack": "own",
    "source": "The study's own words",
    "redistributable": False,
    "licence": "A-1",
    "licence_until": date(2027, 12, 31),
    "study": "BreCLIM-2",
}
TEXTS = {place: f"text {n}" for n, place in enumerate(places(FIVE))}


@pytest.fixture
def folder(tmp_path):
    """A folder of packs with the Swedish words of the five items."""

    def folder(**changes):
        file = tmp_path / "own" / "five-items.sv.toml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(written(FIVE, MANIFEST | changes, TEXTS), encoding="utf-8")
        return tmp_path

    return folder


def test_an_empty_pack_has_a_place_for_every_text_and_is_refused_until_all_are_filled_in():
    text = written(FIVE, MANIFEST, {})

    with pytest.raises(Refused) as refused:
        checked(text, Path("five-items.sv.toml"), FIVE)

    empty = [fault.what for fault in refused.value.faults]
    assert len(empty) == len(TEXTS) == 1 + 1 + 4 + 5
    assert empty[0] == "`title` is empty"
    assert refused.value.faults[0].cure == "Fill it in here."


def test_words_that_are_written_are_read_back_as_they_were(folder):
    wording = wording_of(FIVE, "sv", pack="own", folder=folder())

    assert wording.title == TEXTS["title", ""]
    assert wording.items["walk"].text == TEXTS["item", "walk"]
    assert wording.items["walk"].recall == TEXTS["recall", "week"]
    assert wording.items["fell"].options == tuple((code, TEXTS["option", f"four.{code}"]) for code in (1, 2, 3, 4))


@pytest.mark.parametrize("text", ['with "marks"', "back\\slash", "två\nrader", "å ä ö – “x”", "tab\there"])
def test_any_text_can_be_a_word(folder, tmp_path, text):
    (tmp_path / "own").mkdir()
    file = tmp_path / "own" / "five-items.sv.toml"
    file.write_text(written(FIVE, MANIFEST, TEXTS | {("item", "walk"): text}), encoding="utf-8")

    assert wording_of(FIVE, "sv", pack="own", folder=tmp_path).items["walk"].text == text


def test_an_item_that_asks_for_text_has_no_options_and_a_longest_answer(folder):
    item = wording_of(FIVE, "sv", pack="own", folder=folder()).items["remarks"]

    assert (item.options, item.longest) == ((), 500)


def test_numbers_between_two_ends_have_words_for_the_ends_alone():
    item = wording_of(questionnaires.load("eq-5d-5l"), "en").items["VAS"]

    assert item.ends == ("as bad as can be", "as good as can be")
    assert [item.options[0], item.options[50], item.options[100]] == [
        (0, "0 – as bad as can be"),
        (50, "50"),
        (100, "100 – as good as can be"),
    ]


def test_a_wording_licensed_for_another_study_is_refused(folder):
    with pytest.raises(Refused, match="this file is for study BreCLIM-2, but OTHER is asked for"):
        wording_of(FIVE, "sv", pack="own", folder=folder(), study="OTHER")


def test_a_licence_holds_through_its_last_day(folder):
    packs = folder()

    assert wording_of(FIVE, "sv", pack="own", folder=packs, on=date(2027, 12, 31))
    with pytest.raises(Refused, match="the licence A-1 ended on 2027-12-31, before 2028-01-01\n  Ask its owner"):
        wording_of(FIVE, "sv", pack="own", folder=packs, on=date(2028, 1, 1))


@pytest.mark.parametrize("key", ["licence", "study"])
def test_words_that_may_not_be_passed_on_name_their_licence_and_study(folder, key):
    with pytest.raises(Refused, match=f"a wording that may not be passed on names no {key}"):
        wording_of(FIVE, "sv", pack="own", folder=folder(**{key: None}))


def test_words_that_may_be_passed_on_need_neither(folder):
    assert wording_of(FIVE, "sv", pack="own", folder=folder(redistributable=True, licence=None, study=None))


def test_a_wording_that_was_answered_may_not_change_in_its_edition(folder):
    wording = wording_of(FIVE, "sv", pack="own", folder=folder())
    answered = {key_of(wording): "the hash under which forms were answered"}

    with pytest.raises(PackIsLocked, match="Write edition = 2 in its file, or bring the old words back"):
        refuse_change_after_use(wording, answered)

    refuse_change_after_use(wording, {})
    refuse_change_after_use(wording, {key_of(wording): wording.sha256})
    refuse_change_after_use(replace(wording, edition=2), answered)


def table(tmp_path, *lines, name="words.csv"):
    file = tmp_path / name
    file.write_text("\n".join(["part;code;text", *lines]), encoding="utf-8")
    return grid_of(file)


def all_lines(**changed):
    return [f"{part};{code};{changed.get(code, text)}" for (part, code), text in TEXTS.items()]


def test_a_table_of_words_is_imported_whatever_the_order_of_its_lines(tmp_path):
    assert words_of(table(tmp_path, *reversed(all_lines())), FIVE) == TEXTS


def test_a_table_in_excel_is_imported_too(tmp_path):
    import pandas as pd

    rows = [(part, code, text) for (part, code), text in TEXTS.items()]
    pd.DataFrame(rows, columns=["Part", "Code", "Text"]).to_excel(tmp_path / "words.xlsx", index=False)

    assert words_of(grid_of(tmp_path / "words.xlsx"), FIVE) == TEXTS


TABLES = {
    "a missing line": (
        all_lines()[:-1], "words.csv:1: there is no line for item remarks\n  Add it.",
    ),
    "a line too many": (
        [*all_lines(), "item;q99;x"],
        "words.csv:13: five-items 1 has no item q99\n  Correct part and code, or take the line away.",
    ),
    "an option too many": (
        [*all_lines(), "option;four.5;x"],
        "words.csv:13: five-items 1 has no option four.5\n  Correct part and code, or take the line away.",
    ),
    "a line twice": (
        [*all_lines(), "item;walk;x"], "words.csv:13: item walk stands twice\n  Keep one of them.",
    ),
    "a line without text": (
        all_lines(walk=""), "words.csv:8: item walk has no text\n  Fill it in.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "told"), TABLES.values(), ids=TABLES)
def test_a_table_that_does_not_fit_is_refused_by_line(tmp_path, lines, told):
    with pytest.raises(Refused) as refused:
        words_of(table(tmp_path, *lines), FIVE)

    assert str(refused.value) == told


def test_a_table_of_something_else_is_refused(tmp_path):
    file = tmp_path / "words.csv"
    file.write_text("a,b\n1,2\n")

    with pytest.raises(Refused, match="this table of words has no column part, code, text"):
        words_of(grid_of(file), FIVE)


def test_a_list_of_packs_says_of_each_whether_it_may_be_used(folder):
    packs = folder()
    (packs / "own" / "broken.sv.toml").write_text("[wording]\n", encoding="utf-8")
    known = {FIVE.id: FIVE}

    today, later = (listed([packs], known, on=date(year, 1, 1)) for year in (2027, 2028))

    assert {each.file.name: [fault.what for fault in each.faults][:1] for each in today} == {
        "broken.sv.toml": ["`instrument` is missing"],
        "five-items.sv.toml": [],
    }
    assert [each.faults[0].what for each in later if each.manifest] == [
        "the licence A-1 ended on 2027-12-31, before 2028-01-01"
    ]
