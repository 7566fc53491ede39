"""What holds for scores whatever the answers are, in every instrument of the catalogue."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import questionnaires
from questionnaires.definition import Composite, Conversion, Index, counts

SCORED = [instrument for instrument in questionnaires.available() if instrument.not_scored is None]
every_instrument = pytest.mark.parametrize("instrument", SCORED, ids=lambda instrument: instrument.id)
seeds = st.integers(0, 2**32 - 1)


def some_forms(instrument, seed, forms=6):
    """Forms with any answers and any gaps, the same for the same seed."""
    rng = np.random.default_rng(seed)
    gaps = rng.random()
    return pd.DataFrame(
        {
            item.code: np.where(rng.random(forms) < gaps, np.nan, rng.choice(instrument.options(item.code), forms))
            for item in instrument.items
        }
    )


def items_of(instrument, code):
    """The items that a score is made of, through the scales between."""
    score = next((each for each in instrument.scores if each.code == code), None)
    if score is None:
        return {code}
    if isinstance(score, Composite):
        parts = [*score.scales, *score.reversed]
    elif isinstance(score, Conversion):
        parts = [score.scale]
    else:
        parts = list(score.parts if isinstance(score, Index) else score.items)
    return set().union(*({part} if part == code else items_of(instrument, part) for part in parts))


@every_instrument
@given(seed=seeds, which=st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_a_gap_in_one_item_changes_no_score_that_is_made_without_it(instrument, seed, which):
    forms = some_forms(instrument, seed)
    item = instrument.items[which % len(instrument.items)].code

    whole = questionnaires.score(forms, instrument)
    gapped = questionnaires.score(forms.assign(**{item: np.nan}), instrument)

    others = [code for code in whole.columns if item not in items_of(instrument, code)]
    pd.testing.assert_frame_equal(gapped[others], whole[others], check_exact=True)


@every_instrument
@given(seed=seeds)
@settings(max_examples=8, deadline=None)
def test_forms_in_another_order_have_their_scores_in_that_order(instrument, seed):
    forms = some_forms(instrument, seed)
    order = np.random.default_rng(seed).permutation(len(forms))

    shuffled = questionnaires.score(forms.iloc[order], instrument)

    pd.testing.assert_frame_equal(shuffled, questionnaires.score(forms, instrument).iloc[order], check_exact=True)


@every_instrument
@given(seed=seeds, cut=st.integers(0, 6))
@settings(max_examples=8, deadline=None)
def test_forms_scored_in_two_batches_score_as_in_one(instrument, seed, cut):
    forms = some_forms(instrument, seed)

    batches = [questionnaires.score(batch, instrument) for batch in (forms.iloc[:cut], forms.iloc[cut:])]

    pd.testing.assert_frame_equal(pd.concat(batches), questionnaires.score(forms, instrument), check_exact=True)


def test_more_forms_than_are_scored_at_once_score_as_one_by_one():
    """Batches are of 2^15 forms."""
    c30 = questionnaires.load("qlq-c30")
    few = some_forms(c30, seed=1, forms=1000)

    many = questionnaires.score(pd.concat([few] * 70, ignore_index=True), c30)

    expected = pd.concat([questionnaires.score(few, c30)] * 70, ignore_index=True)
    pd.testing.assert_frame_equal(many, expected, check_exact=True)


@every_instrument
@given(seed=seeds)
@settings(max_examples=8, deadline=None)
def test_every_score_lies_within_its_bounds(instrument, seed):
    scores = questionnaires.score(some_forms(instrument, seed), instrument)

    for code in scores:
        lowest, highest = instrument.bounds(code)
        assert scores[code].dropna().between(lowest - 1e-12, highest + 1e-12).all(), code


@every_instrument
@given(seed=seeds, which=st.integers(0, 10**6))
@settings(max_examples=6, deadline=None)
def test_a_higher_answer_never_moves_its_scale_against_the_formula(instrument, seed, which):
    for scale in instrument.scales:
        item = scale.items[which % len(scale.items)]
        form = some_forms(instrument, seed, forms=1)
        rising = pd.concat([form.assign(**{item: option}) for option in instrument.options(item)], ignore_index=True)

        steps = questionnaires.score(rising, instrument)[scale.code].diff().dropna()

        counted = counts(instrument, item)
        up = (scale.formula != "functional") == (counted[-1] > counted[0])
        assert ((steps >= 0) if up else (steps <= 0)).all(), scale.code
        if scale.formula != "highest":
            assert (steps != 0).all() or instrument.item(item).recode is not None, scale.code


@every_instrument
def test_a_scale_is_scored_at_every_count_of_answers_that_it_needs_and_at_none_below(instrument):
    lowest = {item.code: instrument.options(item.code)[0] for item in instrument.items}
    for scale in instrument.scales:
        rows = [lowest | dict.fromkeys(scale.items[:gaps], np.nan) for gaps in range(len(scale.items) + 1)]

        scores = questionnaires.score(pd.DataFrame(rows, dtype=float), instrument)[scale.code]

        answered = len(scale.items) - np.arange(len(rows))
        enough = {"half": 2 * answered >= len(scale.items), "all": answered == len(scale.items), "any": answered >= 1}
        assert scores.notna().tolist() == (enough[scale.needs] & (answered > 0)).tolist(), scale.code
