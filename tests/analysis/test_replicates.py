"""Thousands of simulated trials at once: the same figures as one by one, and the same however many do the work."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter

from analysis import simulation, survival
from analysis.results import BadInput

VISITS = {"BL": 0, "M3": 3, "M6": 6}
TRIAL = {"subjects": 40, "visits": VISITS, "start_on": date(2027, 1, 1), "accrual_months": 24}
FOLLOWED = {"subjects": 60, "accrual_months": 60, "follow_up_months": 36}


def trials(count, *, tied, n=150, seed=1):
    """Times, events, covariates (an arm and a score) and four strata; tied: times are whole months."""
    rng = np.random.default_rng(seed)
    x = np.stack([rng.integers(0, 2, (count, n)), rng.normal(60, 20, (count, n))], axis=2)
    stratum = rng.integers(0, 4, (count, n))
    death = rng.exponential(size=(count, n)) * 30 * np.exp(0.35 * x[:, :, 0] + 0.01 * x[:, :, 1]) / (1 + stratum)
    left = rng.uniform(24, 96, (count, n))
    time = np.minimum(death, left)
    return np.ceil(time) if tied else time, death <= left, x, stratum


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("stratified", [False, True])
def test_many_trials_at_once_give_what_the_model_gives_of_each(tied, stratified):
    time, event, x, stratum = trials(12, tied=tied)

    found = simulation.estimated(time, event, x, stratum if stratified else None)

    for one in range(12):
        model = survival.cox(time[one], event[one], pd.DataFrame(x[one]), strata=stratum[one] if stratified else None)
        np.testing.assert_allclose(found.coef[one], model.terms["coef"], rtol=0, atol=1e-10)
        np.testing.assert_allclose(found.se[one], model.terms["se"], rtol=1e-9)
        assert found.events[one] == model.events


def test_many_trials_at_once_give_what_lifelines_gives_of_each():
    """lifelines 0.30.3 stops before the top of the likelihood: hence no nearer than 1e-4."""
    time, event, x, stratum = trials(4, tied=True)

    found = simulation.estimated(time, event, x, stratum)

    for one in range(4):
        columns = {"time": time[one], "event": event[one], "stratum": stratum[one]}
        frame = pd.DataFrame(x[one], columns=["arm", "score"]).assign(**columns)
        peer = CoxPHFitter().fit(frame, "time", "event", strata=["stratum"])
        np.testing.assert_allclose(found.coef[one], peer.params_, rtol=0, atol=1e-4)
        np.testing.assert_allclose(found.se[one], peer.standard_errors_, rtol=1e-4)


def test_a_trial_without_a_maximum_is_missing_and_leaves_its_neighbours_as_they_are():
    time, event, x, stratum = trials(5, tied=True)
    alone = simulation.estimated(time[:1], event[:1], x[:1], stratum[:1])
    event[1] &= x[1, :, 0] == 0  # an arm without deaths
    x[2, :, 0] = 1.0  # one arm
    x[3, :, 1] = 2 * x[3, :, 0]  # two names for one covariate
    event[4] = False

    found = simulation.estimated(time, event, x, stratum)

    assert np.isnan(found.coef[1:]).all()
    assert np.isnan(found.se[1:]).all()
    np.testing.assert_array_equal(found.coef[:1], alone.coef)


def test_a_step_that_overshoots_is_halved():
    """Covariates over orders of magnitude: Newton's full steps from 0 run away (as they do when nothing is halved)."""
    rng = np.random.default_rng(3)
    x = np.exp(rng.normal(0, 2.5, (1, 12, 1)))
    time, event = rng.permutation(np.arange(1.0, 13))[None], np.ones((1, 12), dtype=bool)

    found = simulation.estimated(time, event, x)

    model = survival.cox(time[0], event[0], pd.DataFrame(x[0]))
    np.testing.assert_allclose(found.coef[0], model.terms["coef"], rtol=1e-8)


def test_a_missing_number_is_refused():
    time, event, x, _ = trials(2, tied=False)
    time[1, 3] = np.nan

    with pytest.raises(BadInput, match="missing or infinite"):
        simulation.estimated(time, event, x)


def health_by_arm(trial):
    """An estimator of whole trials, as a statistician would write one."""
    return trial.living()["mean"].to_numpy()


def test_two_workers_find_what_one_finds_to_the_last_byte():
    alone, together = (simulation.hazard_ratios(trials=60, seed=3, jobs=jobs, **FOLLOWED) for jobs in (1, 2))
    whole = [simulation.replicates(health_by_arm, trials=60, seed=3, jobs=jobs, **TRIAL) for jobs in (1, 2)]

    assert alone.to_numpy().tobytes() == together.to_numpy().tobytes()
    assert np.array(whole[0]).tobytes() == np.array(whole[1]).tobytes()


def test_the_first_trials_are_the_same_however_many_follow():
    few, many = (simulation.replicates(health_by_arm, trials=trials, seed=3, **TRIAL) for trials in (3, 5))

    np.testing.assert_array_equal(few, many[:3])
    assert not np.array_equal(many[3], many[4])


def test_hazard_ratios_are_those_of_the_whole_trials_of_the_same_seed():
    """But for the rounding of times to days."""

    def by_the_model(trial):
        on = {name: pd.to_datetime(trial.patients[name]) for name in ("randomised_on", "died_on")}
        death = ((on["died_on"] - on["randomised_on"]).dt.days / 30.4375).fillna(np.inf)
        end = 96 - (on["randomised_on"] - pd.Timestamp(2027, 1, 1)).dt.days / 30.4375
        surgery = (trial.patients["arm"] == "surgery").astype(float).to_frame("surgery")
        strata = trial.patients[["er", "metastases"]]
        return survival.cox(np.minimum(death, end), death <= end, surgery, strata=strata).terms.loc["surgery", "coef"]

    given = {"subjects": 200, "accrual_months": 60}
    slowly = simulation.replicates(by_the_model, trials=5, seed=7, visits=VISITS, start_on=date(2027, 1, 1), **given)

    quickly = simulation.hazard_ratios(trials=5, seed=7, follow_up_months=36, **given)

    np.testing.assert_allclose(quickly["coef"], slowly, atol=0.02)


def test_over_many_trials_the_null_is_rejected_as_seldom_as_it_should_be_and_the_effect_often():
    """Within 2.5 Monte Carlo errors of 0.05; the marginal hazard ratio is 0.73, and strata bring it nearer to 0.7."""
    given = {"trials": 150, "seed": 11, "accrual_months": 60, "follow_up_months": 36}
    null, effect = (simulation.hazard_ratios(scenario=scenario, **given) for scenario in ("null", "effect"))

    rejected = ((null["coef"] / null["se"]).abs() > 1.96).mean()
    power = ((effect["coef"] / effect["se"]).abs() > 1.96).mean()
    assert rejected == pytest.approx(0.05, abs=2.5 * np.sqrt(0.05 * 0.95 / 150))
    assert np.exp(effect["coef"].mean()) == pytest.approx(0.72, abs=0.04)
    assert 0.3 < power < 0.6


def test_deaths_that_follow_from_scores_are_left_to_whole_trials():
    with pytest.raises(BadInput, match="replicates"):
        simulation.hazard_ratios(trials=1, seed=1, scenario="shared parameter", **FOLLOWED)
