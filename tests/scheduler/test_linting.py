"""A text gives nothing away, leads to the form, can be ended, and is one segment or says what it costs."""

import pytest

from scheduler.linting import Finding, lint

ADDRESS = "https://epro.example"
GOOD = "Hej! Ett formulär väntar på dig: {link} Frågor? Ring {phone}"


def told(template: str, **around: str) -> list[str]:
    return [found.what for found in lint({"sv": {"invite": template}}, address=ADDRESS, **around)]


def test_a_good_text_is_left_alone() -> None:
    assert told(GOOD, sender="+46701740605") == []


@pytest.mark.parametrize("word", ["bröstcancer", "Cancer", "klinik", "studie", "BreCLIM", "Norrland"])
def test_a_word_that_gives_something_away_is_named(word: str) -> None:
    found = lint({"sv": {"invite": f"{GOOD} {word}"}}, address=ADDRESS, own_words=["BreCLIM-2", "BreCLIM", "Norrland"])

    assert [one.what for one in found] == [f"it says “{word}”, for whoever sees the phone"]
    assert found[0].where == ("texts", "sv", "invite")


def test_the_sender_and_the_address_are_held_to_the_same_words() -> None:
    found = lint({"sv": {"invite": GOOD}}, address="https://cancer.example", sender="Onkologen")

    assert [(one.where, one.what) for one in found] == [
        (("sender",), "the sender says “Onkologen”"),
        (("address",), "the address says “cancer”"),
    ]


def test_characters_that_make_it_ucs_2_are_named_with_what_they_cost() -> None:
    assert told(f"{GOOD} – “nu”") == [
        "'–' '“' '”' makes the whole text UCS-2: 70 characters a segment",
        "it takes 2 segments, each at the price of a text",
    ]


def test_a_text_without_its_link_is_told() -> None:
    assert told("Hej! Ring {phone}") == ["it has no link"]


def test_a_sender_that_cannot_be_replied_to_needs_another_way_out() -> None:
    assert told("Hej! {link}", sender="+46701740605") == []
    assert told("Hej! {link}", sender="Formular") == [
        "nobody can reply STOP to the sender 'Formular', and the text says no other way"
    ]


def test_a_finding_brings_its_cure() -> None:
    assert lint({"sv": {"invite": "Hej!"}}, address=ADDRESS) == [
        Finding(("texts", "sv", "invite"), "it has no link", "Put {link} where the link should stand.")
    ]
