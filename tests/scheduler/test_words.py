"""Replies are understood, and texts are counted as the networks count them."""

import pytest

from scheduler.replies import Understood, understand
from scheduler.texts import segments


@pytest.mark.parametrize(
    "body",
    [
        "STOP",
        "stop",
        " Stopp! ",
        "STOPP.",
        "avsluta",
        "Sluta\n",
        "Unsubscribe",
        "END",
        "quit",
        "»STOP«",
        "S T O P",
        "ＳＴＯＰ",
    ],
)
def test_stop_is_understood_in_any_dress(body: str) -> None:
    assert understand(body) is Understood.STOP


@pytest.mark.parametrize("body", ["start", "STARTA!", " Start "])
def test_start_is_understood(body: str) -> None:
    assert understand(body) is Understood.START


@pytest.mark.parametrize("body", ["", "3", "Jag kan inte stoppa nu", "stop by tomorrow?", "Ring mig i morgon", "👍"])
def test_everything_else_is_for_a_person(body: str) -> None:
    assert understand(body) is Understood.OTHER


@pytest.mark.parametrize(
    ("body", "count", "alphabet"),
    [
        ("å" * 160, 1, "GSM-7"),
        ("å" * 161, 2, "GSM-7"),
        ("a" * 306, 2, "GSM-7"),
        ("a" * 307, 3, "GSM-7"),
        ("€" * 80, 1, "GSM-7"),
        ("€" * 81, 2, "GSM-7"),
        ("€" * 153, 3, "GSM-7"),  # 76 a segment: none is cut in two
        ("–" * 70, 1, "UCS-2"),
        ("–" * 71, 2, "UCS-2"),
        ("😀" * 35, 1, "UCS-2"),
        ("😀" * 67, 3, "UCS-2"),  # 33 a segment
    ],
)
def test_a_text_takes_so_many_segments(body: str, count: int, alphabet: str) -> None:
    """3GPP TS 23.038 and 23.040: 160/153 places of seven bits, 70/67 of sixteen."""
    taken = segments(body)

    assert (taken.count, taken.alphabet) == (count, alphabet)


def test_the_characters_that_cost_a_whole_text_its_alphabet_are_named() -> None:
    assert segments("Hej – det är dags…").forced_by == "–…"


@pytest.mark.parametrize(("body", "meaning"), [("Prata med mig!", Understood.CALL), ("nog", Understood.STOP)])
def test_the_words_are_the_trials_own(body: str, meaning: Understood) -> None:
    words = {"sv": {Understood.CALL: ("PRATA MED MIG",), Understood.STOP: ("NOG",)}}

    assert understand(body, words) is meaning
    assert understand("senare", words) is Understood.OTHER
    assert understand("Stop", words) is Understood.STOP  # to the carrier it does, whatever the trial says


@pytest.mark.parametrize(
    ("body", "meaning"),
    [
        ("stopp sms", Understood.STOP_SMS),
        ("Stop texts.", Understood.STOP_SMS),
        ("STOPP E-POST", Understood.STOP_EMAIL),
        ("stop email", Understood.STOP_EMAIL),
    ],
)
def test_a_stop_may_name_its_channel(body: str, meaning: Understood) -> None:
    assert understand(body) is meaning
