"""Where other programs err, does ours do better?

The peers: PROscorer 0.0.4.9001, QoLR 1.0.3, RDRF, awell-score 1.1.10-rc.0, CamCOPS, ProAE 1.0.4, a FHIR example.
"""

import math

import pandas as pd
import pytest

import questionnaires
from questionnaires.columns import InvalidAnswers


def lowest(instrument, **changed):
    """One form with the lowest option everywhere, but for what is said."""
    answers = {item.code: instrument.options(item.code)[0] for item in instrument.items if item.scored}
    return pd.DataFrame([answers | changed])


@pytest.mark.parametrize("value", [0, 5, 1.5])
def test_one_impossible_answer_does_not_stop_all_others(c30, value):
    """PROscorer and QoLR abort the whole data set."""
    answers = pd.concat([lowest(c30, q1=value), lowest(c30)], ignore_index=True)

    scores = questionnaires.score(answers, c30, on_invalid="missing")

    assert scores.PF.tolist() == [100, 100]
    assert [(cell.row, cell.item) for cell in scores.attrs["invalid"]] == [(0, "q1")]


def test_an_impossible_answer_is_never_scored(c30):
    """A public data set carries QL = 116.67: an 8 on a scale of 1 to 7."""
    with pytest.raises(InvalidAnswers, match="row 0, q30: not one of 1 2 3 4 5 6 7"):
        questionnaires.score(lowest(c30, q30=8), c30)


def test_whole_numbers_stored_as_decimals_are_scored(c30):
    """QoLR refuses doubles."""
    assert questionnaires.score(lowest(c30).astype(float), c30).SUM[0] == 100


def test_exactly_half_of_the_answers_is_enough(c30):
    scores = questionnaires.score(lowest(c30, q21=math.nan, q22=math.nan, q6=math.nan), c30)

    assert (scores.EF[0], scores.RF[0]) == (100, 100)


def test_a_missing_score_has_its_reason(c30):
    """No peer gives one."""
    reason = questionnaires.explain(lowest(c30, q8=math.nan), c30).set_index("scale").reason

    assert (reason["DY"], reason["SUM"]) == ("no answers", "a scale is missing")


def test_the_summary_score_needs_all_thirteen_scales(c30):
    """QoLR, RDRF and awell have none."""
    assert math.isnan(questionnaires.score(lowest(c30, q17=math.nan), c30).SUM[0])
    assert questionnaires.score(lowest(c30, q28=math.nan, q29=math.nan, q30=math.nan), c30).SUM[0] == 100


def test_scores_are_not_rounded(c30):
    """RDRF and awell round each scale to two decimals."""
    assert questionnaires.score(lowest(c30, q1=2), c30).PF[0] == 100 - (6 / 5 - 1) / 3 * 100


def test_the_lowest_code_is_fixed_by_the_instrument_and_not_guessed(c30):
    """RDRF guesses from the options' metadata whether codes begin with 0 or 1."""
    with pytest.raises(InvalidAnswers):
        questionnaires.score(lowest(c30) - 1, c30)


def test_two_items_both_missing_give_no_score():
    """QoLR allows both items of a pair of the HCC18 to be missing, and divides 0 by 0."""
    hcc18 = questionnaires.load("qlq-hcc18")
    table = questionnaires.explain(lowest(hcc18, q36=math.nan, q37=math.nan), hcc18).set_index("scale")

    assert math.isnan(table.value["JAUNDICE"])
    assert table.reason["JAUNDICE"] == "no answers"


def test_an_incomplete_global_10_has_no_t_score():
    """awell adds up what is left, and looks up a T-score that is too low."""
    promis = questionnaires.load("promis-global10")
    scores = questionnaires.score(lowest(promis, Global06=math.nan), promis)

    assert math.isnan(scores.gph_t[0])
    assert scores.gmh_t[0] == 21.2


def test_the_rand_36_has_no_mean_of_all_items():
    """CamCOPS prints one, with the change of health in it."""
    rand = questionnaires.load("rand-36")

    assert len(rand.scores) == 8
    assert not rand.item("q2").scored


def test_a_missing_answer_does_not_pull_a_score_down(c30):
    """A published FHIR example divides the sum of the items by their fixed number."""
    whole = questionnaires.score(lowest(c30, q10=4, q12=4, q18=4), c30)
    gapped = questionnaires.score(lowest(c30, q10=4, q12=4, q18=math.nan), c30)

    assert (whole.FA[0], gapped.FA[0]) == (100, 100)


def test_an_attribute_that_was_not_asked_counts_as_none():
    """ProAE leaves the composite grade missing unless told otherwise."""
    pro_ctcae = questionnaires.load("pro-ctcae")
    answers = pd.DataFrame({"PROCTCAE_9A_SCL": [0, 2], "PROCTCAE_9B_SCL": [math.nan, math.nan]})

    grades = questionnaires.score(answers, pro_ctcae).PROCTCAE_9_COMP

    assert grades[0] == 0
    assert math.isnan(grades[1])


@pytest.mark.parametrize(("code", "better"), [("BRSEF", True), ("BRSEE", True), ("BRST", False)])
def test_positively_worded_items_are_not_turned_round_twice(code, better):
    """The functional formula on these items flips them; QoLR and the manual use the symptom formula."""
    br23 = questionnaires.load("qlq-br23")
    highest = pd.DataFrame([{item.code: 4 for item in br23.items}])
    (scale,) = [scale for scale in br23.scales if scale.code == code]

    assert questionnaires.score(highest, br23)[code][0] == 100
    assert (scale.higher_is == "better") == better


@pytest.mark.parametrize("instrument", ["qlq-br42", "qlq-br45"])
def test_no_score_is_offered_where_the_manual_is_not_known(instrument):
    definition = questionnaires.load(instrument)

    with pytest.raises(ValueError, match=r"no score is offered\.\n  .*manual"):
        questionnaires.score(lowest(definition), definition)
