"""What holds for scores whatever the answers are."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

import questionnaires

C30 = questionnaires.load("qlq-c30")
ITEMS = [item.code for item in C30.items]
HOME = {code: scale.code for scale in C30.scales for code in scale.items}


@st.composite
def answers(draw, fewest=1, most=6):
    """Forms with any options of the C30, and any gaps."""
    columns = {code: st.sampled_from([None, *C30.options(code)]) for code in ITEMS}
    forms = draw(st.lists(st.fixed_dictionaries(columns), min_size=fewest, max_size=most))
    return pd.DataFrame(forms, columns=ITEMS, dtype=float)


@given(answers(), st.sampled_from(ITEMS))
@settings(max_examples=60, deadline=None)
def test_a_gap_in_one_item_changes_no_scale_but_its_own_and_the_summary(forms, item):
    whole = questionnaires.score(forms, C30)

    gapped = questionnaires.score(forms.assign(**{item: np.nan}), C30)

    others = [code for code in whole.columns if code not in (HOME[item], "SUM")]
    pd.testing.assert_frame_equal(gapped[others], whole[others], check_exact=True)


@given(answers(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_forms_in_another_order_have_their_scores_in_that_order(forms, random):
    order = random.sample(range(len(forms)), len(forms))

    shuffled = questionnaires.score(forms.iloc[order], C30)

    pd.testing.assert_frame_equal(shuffled, questionnaires.score(forms, C30).iloc[order], check_exact=True)


@given(answers(fewest=4))
@settings(max_examples=40, deadline=None)
def test_forms_scored_in_two_batches_score_as_in_one(forms):
    batches = [questionnaires.score(batch, C30) for batch in (forms.iloc[:1], forms.iloc[1:])]

    pd.testing.assert_frame_equal(pd.concat(batches), questionnaires.score(forms, C30), check_exact=True)


@given(answers())
@settings(max_examples=40, deadline=None)
def test_every_score_lies_between_0_and_100(forms):
    scores = questionnaires.score(forms, C30).stack()

    assert scores.between(0, 100).all()


@given(answers(most=1), st.sampled_from(ITEMS))
@settings(max_examples=60, deadline=None)
def test_a_higher_answer_never_moves_its_scale_against_the_formula(forms, item):
    scale = next(scale for scale in C30.scales if item in scale.items)
    options = C30.options(item)

    rising = pd.concat([forms.assign(**{item: option}) for option in options], ignore_index=True)
    steps = questionnaires.score(rising, C30)[scale.code].diff().dropna()

    assert (steps > 0).all() if scale.formula == "symptom" else (steps < 0).all()
