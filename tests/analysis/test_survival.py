"""Curves, tests and hazard ratios at their edges."""

import numpy as np
import pandas as pd
import pytest

from analysis.competing import cumulative_incidence, fine_gray, gray
from analysis.results import BadInput, CannotEstimate
from analysis.survival import HorizonBeyondFollowUp, NoProbability, cox, kaplan_meier, logrank, ph_test, rmst

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


def followed(n=120, seed=3):
    """Times with ties, events, arms, strata."""
    rng = np.random.default_rng(seed)
    return rng.exponential(20, n).round() + 1, rng.random(n) < 0.7, np.arange(n) % 2, rng.integers(0, 3, n)


def test_a_patient_censored_at_zero_changes_no_test_and_no_hazard_ratio():
    time, event, arm, _ = followed()
    more = np.append(time, 0), np.append(event, False), np.append(arm, 1)

    assert logrank(*more).chi_square == pytest.approx(logrank(time, event, arm).chi_square, rel=1e-12)
    one = cox(time, event, pd.DataFrame({"arm": arm})).terms
    other = cox(more[0], more[1], pd.DataFrame({"arm": more[2]})).terms
    assert other.loc["arm", "coef"] == pytest.approx(one.loc["arm", "coef"], rel=1e-9)


def test_a_patient_censored_at_zero_changes_no_curve_after_it():
    time, event, _, _ = followed()
    more = kaplan_meier(np.append(time, 0), np.append(event, False)).survival_at(15).loc["all"]

    assert more.tolist() == pytest.approx(kaplan_meier(time, event).survival_at(15).loc["all"].tolist())


def test_strata_that_say_the_same_twice_are_the_same_strata():
    time, event, arm, strata = followed()
    twice = pd.DataFrame({"site": strata, "city": np.array(["x", "y", "z"])[strata]})
    covariates = pd.DataFrame({"arm": arm})

    assert logrank(time, event, arm, strata=twice).chi_square == logrank(time, event, arm, strata=strata).chi_square
    one, other = (cox(time, event, covariates, strata=each).terms for each in (strata, twice))
    assert other.loc["arm", "coef"] == pytest.approx(one.loc["arm", "coef"], rel=1e-10)


def test_the_order_of_rows_changes_no_hazard_ratio_and_no_test_of_its_constancy():
    time, event, arm, strata = followed()
    order = np.random.default_rng(9).permutation(len(time))

    one = cox(time, event, pd.DataFrame({"arm": arm}), strata=strata)
    other = cox(time[order], event[order], pd.DataFrame({"arm": arm[order]}), strata=strata[order])

    assert other.terms.loc["arm", "coef"] == pytest.approx(one.terms.loc["arm", "coef"], rel=1e-10)
    for scale in ("km", "rank", "identity", "log"):
        chi = [ph_test(model, scale=scale).table.loc["GLOBAL", "chi_square"] for model in (one, other)]
        assert chi[1] == pytest.approx(chi[0], rel=1e-8)


def test_a_covariate_moved_and_stretched_stretches_its_coefficient():
    time, event, arm, strata = followed()
    age = np.random.default_rng(5).normal(60, 10, len(time))

    one = cox(time, event, pd.DataFrame({"arm": arm, "age": age}), strata=strata).terms
    other = cox(time, event, pd.DataFrame({"arm": arm, "age": 1e4 + 100 * age}), strata=strata).terms

    assert other.loc["age", "coef"] * 100 == pytest.approx(one.loc["age", "coef"], rel=1e-7)
    assert other.loc["arm", "se"] == pytest.approx(one.loc["arm", "se"], rel=1e-7)


def test_a_patient_cut_into_stretches_counts_as_before():
    time, event, arm, strata = followed()
    late = time > 10
    stop = np.concatenate([np.minimum(time, 10), time[late]])
    start = np.concatenate([np.zeros(len(time)), np.full(late.sum(), 10.0)])
    ended = np.concatenate([event & ~late, event[late]])
    arms, layers = np.append(arm, arm[late]), np.append(strata, strata[late])

    whole = cox(time, event, pd.DataFrame({"arm": arm}), strata=strata)
    cut = cox(stop, ended, pd.DataFrame({"arm": arms}), strata=layers, start=start)

    assert cut.terms.loc["arm", "coef"] == pytest.approx(whole.terms.loc["arm", "coef"], rel=1e-9)
    assert cut.loglik == pytest.approx(whole.loglik, rel=1e-12)


def test_every_row_its_own_cluster_gives_the_score_residuals_of_all_rows_once():
    time, event, arm, _ = followed()

    robust = cox(time, event, pd.DataFrame({"arm": arm}), cluster=np.arange(len(time)))

    assert robust.clusters == len(time)
    assert robust._at.residuals.sum(axis=0) == pytest.approx(0, abs=1e-9)


def test_a_stretch_that_does_not_last_is_refused_with_its_rows():
    with pytest.raises(BadInput, match="not before time in rows 1"):
        cox([1, 2, 3], [1, 1, 1], pd.DataFrame({"x": [1, 2, 3]}), start=[0, 2, 1])


def test_without_censoring_the_restricted_mean_is_the_mean_of_times_cut_at_the_horizon():
    time = np.random.default_rng(6).exponential(20, 80)

    means = rmst(time, np.ones(80), horizon=15).means

    assert means.loc["all", "estimate"] == pytest.approx(np.minimum(time, 15).mean())


def test_a_horizon_that_nobody_of_an_arm_was_followed_to_is_refused():
    with pytest.raises(HorizonBeyondFollowUp, match="B: the last patient was censored at 4, before the horizon 5"):
        rmst([1, 6, 2, 4], [1, 0, 1, 0], ["A", "A", "B", "B"], horizon=5)
    assert rmst([1, 6, 2, 4], [1, 0, 1, 1], ["A", "A", "B", "B"], horizon=5).means.loc["B", "estimate"] == 3


def test_equal_strata_leave_a_restricted_mean_as_it_is():
    time, event, arm, _ = followed()
    twice = [np.tile(each, 2) for each in (time, event, arm)]

    one = rmst(time, event, arm, horizon=20).means
    both = rmst(*twice, horizon=20, strata=np.repeat(["x", "y"], len(time))).means

    assert both["estimate"].to_numpy() == pytest.approx(one["estimate"].to_numpy())
    assert both["se"].to_numpy() * np.sqrt(2) == pytest.approx(one["se"].to_numpy())


def test_late_differences_weigh_more_with_gamma():
    """The curves cross early and part late."""
    rng = np.random.default_rng(8)
    early, late = rng.uniform(0, 12, 100), rng.uniform(12, 24, 100)
    time = np.concatenate([early, late, early, late[:50], np.full(50, 30.0)])
    event, arm = time < 30, np.repeat(["A", "B"], 200)

    assert logrank(time, event, arm, gamma=1).chi_square > logrank(time, event, arm).chi_square


def test_what_is_unknown_is_refused_with_the_choices():
    time, event, arm, _ = followed()
    model = cox(time, event, pd.DataFrame({"arm": arm}))

    for asked in (
        lambda: kaplan_meier(time, event, interval="arcsine"),
        lambda: cox(time, event, pd.DataFrame({"arm": arm}), ties="exact"),
        lambda: ph_test(model, scale="cube"),
        lambda: ph_test(model, terms={"x": ["x"]}),
        lambda: rmst(time, event, horizon=0),
    ):
        with pytest.raises(BadInput):
            asked()


def test_times_that_ignore_death_give_hazards_and_no_probability():
    """A column keeps what `deterioration.time_to` writes into `.attrs` of its table."""
    table = pd.DataFrame({"time": [1.0, 2, 3, 4], "event": [True, True, False, True], "arm": ["A", "B", "A", "B"]})
    table.attrs["probabilities"] = False

    for draw in (
        lambda: kaplan_meier(table["time"], table["event"]),
        lambda: rmst(table["time"], table["event"], horizon=2),
        lambda: cumulative_incidence(table["time"], table["event"]),
    ):
        with pytest.raises(NoProbability, match="these times ignore death"):
            draw()
    assert logrank(table["time"], table["event"], table["arm"]).df == 1
    assert cox(table["time"], table["event"], pd.DataFrame({"x": [1, 4, 3, 2]})).n == 4


def test_concordance_counts_pairs_at_risk_and_half_a_pair_of_equal_risk():
    """Witness: every pair looked at, one after another."""
    time, event, arm, strata = followed(40)
    model = cox(time, event, pd.DataFrame({"arm": arm}), strata=strata)
    risk = model.terms.loc["arm", "coef"] * arm
    right = []
    for i in np.flatnonzero(event):
        for j in range(40):
            if strata[i] == strata[j] and (time[j] > time[i] or (time[j] == time[i] and not event[j])):
                right.append(0.5 if risk[i] == risk[j] else float(risk[i] > risk[j]))

    assert model.concordance == pytest.approx(np.mean(right))


def test_every_result_accounts_for_patients_events_and_method():
    time, event, arm, strata = followed()
    covariates = pd.DataFrame({"arm": arm.astype(float)})
    covariates.loc[0, "arm"] = np.nan
    model = cox(time, event, covariates)
    results = [
        kaplan_meier(time, event, arm, strata=strata),
        logrank(time, event, arm, strata=strata, rho=1),
        rmst(time, event, arm, horizon=10),
        model,
        ph_test(model),
        gray(time, event.astype(int), arm, of=1),
        cumulative_incidence(time, event.astype(int), arm),
        fine_gray(time, event.astype(int), covariates, of=1),
    ]

    for result in results:
        known = 119 if "missing covariate" in result.account.excluded else 120
        assert result.account.n == known
        assert 0 < result.account.events <= event.sum()
        assert result.account.method
        assert "numpy" in result.versions
    assert model.account.excluded == {"missing covariate": 1}
