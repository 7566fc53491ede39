"""What does each kind of score make of the answers?"""

import math
from pathlib import Path

import pandas as pd
import pytest

import questionnaires
from questionnaires.thresholds import smallest_that_matters

EVERY = questionnaires.load(Path(__file__).parent / "instruments" / "every-score.toml")
LOWEST = {"a": 1, "b": 1, "c": 1, "d": 1, "e": 0}


def scored(**changed):
    """The scores of one form with the lowest option everywhere, but for what is said."""
    return questionnaires.score(pd.DataFrame([LOWEST | changed], dtype=float), EVERY).iloc[0]


def explained(**changed):
    return questionnaires.explain(pd.DataFrame([LOWEST | changed], dtype=float), EVERY).set_index("scale")


def test_a_recoded_answer_counts_as_its_table_says():
    assert scored(a=1, b=2).MEAN == 70


def test_a_mean_of_any_needs_one_answer():
    assert scored(a=math.nan, b=2).MEAN == 40
    assert math.isnan(scored(a=math.nan, b=math.nan).MEAN)


def test_a_sum_and_its_conversion_need_all_answers():
    assert (scored(c=3, d=2).SUM, scored(c=3, d=2)["T"]) == (5, 50)
    assert math.isnan(scored(c=3, d=math.nan).SUM)
    assert math.isnan(scored(c=3, d=math.nan)["T"])


def test_both_ends_of_a_conversion_are_in_its_table():
    assert [scored(c=1, d=1)["T"], scored(c=3, d=3)["T"]] == [20.5, 60.5]


def test_the_highest_is_the_worse_of_two():
    assert [scored(c=2, d=3).WORST, scored(c=2, d=1).WORST] == [3, 2]


@pytest.mark.parametrize(("d", "e", "grade"), [(1, 0, 0), (1, 1, 1), (2, 0, 2), (3, 1, 5)])
def test_a_grade_is_looked_up_with_the_last_item_changing_fastest(d, e, grade):
    assert grade == scored(d=d, e=e).GRADE


def test_an_item_that_was_not_asked_counts_as_its_gate_says():
    assert scored(d=1, e=math.nan).GRADE == 0
    assert math.isnan(scored(d=2, e=math.nan).GRADE)
    assert math.isnan(scored(d=math.nan, e=math.nan).GRADE)


def test_a_value_set_takes_from_1_what_each_level_costs():
    assert pytest.approx(1 - 0.1 - 0.5) == scored(c=2, d=3).WORTH


def test_a_value_set_needs_all_of_its_parts():
    assert math.isnan(scored(c=math.nan).WORTH)


def test_an_item_that_may_be_absent_brings_its_score_when_it_is_there():
    assert "VAS" not in scored().index
    assert scored(vas=73).VAS == 73


def test_a_number_between_two_ends_is_whole_and_between_them():
    answers = pd.DataFrame([LOWEST | {"vas": 101}, LOWEST | {"vas": 0.5}])

    invalid = questionnaires.score(answers, EVERY, on_invalid="missing").attrs["invalid"]

    assert [cell.problem for cell in invalid] == ["not a whole number from 0 to 100", "not a whole number"]


def test_an_item_that_is_not_scored_needs_no_column_and_may_hold_text():
    answers = pd.DataFrame([LOWEST | {"note": "text"}])

    assert questionnaires.score(answers, EVERY).SUM[0] == 2


def test_a_reason_is_given_for_every_kind_of_score():
    table = explained(a=math.nan, b=math.nan, c=math.nan)

    assert dict(table.reason.dropna()) == {
        "MEAN": "no answers",
        "SUM": "too few answers",
        "WORST": "too few answers",
        "T": "too few answers",
        "WORTH": "a scale is missing",
    }
    assert (table.answered["SUM"], table.needed["SUM"]) == (1, 2)


def test_the_lowest_and_highest_value_of_each_score_are_known():
    assert {score.code: EVERY.bounds(score.code) for score in EVERY.scores} == {
        "MEAN": (0, 100),
        "SUM": (2, 6),
        "WORST": (1, 3),
        "VAS": (0, 100),
        "T": (20.5, 60.5),
        "GRADE": (0, 5),
        "WORTH": (pytest.approx(0.3), 1),
    }


def test_every_score_of_the_catalogue_stays_within_its_bounds_and_has_a_direction():
    for instrument in questionnaires.available():
        for score in instrument.scores:
            lowest, highest = instrument.bounds(score.code)
            assert lowest < highest
            assert score.higher_is in ("better", "worse")


def test_a_flag_says_which_threshold_was_passed_strictly():
    assert (explained(c=3, d=2).flag["SUM"], explained(c=3, d=3).flag["SUM"]) == (None, "above 5")
    assert (explained(a=1, b=3).flag["MEAN"], explained(a=2, b=2).flag["MEAN"]) == (None, "below 50")  # 50, 40
    assert explained(a=math.nan, b=math.nan).flag["MEAN"] is None


def test_the_differences_that_matter_are_found_by_scale_comparison_and_direction():
    worse = smallest_that_matters(EVERY.differences, "MEAN", "within", "worse")
    better = smallest_that_matters(EVERY.differences, "MEAN", "within", "better")

    assert [(points, each.size, each.checked) for points, each in worse] == [(5, "small", True), (15, "large", False)]
    assert [points for points, _ in better] == [15]
    assert smallest_that_matters(EVERY.differences, "WORST", "within", "worse") == []


def test_every_threshold_and_difference_of_the_catalogue_is_cited_and_says_whether_it_was_checked():
    c30 = questionnaires.load("qlq-c30")

    assert {len(each.below) + len(each.above) for each in c30.thresholds} == {14}
    assert [points for points, _ in smallest_that_matters(c30.differences, "QL", "between", "worse")] == [4, 10, 15]
    assert [points for points, _ in smallest_that_matters(c30.differences, "FA", "within", "better")] == [5, 10]
    assert all(each.cite and not each.checked for each in (*c30.thresholds, *c30.differences))


@pytest.mark.parametrize(("answer", "flag"), [(2, "below 83"), (1, None)])
def test_the_c30_flags_what_is_clinically_important(answer, flag):
    """PF of all 2s is 66.7; Giesinger 2020 flags below 83."""
    c30 = questionnaires.load("qlq-c30")
    answers = pd.DataFrame([{item.code: 1 for item in c30.items} | {f"q{n}": answer for n in range(1, 6)}])

    assert questionnaires.explain(answers, c30).set_index("scale").flag["PF"] == flag


def test_the_four_levels_of_walking_in_the_qlu_c10d():
    """Kemmler 2019: item 2 = 1; else by item 3."""
    qlu = questionnaires.load("qlu-c10d")
    rows = [(1, 1), (1, 4), (2, 1), (4, 2), (3, 3), (2, 4)]
    answers = pd.DataFrame([{item.code: 1 for item in qlu.items} | {"q2": q2, "q3": q3} for q2, q3 in rows])

    assert list(questionnaires.score(answers, qlu).QLU_PF) == [1, 1, 2, 3, 4, 4]
