"""What do answers mean, and why is a score missing?"""

import math
import pickle

import numpy as np
import pandas as pd
import pytest

from questionnaires import explain, score
from questionnaires.scoring import InvalidAnswers, WrongColumns

C30_ITEMS = [f"q{n}" for n in range(1, 31)]


def forms(*rows, index=None):
    """Forms of the two items a and b, answered 0 to 4."""
    return pd.DataFrame(rows, columns=["a", "b"], index=index)


def lowest_answers(instrument, **changed):
    """One form with the lowest option everywhere, but for what is said."""
    lowest = {item.code: instrument.options(item.code)[0] for item in instrument.items}
    return pd.DataFrame([lowest | changed])


def test_a_symptom_scale_is_the_mean_answer_stretched_to_100(from_zero):
    assert score(forms([1, 2]), from_zero).BAD[0] == pytest.approx(37.5)  # mean 1.5 of 0 to 4


def test_a_functional_scale_is_a_symptom_scale_turned_round(from_zero):
    assert score(forms([1, 2]), from_zero).GOOD[0] == pytest.approx(62.5)


@pytest.mark.parametrize("size", range(1, 8))
def test_a_scale_is_scored_when_at_least_half_of_its_items_are_answered(half_rule, size):
    for missing in range(size + 1):
        gaps = {f"s{size}_{n}": math.nan for n in range(1, missing + 1)}

        value = score(lowest_answers(half_rule, **gaps), half_rule)[f"S{size}"][0]

        assert math.isnan(value) == (2 * (size - missing) < size or missing == size)


def test_a_partly_answered_scale_is_the_mean_of_what_was_answered(half_rule):
    answers = lowest_answers(half_rule, s4_1=4, s4_2=3, s4_3=math.nan, s4_4=math.nan)

    assert score(answers, half_rule).S4[0] == pytest.approx(100 * (3.5 - 1) / 3)


def test_a_composite_is_the_mean_of_its_scales_with_the_reversed_ones_turned_round(composite):
    answers = pd.DataFrame({"up": [5], "down": [2]})

    assert score(answers, composite).ALL[0] == pytest.approx((100 + (100 - 25)) / 2)


def test_a_composite_needs_all_of_its_scales(composite):
    answers = pd.DataFrame({"up": [5.0], "down": [math.nan]})

    assert math.isnan(score(answers, composite).ALL[0])


def test_the_c30_has_fifteen_scales_and_a_summary_in_the_order_of_the_manual(c30):
    columns = score(lowest_answers(c30), c30).columns

    assert " ".join(columns) == "QL PF RF EF CF SF FA NV PA DY SL AP CO DI FI SUM"


def test_the_index_of_the_answers_is_kept(from_zero):
    index = pd.MultiIndex.from_tuples([("UME-001", "M3"), ("GBG-002", "BL")], names=["subject", "visit"])

    assert score(forms([0, 1], [2, 3], index=index), from_zero).index.equals(index)


def test_no_form_gives_no_score_but_every_column(c30):
    empty = pd.DataFrame(columns=C30_ITEMS, dtype=float)

    assert score(empty, c30).shape == (0, 16)
    assert len(explain(empty, c30)) == 0


def test_columns_that_are_no_items_are_left_alone(from_zero):
    answers = forms([1, 2]).assign(subject="UME-001", c=99)

    assert list(score(answers, from_zero).columns) == ["BAD", "GOOD"]


def test_the_answers_themselves_are_not_changed(from_zero):
    answers = forms([1, 9], [math.nan, 2])
    before = answers.copy()

    score(answers, from_zero, on_invalid="missing")

    pd.testing.assert_frame_equal(answers, before)


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([2, 3]),
        pd.Series([2.0, 3.0]),
        pd.Series([2, 3], dtype="int8"),
        pd.Series([2, 3], dtype="UInt8"),
        pd.Series([2, 3], dtype="Float64"),
        pd.Series([2, 3.0], dtype=object),
        pd.Series([2, 3], dtype="category"),
        pd.Series(pd.Categorical([2, 3], categories=[4, 3, 2, 1])),
    ],
    ids=lambda column: str(column.dtype),
)
def test_whole_numbers_score_the_same_whatever_type_holds_them(from_zero, column):
    answers = pd.DataFrame({"a": column, "b": [0, 0]})

    assert list(score(answers, from_zero).BAD) == [25, 37.5]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([math.nan, 3]),
        pd.Series([None, 3], dtype=object),
        pd.Series([pd.NA, 3], dtype="Int64"),
        pd.Series([pd.NA, 3], dtype="Float64"),
        pd.Series([None, 3], dtype="category"),
        pd.Series([pd.NaT, 3], dtype=object),
    ],
    ids=["NaN", "None", "Int64 NA", "Float64 NA", "category", "NaT"],
)
def test_a_missing_answer_is_missing_whatever_stands_for_it(from_zero, column):
    answers = pd.DataFrame({"a": column, "b": [0, 0]})

    assert list(explain(answers, from_zero).query("scale == 'BAD'").answered) == [1, 2]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (-1, "not one of 0 1 2 3 4"),
        (5, "not one of 0 1 2 3 4"),
        (math.inf, "not a whole number"),
        (1.5, "not a whole number"),
        ("2", "not a number"),
        ("", "not a number"),
        (True, "not a number"),
        (pd.Timestamp("2027-03-01"), "not a number"),
    ],
    ids=str,
)
def test_an_answer_that_is_no_option_is_refused_by_row_item_and_reason(from_zero, value, problem):
    answers = forms([1, 1], [1, value], index=["UME-001", "UME-002"])

    with pytest.raises(InvalidAnswers) as refused:
        score(answers, from_zero)

    assert refused.value.cells == [("UME-002", "b", problem)]


@pytest.mark.parametrize("category", ["2", 7, 1.5, True])
def test_a_category_that_is_no_option_is_refused(from_zero, category):
    answers = pd.DataFrame({"a": pd.Series([category, None], dtype="category"), "b": [0, 0]})

    with pytest.raises(InvalidAnswers):
        score(answers, from_zero)


def test_a_category_that_no_form_uses_does_no_harm(from_zero):
    answers = pd.DataFrame({"a": pd.Categorical([2], categories=[2, 99]), "b": [2]})

    assert score(answers, from_zero).BAD[0] == 50


def test_every_invalid_answer_is_named_at_once_and_none_is_repeated(c30):
    answers = pd.concat([lowest_answers(c30, q3=0, q29=8), lowest_answers(c30), lowest_answers(c30, q1=5)])
    answers.index = [7, 8, 9]

    with pytest.raises(InvalidAnswers) as refused:
        score(answers, c30)

    assert [(cell.row, cell.item) for cell in refused.value.cells] == [(7, "q3"), (7, "q29"), (9, "q1")]
    assert str(refused.value) == (
        "answers that cannot be scored: 3\n"
        "  row 7, q3: not one of 1 2 3 4\n"
        "  row 7, q29: not one of 1 2 3 4 5 6 7\n"
        "  row 9, q1: not one of 1 2 3 4\n"
        '  Correct them, or score with on_invalid="missing" to leave them out.'
    )


def test_an_item_of_two_scales_is_named_once(from_zero):
    with pytest.raises(InvalidAnswers) as refused:
        score(forms([5, 1]), from_zero)

    assert len(refused.value.cells) == 1


def test_the_message_never_tells_the_answer(from_zero):
    with pytest.raises(InvalidAnswers) as refused:
        score(forms([1, "nine hundred"], [777, 1]), from_zero)

    assert "nine" not in str(refused.value) + repr(refused.value)
    assert "777" not in str(refused.value) + repr(refused.value)


def test_on_request_an_invalid_answer_counts_as_missing_and_the_rest_is_scored(c30):
    """A published data set carries QL = 116.67, an 8 that was scored."""
    answers = pd.concat([lowest_answers(c30, q29=8), lowest_answers(c30)], ignore_index=True)

    scores = score(answers, c30, on_invalid="missing")

    assert scores.attrs["invalid"] == [(0, "q29", "not one of 1 2 3 4 5 6 7")]
    assert list(scores.QL) == [0, 0]  # from q30 alone in the first form
    assert scores.PF[0] == 100


def test_scores_that_carry_invalid_answers_can_be_put_together_and_their_list_made_a_table(c30):
    batches = [score(lowest_answers(c30, q29=8), c30, on_invalid="missing") for _ in range(2)]

    assert pd.concat(batches).shape == (2, 16)
    assert list(pd.DataFrame(batches[0].attrs["invalid"]).columns) == ["row", "item", "problem"]


def test_errors_can_be_sent_between_processes(c30):
    with pytest.raises(WrongColumns) as refused:
        score(lowest_answers(c30).drop(columns="q1"), c30)

    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)


def test_without_an_invalid_answer_the_list_is_empty(from_zero):
    assert score(forms([1, 2]), from_zero, on_invalid="missing").attrs["invalid"] == []


def test_a_missing_column_is_named_with_the_cure(c30):
    answers = lowest_answers(c30).drop(columns=["q4", "q30"])

    with pytest.raises(WrongColumns, match=r"no column q4, q30\.\n  Give one column per item") as refused:
        score(answers, c30)

    assert refused.value.missing == ["q4", "q30"]


def test_a_column_that_stands_twice_is_named(from_zero):
    answers = pd.DataFrame([[1, 2, 3]], columns=["a", "b", "a"])

    with pytest.raises(WrongColumns, match="more than one column a"):
        score(answers, from_zero)


def test_an_unknown_way_with_invalid_answers_is_refused(from_zero):
    with pytest.raises(ValueError, match='It must be "raise" or "missing"'):
        score(forms([1, 2]), from_zero, on_invalid="ignore")


def test_an_explanation_has_one_line_a_form_and_scale_in_their_order(from_zero):
    table = explain(forms([0, 1], [2, 3], index=["x", "y"]), from_zero)

    assert list(table.columns) == ["row", "scale", "value", "answered", "needed", "reason", "flag"]
    assert list(zip(table["row"], table["scale"], strict=True)) == [
        ("x", "BAD"),
        ("x", "GOOD"),
        ("y", "BAD"),
        ("y", "GOOD"),
    ]


def test_an_explanation_tells_the_same_values_as_the_scores(c30):
    answers = pd.concat([lowest_answers(c30), lowest_answers(c30, q1=math.nan, q8=math.nan)], ignore_index=True)

    told = explain(answers, c30).pivot(index="row", columns="scale", values="value")

    scores = score(answers, c30)
    np.testing.assert_array_equal(told[scores.columns], scores)


def test_a_missing_score_has_a_reason_and_a_score_has_none(c30):
    answers = lowest_answers(c30, q1=math.nan, q2=math.nan, q3=math.nan, q8=math.nan, q6=0, q7=math.nan)

    table = explain(answers, c30).set_index("scale")

    missing = table[table.value.isna()]
    assert dict(missing.reason) == {
        "PF": "too few answers",
        "RF": "invalid answers",
        "DY": "no answers",
        "SUM": "a scale is missing",
    }
    assert table[table.value.notna()].reason.isna().all()
    assert (table.answered["PF"], table.needed["PF"]) == (2, 3)
    assert (table.answered["SUM"], table.needed["SUM"]) == (10, 13)
