"""Competing risks: R's figures of cmprsk 2.2-11 under R 4.2.2 in pbc.json, and what must hold without a witness."""

import numpy as np
import pandas as pd
import pytest

from analysis.competing import cause_specific, cumulative_incidence, fine_gray, gray
from analysis.results import CannotEstimate
from analysis.survival import kaplan_meier


@pytest.fixture
def cirrhosis(patients):
    """Times, first events (1 = death, 2 = transplant, 0 = censored), arms."""
    data = patients("pbc312")
    cause = data["status"].map({0: 0, 1: 2, 2: 1})
    return data["time"], cause, data["arm"]


def test_cumulative_incidence_agrees_with_r(figures, cirrhosis):
    curves = cumulative_incidence(*cirrhosis)

    for key, rows in figures("pbc")["comprisk"]["cif"].items():
        for row in rows:
            ours = curves.at(row["t"]).loc[tuple(key.split())]
            assert ours["incidence"] == pytest.approx(row["est"], rel=1e-9)
            assert ours["variance"] == pytest.approx(row["var"], rel=1e-6)


@pytest.mark.parametrize("cause", [1, 2])
def test_grays_test_agrees_with_r(cause, figures, cirrhosis):
    theirs = figures("pbc")["comprisk"]["gray_test"][f"cause{cause}"]

    test = gray(*cirrhosis, of=cause)

    assert test.chi_square == pytest.approx(theirs["stat"], rel=1e-6)
    assert test.p == pytest.approx(theirs["p"], rel=1e-6)
    assert test.df == theirs["df"]


def test_the_fine_gray_model_agrees_with_r(figures, cirrhosis):
    theirs = figures("pbc")["comprisk"]["fine_gray_cause1"]
    time, cause, arm = cirrhosis

    term = fine_gray(time, cause, arm.to_frame(), of=1).terms.loc["arm"]

    for ours, key in (("coef", "coef"), ("se", "se"), ("shr", "shr"), ("lower", "lcl"), ("upper", "ucl")):
        assert term[ours] == pytest.approx(theirs[key], rel=1e-5)
    assert term["p"] == pytest.approx(theirs["p"], abs=0.005)  # R rounds it to two digits


@pytest.mark.parametrize("cause", [1, 2])
def test_the_cause_specific_model_agrees_with_r(cause, figures, cirrhosis):
    theirs = figures("pbc")["comprisk"]["cause_specific"][f"cause{cause}"]
    time, first, arm = cirrhosis

    term = cause_specific(time, first, arm.to_frame(), of=cause).terms.loc["arm"]

    for column, key in (("coef", "coef"), ("se", "se"), ("z", "z"), ("p", "p"), ("hr", "hr"), ("lower", "hr_lcl")):
        assert term[column] == pytest.approx(theirs[key], rel=1e-8)


def test_incidences_of_all_causes_and_survival_add_up_to_one(cirrhosis):
    time, cause, _ = cirrhosis

    incidences = cumulative_incidence(time, cause).at(2000)["incidence"].sum()

    assert incidences + kaplan_meier(time, cause > 0).survival_at(2000).loc["all", "survival"] == pytest.approx(1)


def test_with_one_cause_alone_the_variance_is_that_of_kaplan_meier_without_ties():
    time, cause = np.arange(1.0, 21), np.tile([1, 1, 0], 7)[:20]

    row = cumulative_incidence(time, cause).at(12).loc["all", "1"]
    se = kaplan_meier(time, cause > 0).survival_at(12).loc["all", "se"]

    assert np.sqrt(row["variance"]) == pytest.approx(se, rel=0.06)  # Aalen's estimate beside Greenwood's


def test_identical_strata_give_the_unstratified_direction_and_merging_arms_none():
    rng = np.random.default_rng(4)
    time, cause, arm = rng.exponential(10, 200), rng.integers(0, 3, 200), np.tile(["A", "B"], 100)
    twice = [np.tile(each, 2) for each in (time, cause, arm)]

    one = gray(time, cause, arm, of=1)
    both = gray(*twice, of=1, strata=np.repeat(["x", "y"], 200))

    assert both.chi_square == pytest.approx(2 * one.chi_square)
    with pytest.raises(CannotEstimate, match="one arm"):
        gray(time, cause, ["A"] * 200, of=1)


def test_the_order_of_patients_and_one_censored_at_zero_change_nothing():
    rng = np.random.default_rng(4)
    time, cause, arm = rng.exponential(10, 100).round(1) + 0.1, rng.integers(0, 3, 100), np.tile([0, 1], 50)
    order = rng.permutation(100)
    shuffled = [np.append(each[order], 0) for each in (time, cause, arm)]

    assert gray(*shuffled, of=1).chi_square == pytest.approx(gray(time, cause, arm, of=1).chi_square, rel=1e-10)
    one = fine_gray(time, cause, pd.DataFrame({"arm": arm}), of=1).terms.loc["arm"]
    other = fine_gray(*shuffled[:2], pd.DataFrame({"arm": shuffled[2]}), of=1).terms.loc["arm"]
    assert other["coef"] == pytest.approx(one["coef"], rel=1e-8)
    assert other["se"] == pytest.approx(one["se"], rel=0.02)  # one more patient, censored before anybody else


def test_two_equal_strata_leave_fine_grays_coefficient_and_halve_its_variance():
    rng = np.random.default_rng(4)
    time, cause, arm = rng.exponential(10, 200).round(1) + 0.1, rng.integers(0, 3, 200), np.tile([0, 1], 100)
    twice, layer = [np.tile(each, 2) for each in (time, cause, arm)], np.repeat(["x", "y"], 200)

    one = fine_gray(time, cause, pd.DataFrame({"arm": arm}), of=1).terms.loc["arm"]
    both = fine_gray(*twice[:2], pd.DataFrame({"arm": twice[2]}), of=1, strata=layer).terms.loc["arm"]

    assert both["coef"] == pytest.approx(one["coef"], rel=1e-8)
    assert both["se"] == pytest.approx(one["se"] / np.sqrt(2), rel=1e-8)


def test_strata_keep_fine_grays_coefficient_from_a_baseline_that_differs():
    """The arms are unequally spread over strata of very different incidence, and do not differ within them."""
    rng = np.random.default_rng(5)
    stratum = np.repeat([0, 1], 2000)
    arm = (rng.random(4000) < np.where(stratum, 0.8, 0.2)).astype(float)
    time, cause = rng.exponential(np.where(stratum, 2, 20)), rng.integers(1, 3, 4000)
    cause[time > 15], time = 0, np.minimum(time, 15)

    plain = fine_gray(time, cause, pd.DataFrame({"arm": arm}), of=1).terms.loc["arm"]
    layered = fine_gray(time, cause, pd.DataFrame({"arm": arm}), of=1, strata=stratum).terms.loc["arm"]

    assert plain["z"] > 4
    assert abs(layered["z"]) < 3


def test_a_cause_that_nobody_had_is_refused_with_those_there_are(cirrhosis):
    with pytest.raises(CannotEstimate, match="no event has the cause 3; there are 1, 2"):
        gray(*cirrhosis, of=3)


def test_after_the_last_patient_left_incidence_is_not_estimable():
    curves = cumulative_incidence([1, 2, 3], [1, 2, 0])

    assert curves.at(3)["incidence"].tolist() == pytest.approx([1 / 3, 1 / 3])
    assert curves.at(4)["incidence"].isna().all()


def test_a_covariate_without_events_on_one_side_is_refused():
    with pytest.raises(CannotEstimate, match="no maximum for arm"):
        fine_gray([1, 2, 3, 4], [1, 1, 0, 2], pd.DataFrame({"arm": [0, 0, 1, 1]}), of=1)
