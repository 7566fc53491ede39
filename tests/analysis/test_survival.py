"""Curves, tests and hazard ratios at their edges."""

import numpy as np
import pandas as pd
import pytest

from analysis.results import BadInput, CannotEstimate
from analysis.survival import cox, kaplan_meier, logrank

NAN = pytest.approx(float("nan"), nan_ok=True)


def median(time, event):
    return kaplan_meier(time, event).to_frame().loc["all", "median"]


def test_a_curve_that_lies_on_a_half_has_its_median_in_the_middle_of_that_while():
    """As R's survfit does: quantile.survfit.R takes the midpoint of a flat."""
    assert median([1, 2, 3, 4], [1, 1, 1, 1]) == 2.5
    assert median([1, 2, 3, 6], [1, 1, 0, 0]) == 4.0


def test_a_median_that_is_not_reached_is_missing():
    assert median([1, 2, 3], [1, 0, 0]) == NAN


def test_survival_after_the_last_patient_left_alive_is_not_estimable():
    curves = kaplan_meier([1, 2, 3], [1, 0, 0])

    assert curves.survival_at(3).loc["all", "survival"] == pytest.approx(2 / 3)
    assert curves.survival_at(4).loc["all", "survival"] == NAN
    assert kaplan_meier([1, 2], [1, 1]).survival_at(4).loc["all", "survival"] == 0


def test_where_nobody_or_everybody_has_died_there_is_no_interval():
    curves = kaplan_meier([1, 2, 3], [0, 1, 1])

    for time in (1, 3):
        at = curves.survival_at(time).loc["all"]
        assert (at["lower"], at["upper"]) == (NAN, NAN)


def test_at_risk_counts_those_followed_until_just_before():
    assert kaplan_meier([1, 2, 2, 3], [1, 1, 0, 1]).at_risk([0, 2, 2.5, 9]).loc["all"].tolist() == [4, 3, 1, 0]


def test_a_death_on_the_day_of_randomisation_counts():
    curves = kaplan_meier([0, 2, 3, 4], [1, 0, 0, 0])

    assert curves.survival_at(0).loc["all", "survival"] == pytest.approx(0.75)


def test_every_arm_in_every_stratum_has_its_curve():
    curves = kaplan_meier([1, 2, 3, 4], [1, 1, 1, 1], ["A", "A", "B", "B"], strata=["x", "y", "x", "y"])

    assert list(curves.curves) == ["A, x", "A, y", "B, x", "B, y"]


def test_a_stratum_with_one_arm_changes_nothing_in_the_test():
    time, event, arm = [1, 2, 3, 4, 5], [1, 1, 0, 1, 1], ["A", "B", "A", "B", "A"]

    alone = logrank(time, event, arm)
    beside = logrank([*time, 1, 2], [*event, 1, 1], [*arm, "A", "A"], strata=[1, 1, 1, 1, 1, 2, 2])

    assert beside.chi_square == pytest.approx(alone.chi_square, rel=1e-12)
    assert beside.strata == 2


def test_the_order_of_patients_and_the_names_of_arms_do_not_matter():
    rng = np.random.default_rng(1)
    time, event, arm = rng.exponential(size=60).round(1), rng.random(60) < 0.7, rng.integers(0, 3, 60)
    order = rng.permutation(60)
    renamed = np.array(["z", "y", "x"])[arm]

    one, other = logrank(time, event, arm), logrank(time[order], event[order], renamed[order])

    assert one.df == other.df == 2
    assert other.chi_square == pytest.approx(one.chi_square, rel=1e-12)


@pytest.mark.parametrize(
    ("event", "arm", "why"),
    [
        ([1, 1, 1, 1], ["A"] * 4, "all patients are in one arm"),
        ([0, 0, 0, 0], ["A", "A", "B", "B"], "no event happened"),
    ],
)
def test_a_test_that_cannot_be_made_says_why(event, arm, why):
    with pytest.raises(CannotEstimate, match=why):
        logrank([1, 2, 3, 4], event, arm)


@pytest.mark.parametrize(
    ("event", "x", "why"),
    [
        ([0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1], "there are no events"),
        ([1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1], "x is the same for all patients"),
        ([0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1], "all events have the same value of x"),
        ([1, 1, 1, 1, 1, 1], [6, 5, 4, 3, 2, 1], "no maximum for x|the covariates determine"),
    ],
)
def test_a_hazard_ratio_without_an_estimate_says_why(event, x, why):
    with pytest.raises(CannotEstimate, match=why):
        cox([1, 2, 3, 4, 5, 6], event, pd.DataFrame({"x": x}))


def test_covariates_that_determine_each_other_are_told():
    rng = np.random.default_rng(1)
    x = rng.standard_normal(40)

    with pytest.raises(CannotEstimate):
        cox(rng.exponential(size=40), np.ones(40), pd.DataFrame({"x": x, "twice": 2 * x}))


@pytest.mark.parametrize(
    ("time", "event", "message"),
    [
        ([1, -2, 3], [1, 1, 1], "missing, infinite or negative in rows 1"),
        ([1, np.nan, 3], [1, 1, 1], "missing, infinite or negative in rows 1"),
        ([1, 2, 3], [1, 2, 1], "neither true nor false in rows 1"),
        ([1, 2, 3], [1, 1], "shape"),
    ],
)
def test_input_that_nobody_could_mean_is_refused_with_its_rows(time, event, message):
    with pytest.raises(BadInput, match=message):
        kaplan_meier(time, event)


def test_a_patient_without_a_stratum_is_refused():
    with pytest.raises(BadInput, match="strata is missing in rows 2"):
        logrank([1, 2, 3], [1, 1, 1], ["A", "B", "A"], strata=["x", "x", None])


def test_results_print_like_a_table():
    text = str(kaplan_meier([1, 2, 3, 4], [1, 1, 1, 0], ["A", "A", "B", "B"]))

    assert text.splitlines()[1].split() == ["n", "events", "median", "lower", "upper"]
