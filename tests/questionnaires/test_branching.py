"""Which items are asked, given what is answered?"""

import math
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

import questionnaires
from questionnaires.branching import State, applicable, asked, closed_by, overtaken, states

GATES = questionnaires.load(Path(__file__).parent / "instruments" / "gates.toml")
ITEMS = ["pain", "drug", "relief", "sleep", "words"]


def test_an_open_gate_asks_what_hangs_on_it():
    assert asked(GATES, {"pain": 2, "drug": 1}) == ITEMS


def test_a_closed_gate_asks_nothing_that_hangs_on_it_however_long_the_chain():
    assert asked(GATES, {"pain": 1}) == ["pain", "sleep", "words"]


def test_the_item_that_closes_a_chain_is_named_for_all_of_it():
    assert closed_by(GATES, {"pain": 1}) == {"drug": "pain", "relief": "pain"}
    assert closed_by(GATES, {"pain": 4, "drug": 0}) == {"relief": "drug"}


@pytest.mark.parametrize("given", [{}, {"pain": None}])
def test_a_gate_without_an_answer_is_open(given):
    assert asked(GATES, given) == ITEMS


def test_an_item_stands_in_one_of_four_states():
    found = states(GATES, {"pain": 3, "drug": 0, "sleep": None}, shown=["pain", "drug", "sleep"])

    assert found == {
        "pain": State.ANSWERED,
        "drug": State.ANSWERED,
        "relief": State.NOT_APPLICABLE,
        "sleep": State.SKIPPED,
        "words": State.NOT_SHOWN,
    }


def test_closing_a_gate_afterwards_makes_the_standing_answers_not_applicable():
    given = {"pain": 3, "drug": 1, "relief": 4, "sleep": 2}
    assert overtaken(GATES, given) == []

    corrected = given | {"pain": 1}

    assert overtaken(GATES, corrected) == ["drug", "relief"]
    assert states(GATES, corrected, shown=list(given))["relief"] is State.NOT_APPLICABLE
    assert applicable(GATES, corrected) == {"pain": 1, "sleep": 2}


def test_opening_it_once_more_brings_the_standing_answers_back():
    given = {"pain": 3, "drug": 1, "relief": 4}

    assert applicable(GATES, given | {"pain": 1} | {"pain": 2}) == given | {"pain": 2}


@for_all(st.fixed_dictionaries({item: st.sampled_from([None, 0, 1, 2, 3, 4]) for item in ITEMS}))
def test_what_is_asked_and_what_is_closed_are_all_items_once(given):
    assert sorted([*asked(GATES, given), *closed_by(GATES, given)]) == sorted(ITEMS)


def test_a_score_that_was_not_asked_for_says_so_and_is_not_called_missing():
    """QoLR scores the enjoyment item of the BR23 also when its gate is closed; we do not ask it."""
    br23 = questionnaires.load("qlq-br23")
    lowest = {item.code: 1 for item in br23.items} | {"q46": 4, "q45": 1, "q34": 1, "q35": 3}

    counted = applicable(br23, lowest)
    answers = pd.DataFrame([counted]).reindex(columns=[item.code for item in br23.items])

    table = questionnaires.explain(answers, br23).set_index("scale")
    assert math.isnan(table.value["BRSEE"])
    assert dict(table.reason.dropna()) == {"BRSEE": "not applicable", "BRHL": "not applicable"}


def test_answers_are_scored_as_given_because_gates_act_when_they_are_asked():
    br23 = questionnaires.load("qlq-br23")
    answers = pd.DataFrame([{item.code: 1 for item in br23.items} | {"q46": 4, "q45": 1}])

    assert questionnaires.score(answers, br23).BRSEE[0] == 100


def test_a_gap_behind_an_open_gate_is_an_ordinary_gap():
    answers = pd.DataFrame([{"pain": 3, "drug": 1, "relief": math.nan, "sleep": 1}])

    table = questionnaires.explain(answers, GATES).set_index("scale")

    assert table.reason["RELIEF"] == "no answers"


def test_a_gap_behind_a_chain_of_closed_gates_is_not_applicable():
    answers = pd.DataFrame([{"pain": 1, "drug": math.nan, "relief": math.nan, "sleep": 1}])

    table = questionnaires.explain(answers, GATES).set_index("scale")

    assert list(table.reason) == [None, "not applicable", "not applicable"]
