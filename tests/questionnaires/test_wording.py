"""Is an instrument asked in words that fit it, and is a file that does not fit refused?"""

import hashlib

import pytest

from questionnaires import load
from questionnaires.located import Refused
from questionnaires.wording import FOLDER, UnknownWording, wording_of

SOUND = """\
[wording]
instrument = "composite"
version = "1"
language = "sv"
pack = "own"
source = "made up for a test"
redistributable = true
title = "Upp och ner"
[recall]
month = "Den senaste månaden."
[option]
five = ["noll", "ett", "två", "tre", "fyra"]
[item]
up = "Uppåt"
down = "Nedåt"
"""


@pytest.fixture
def worded(tmp_path, composite):
    """The Swedish words of the instrument `composite`, after replacing the first of each old text by the new one."""

    def worded(*changes):
        text = SOUND
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        file = tmp_path / "own" / "composite.sv.toml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return wording_of(composite, "sv", pack="own", folder=tmp_path)

    return worded


def test_each_item_has_its_text_its_period_and_a_label_for_every_option(worded):
    item = worded().items["up"]

    assert item.text == "Uppåt"
    assert item.recall == "Den senaste månaden."
    assert item.options == ((1, "noll"), (2, "ett"), (3, "två"), (4, "tre"), (5, "fyra"))


def test_an_item_without_a_period_shows_none(worded):
    assert worded().items["down"].recall is None


def test_items_come_in_the_order_of_the_instrument(worded):
    assert list(worded(('up = "Uppåt"\ndown = "Nedåt"', 'down = "Nedåt"\nup = "Uppåt"')).items) == ["up", "down"]


def test_the_hash_is_that_of_the_file(worded):
    wording = worded()

    assert wording.sha256 == hashlib.sha256(SOUND.encode()).hexdigest()
    assert worded(("Nedåt", "Ner")).sha256 != wording.sha256


BROKEN = {
    "a missing item": (
        'down = "Nedåt"\n', "",
        "composite.sv.toml:13: [item] lacks down\n  Add the words of down, which composite 1 has.",
    ),
    "an extra item": (
        'down = "Nedåt"\n', 'down = "Nedåt"\nq3 = "Åt sidan"\n',
        "composite.sv.toml:16: [item] has q3, which composite 1 has not\n  Take it away.",
    ),
    "an empty text": (
        '"Nedåt"', '" "',
        "composite.sv.toml:15: `down` is empty\n  Fill it in here.",
    ),
    "a missing period": (
        'month = "Den senaste månaden."', "",
        "composite.sv.toml:9: [recall] lacks month\n  Add the words of month, which composite 1 has.",
    ),
    "a missing response set": (
        "five = ", "four = ",
        "composite.sv.toml:11: [option] lacks five\n  Add the words of five, which composite 1 has.\n"
        "composite.sv.toml:12: [option] has four, which composite 1 has not\n  Take it away.",
    ),
    "too few options": (
        ', "fyra"', "",
        "composite.sv.toml:12: five has 4 labels for 5 options\n  Give one label for each of 1 2 3 4 5, in that order.",
    ),
    "two options of one name": (
        '"fyra"', '"tre"',
        "composite.sv.toml:12: five has two options called “tre”\n  Give each its own label.",
    ),
    "another version": (
        'version = "1"', 'version = "2"',
        "composite.sv.toml:3: this file is for version 2, but 1 is asked for\n"
        '  Use the file made for 1; write version = "1" only if its words are.',
    ),
    "another instrument": (
        'instrument = "composite"', 'instrument = "other"',
        "composite.sv.toml:2: this file is for instrument other, but composite is asked for\n"
        '  Use the file made for composite; write instrument = "composite" only if its words are.',
    ),
    "another language": (
        'language = "sv"', 'language = "nb"',
        "composite.sv.toml:4: this file is for language nb, but sv is asked for\n"
        '  Use the file made for sv; write language = "sv" only if its words are.',
    ),
    "another pack": (
        'pack = "own"', 'pack = "demo"',
        "composite.sv.toml:5: this file is for pack demo, but own is asked for\n"
        '  Use the file made for own; write pack = "own" only if its words are.',
    ),
    "no word on redistribution": (
        "redistributable = true\n", "",
        "composite.sv.toml:1: `redistributable` is missing\n  Add it here.",
    ),
    "a demonstration without a banner": (
        "redistributable = true", "redistributable = true\ndemonstration = true",
        "composite.sv.toml:8: a demonstration has no banner\n  Say in `banner` what these words are not.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "told"), BROKEN.values(), ids=BROKEN)
def test_it_is_refused_with_its_line_and_cure(worded, old, new, told):
    with pytest.raises(Refused) as refused:
        worded((old, new))

    assert str(refused.value) == told


def test_a_language_that_the_pack_has_not_is_refused_naming_those_it_has(c30):
    with pytest.raises(UnknownWording, match=r"The pack demo has .*qlq-c30.en.toml, qlq-c30.sv.toml"):
        wording_of(c30, "fi")


def test_a_pack_that_is_not_there_is_refused(c30, tmp_path):
    with pytest.raises(UnknownWording, match="There is no pack licensed yet"):
        wording_of(c30, "sv", pack="licensed", folder=tmp_path)


DEMONSTRATED = ["eq-5d-5l", "pro-ctcae", "qlq-br23", "qlq-c30", "qlq-lmc21"]


@pytest.mark.parametrize("language", ["sv", "en"])
@pytest.mark.parametrize("instrument", DEMONSTRATED)
def test_an_instrument_is_demonstrated_by_topics_and_says_that_it_is_no_more_than_that(instrument, language):
    """The licensed wording asks whole questions; a topic has a few words and no question mark."""
    wording = wording_of(load(instrument), language)

    assert wording.demonstration
    assert "demonstration" in wording.banner
    assert list(wording.items) == [item.code for item in load(instrument).items]
    for item in wording.items.values():
        assert len(item.text.partition(":")[0].split()) <= 5
        assert "?" not in item.text


def test_every_demonstration_is_tried_above():
    assert sorted({file.name.split(".")[0] for file in (FOLDER / "demo").glob("*.toml")}) == DEMONSTRATED


def test_both_ends_of_the_seven_point_options_say_what_they_mean(c30):
    options = wording_of(c30, "sv").items["q29"].options

    assert [code for code, _ in options] == [1, 2, 3, 4, 5, 6, 7]
    assert (options[0][1], options[-1][1]) == ("1 – riktigt dåligt", "7 – riktigt bra")


def test_no_wording_kept_here_is_forbidden_to_pass_on():
    files = sorted(FOLDER.rglob("*.toml"))

    assert files
    assert all("redistributable = true" in file.read_text(encoding="utf-8") for file in files)
