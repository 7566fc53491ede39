"""A text gives nothing away, leads to the form, can be ended, and is one segment or says what it costs."""

from typing import Any

import pytest

from scheduler.linting import Around, Finding, lint
from scheduler.texts import LONGEST_CODE

ADDRESS = "https://epro.example"
GOOD = "Hej! Kodord {code}. Ett formulär väntar på dig: {link} Frågor? Ring {phone}"


def told(template: str, **around: Any) -> list[str]:
    return [found.what for found in lint({"sv": {"invite": template}}, Around(ADDRESS, **around))]


def test_a_good_text_is_left_alone() -> None:
    assert told(GOOD, sender="+46701740605") == []


@pytest.mark.parametrize("word", ["bröstcancer", "Cancer", "klinik", "studie", "BreCLIM", "Norrland"])
def test_a_word_that_gives_something_away_is_named(word: str) -> None:
    found = lint({"sv": {"invite": f"{GOOD} {word}"}}, Around(ADDRESS), own_words=["BreCLIM-2", "BreCLIM", "Norrland"])

    assert [one.what for one in found] == [f"it says “{word}”, for whoever sees the phone"]
    assert found[0].where == ("texts", "sv", "invite")


def test_the_sender_and_the_address_are_held_to_the_same_words() -> None:
    around = Around("https://minbrostcancer.example", "Onkologen", mails=True, mail_sender="till@breclim2.example")
    found = lint({"sv": {"invite": GOOD}}, around, own_words=["BreCLIM-2"])

    assert [(one.where, one.what) for one in found] == [
        (("sender",), "the sender says “onkolog”"),
        (("sender of mails",), "the sender of mails says “BreCLIM-2”"),
        (("address",), "the address says “cancer”"),
        (("address",), "the address says “bröst”"),
    ]


@pytest.mark.parametrize("name", ["https://formular.example", "https://till.example", "https://en-fraga.example"])
def test_a_name_that_says_nothing_is_left_alone(name: str) -> None:
    assert lint({"sv": {"invite": GOOD}}, Around(name)) == []


def test_characters_that_make_it_ucs_2_are_named_with_what_they_cost() -> None:
    assert told(f"{GOOD} – “nu”") == [
        "'–' '“' '”' makes the whole text UCS-2: 70 characters a segment",
        "it takes 2 segments, each at the price of a text",
    ]


def test_a_text_without_its_link_is_told() -> None:
    assert told("Hej! {code} Ring {phone}") == ["it has no link"]


def test_a_text_without_its_code_word_is_told() -> None:
    assert told("Hej! {link} Ring {phone}") == ["it lacks the patient's code word, by which she tells it from a fraud"]


def test_a_text_is_measured_with_the_longest_code_word() -> None:
    room = 160 - len(GOOD.format(code="", link=ADDRESS + "/p/" + "a" * 26, phone="070-174 06 95"))

    assert told(GOOD + "x" * (room - LONGEST_CODE)) == []
    assert told(GOOD + "x" * (room - LONGEST_CODE + 1)) == ["it takes 2 segments, each at the price of a text"]


def test_the_subject_line_of_mails_is_held_to_the_words_alone() -> None:
    found = lint({"sv": {"subject": "Ett formulär om din cancer"}}, Around(ADDRESS))

    assert [one.what for one in found] == ["it says “cancer”, for whoever sees the phone"]


def test_a_sender_that_cannot_be_replied_to_needs_another_way_out() -> None:
    assert told("Hej! {code} {link}", sender="+46701740605") == []
    assert told("Hej! {code} {link}", sender="Formular", mails=True) == [
        "nobody can reply STOP to the sender 'Formular', and the text says no other way",
        "nobody can reply STOP to a mail, and the text says no other way",
    ]


def test_a_finding_brings_its_cure() -> None:
    assert lint({"sv": {"invite": "Hej! {code}"}}, Around(ADDRESS)) == [
        Finding(("texts", "sv", "invite"), "it has no link", "Put {link} where the link should stand.")
    ]
