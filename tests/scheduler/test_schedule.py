"""A trial file that contradicts itself is refused, where it does and with what would be right."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import epro
from scheduler.replies import USUAL_WORDS
from scheduler.schedule import Schedule
from scheduler.texts import UnknownText, render
from tests.scheduler.house import ladder, schedule, sections, step, visit

BRECLIM = Path(epro.__file__).parent / "trials" / "breclim-2.toml"


def refused(**changes: Any) -> dict[tuple[Any, ...], tuple[str, str]]:
    """Key path → what is wrong and what would be right."""
    with pytest.raises(ValidationError) as caught:
        Schedule.of(sections(**changes))
    return {fault["loc"]: (fault["msg"], fault.get("ctx", {}).get("cure", "")) for fault in caught.value.errors()}


def test_the_trial_of_this_repository_is_accepted() -> None:
    trial = tomllib.loads(BRECLIM.read_text(encoding="utf-8"))

    read = Schedule.of({name: trial[name] for name in ("anchors", "visit", "ladder", "quiet", "texts", "replies")})

    assert len(read.visits) == 10
    assert [rung.day for rung in read.ladder.steps] == [0, 3, 7]


@pytest.mark.parametrize("day", [0, -1], ids=["zero", "negative"])
def test_an_interval_between_steps_that_is_no_interval_is_refused(day: int) -> None:
    faults = refused(ladder=ladder(step("invite", 0), step("reminder", day)))

    assert faults["ladder", "step", 1, "day"] == (
        f"step reminder goes on day {day}, no later than invite on day 0",
        "Let it go on day 1 or later.",
    )


@pytest.mark.parametrize("blank", ["", None, 2.5, True])
def test_a_blank_or_broken_interval_is_refused(blank: Any) -> None:
    assert ("ladder", "step", 1, "day") in refused(
        ladder=ladder(step("invite", 0), {**step("reminder", 3), "day": blank})
    )


def test_a_missing_interval_is_refused() -> None:
    second = step("reminder", 3)
    del second["day"]

    assert ("ladder", "step", 1, "day") in refused(ladder=ladder(step("invite", 0), second))


def test_a_step_past_the_window_of_a_visit_is_refused() -> None:
    faults = refused(ladder=ladder(step("invite", 0), step("reminder", 16)))

    assert faults["ladder", "step", 1, "day"] == (
        "step reminder goes 16 days after the due day, but M1 closes after 14",
        "Send it earlier ([ladder]) or let [visit.M1] close later.",
    )


def test_a_step_before_a_visit_opens_is_refused() -> None:
    assert ("ladder", "step", 0, "day") in refused(ladder=ladder(step("invite", -8), step("reminder", 3)))


def test_windows_of_one_instrument_that_may_meet_are_refused() -> None:
    faults = refused(visit={"M1": visit(1), "M2": visit(7, "week")})

    assert faults["visit", "M2"][0] == "M2 may be open at the same time as M1, and both ask qlq-c30"


@pytest.mark.parametrize(
    ("days", "meets"),
    [(28 + 21, True), (31 + 22 - 1, True), (31 + 22, False)],
    ids=["in February only", "on one day of most months", "never"],
)
def test_windows_are_held_apart_for_every_day_an_anchor_may_be(days: int, meets: bool) -> None:
    """M1 closes 14 days after a month; the other opens 7 days before it is due."""
    visits = {"M1": visit(1), "LATER": visit(days, "day")}

    assert (("visit", "LATER") in refused(visit=visits)) if meets else Schedule.of(sections(visit=visits))


@pytest.mark.parametrize("change", [{"anchor": "surgery"}, {"instruments": ["eq-5d"]}], ids=["anchor", "instrument"])
def test_windows_may_meet_where_they_share_no_anchor_or_no_instrument(change: dict[str, Any]) -> None:
    anchors = {"randomisation": "R", "surgery": "S"}

    assert schedule(anchors=anchors, visit={"M1": visit(1), "M2": visit(5, "week", **change)})


def test_an_unknown_anchor_is_refused() -> None:
    assert refused(visit={"M1": visit(1, anchor="surgery")})["visit", "M1", "anchor"] == (
        "M1 hangs on the anchor 'surgery', which [anchors] does not name",
        "Name it there, or take one of them: randomisation.",
    )


@pytest.mark.parametrize("time", ["24:00", "8:00", "10.00", "", 10, "10:00Z", "10:00:30"])
def test_a_time_that_is_none_is_refused(time: Any) -> None:
    assert ("quiet", "start") in refused(quiet={"start": time, "end": "08:00"})


def test_quiet_hours_of_a_whole_day_are_refused() -> None:
    assert ("quiet",) in refused(quiet={"start": "08:00", "end": "08:00"})


def test_no_quiet_hours_may_be_asked_for() -> None:
    assert schedule(quiet={}).quiet is None


@pytest.mark.parametrize(
    ("texts", "where"),
    [
        ({"sv": {"invite": "{link}"}}, ("texts", "sv")),
        ({"sv": {"invite": "Hej!", "reminder": "{link}"}}, ("texts", "sv", "invite")),
        ({"sv": {"invite": "{link} {name}", "reminder": "{link}"}}, ("texts", "sv", "invite")),
        ({"sv": {"invite": "{link", "reminder": "{link}"}}, ("texts", "sv", "invite")),
        ({"sv": {"invite": "{link.x}", "reminder": "{link}"}}, ("texts", "sv", "invite")),
        ({}, ("texts",)),
    ],
    ids=["missing step", "no link", "unknown field", "open brace", "attribute", "none"],
)
def test_a_text_that_cannot_be_sent_is_refused(texts: Any, where: tuple[str, ...]) -> None:
    assert where in refused(texts=texts)


def test_all_faults_are_told_at_once() -> None:
    faults = refused(visit={"M1": visit(1, anchor="surgery")}, ladder=ladder(step("invite", 0), step("reminder", 16)))

    assert set(faults) == {("visit", "M1", "anchor"), ("ladder", "step", 1, "day")}


def test_a_text_is_rendered_with_its_named_fields_alone() -> None:
    assert render(schedule(), "sv", "invite", link="https://epro.example/p/x", phone="070", code="sol") == (
        "Hej! https://epro.example/p/x"
    )


@pytest.mark.parametrize(("language", "code"), [("en", "invite"), ("sv", "farewell")])
def test_a_text_that_is_not_there_is_named(language: str, code: str) -> None:
    with pytest.raises(UnknownText, match=f"'{code}' in '{language}'"):
        render(schedule(), language, code, link="", phone="", code="")


MEANINGS = {"stop": ["STOPP"], "later": ["SENARE"]}


@pytest.mark.parametrize(
    ("replies", "where", "said"),
    [
        (
            {"sv": {"stop": ["STOPP"], "later": ["s.t.o.p.p!"]}},
            ("replies", "sv", "later"),
            "means later here, and stop",
        ),
        (
            {"sv": MEANINGS, "en": {"stop": ["NO"], "call": ["senare"]}},
            ("replies", "en", "call"),
            "and later elsewhere",
        ),
        ({"sv": {**MEANINGS, "help": ["END"]}}, ("replies", "sv", "help"), "and stop elsewhere or to the carrier"),
        ({"sv": {**MEANINGS, "help": ["?!"]}}, ("replies", "sv", "help"), "no letter"),
        ({"sv": {"later": ["SENARE"]}}, ("replies", "sv"), "nobody who answers in it could end the texts"),
        ({"sv": {**MEANINGS, "other": ["HEJ"]}}, ("replies", "sv", "other"), "what no word means"),
    ],
)
def test_a_reply_word_that_cannot_mean_one_thing_is_refused(replies: Any, where: Any, said: str) -> None:
    faults = refused(replies=replies)

    assert said in faults[where][0]
    assert faults[where][1]


def test_a_meaning_that_does_not_exist_is_refused() -> None:
    assert refused(replies={"sv": {**MEANINGS, "dance": ["DANSA"]}})


def test_one_word_may_mean_the_same_in_two_languages() -> None:
    assert schedule(
        replies={"sv": {"stop": ["STOP"], "start": ["START"]}, "en": {"stop": ["stop"], "start": ["START"]}}
    )


def test_without_reply_words_of_its_own_a_trial_has_the_usual_ones() -> None:
    assert schedule().replies == schedule(replies={}).replies == USUAL_WORDS


def test_an_anchor_may_say_which_arms_have_it() -> None:
    anchors = {"randomisation": "the day", "surgery": {"title": "the day of surgery", "arms": ["surgery"]}}

    read = schedule(anchors=anchors).anchors

    assert (read["randomisation"].arms, read["surgery"].arms) == ((), ("surgery",))
