"""Over many invented trials of 200 patients: do tests err, and intervals cover, as often as they say?"""

import numpy as np
import pandas as pd
import pytest

from analysis import mmrm
from analysis.survival import kaplan_meier, logrank, rmst

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

PATIENTS = 200
VISITS = ["M3", "M6", "M9", "M12"]
EFFECT = 4.0


def within_monte_carlo_error(found, wanted, trials):
    return abs(found - wanted) <= 3 * np.sqrt(wanted * (1 - wanted) / trials)


def repeated(rng, effect):
    """Changes from baseline at four visits, forms missing the more the worse the last one was."""
    lag = np.abs(np.subtract.outer(range(4), range(4)))
    root = np.linalg.cholesky(300 * (0.5 + 0.5 * 0.7**lag))
    arm = rng.permutation(np.arange(PATIENTS) % 2)
    change = rng.standard_normal((PATIENTS, 4)) @ root.T + effect * arm[:, None]
    before = np.column_stack([np.full(PATIENTS, 20.0), change[:, :-1]])
    seen = np.cumprod(rng.random(change.shape) < 1 / (1 + np.exp(-2 - before / 20)), axis=1).astype(bool)
    who, when = np.nonzero(seen)
    columns = {"subject": who, "visit": pd.Categorical.from_codes(when, VISITS), "arm": np.where(arm[who], "B", "A")}
    return pd.DataFrame({**columns, "chg": change[who, when]})


@pytest.mark.parametrize("inference", ["kenward-roger-linear", "satterthwaite"])
def test_the_contrast_of_repeated_measures_errs_and_covers_at_its_level(inference):
    trials, rejected, covered = 800, 0, 0
    rng = np.random.default_rng(20261122)

    for _ in range(trials):
        model = mmrm.fit("chg ~ arm * visit", repeated(rng, 0), subject="subject", visit="visit", inference=inference)
        rejected += model.contrasts("arm", by="visit").loc["M12", "p"] < 0.05
        model = mmrm.fit(
            "chg ~ arm * visit", repeated(rng, EFFECT), subject="subject", visit="visit", inference=inference
        )
        row = model.contrasts("arm", by="visit").loc["M12"]
        covered += row["lower"] <= EFFECT <= row["upper"]

    assert within_monte_carlo_error(rejected / trials, 0.05, trials)
    assert within_monte_carlo_error(covered / trials, 0.95, trials)


def survivors(rng, ratio=1.0):
    """Times, events, arms and strata: hazards differ by stratum, censoring between 24 and 96 months."""
    arm, stratum = np.arange(PATIENTS) % 2, rng.integers(0, 4, PATIENTS)
    death = rng.exponential(size=PATIENTS) * 50 / np.array([0.6, 1, 1.5, 2.5])[stratum] / np.where(arm, ratio, 1)
    left = rng.uniform(24, 96, PATIENTS)
    return np.minimum(death, left), death <= left, arm, stratum


def test_the_stratified_logrank_test_errs_at_its_level():
    trials, rng = 2000, np.random.default_rng(1)

    rejected = np.mean(
        [logrank(*data[:3], strata=data[3]).p < 0.05 for data in (survivors(rng) for _ in range(trials))]
    )

    assert within_monte_carlo_error(rejected, 0.05, trials)


def test_intervals_of_survival_and_of_restricted_means_cover_at_their_level():
    trials, rng = 1500, np.random.default_rng(2)
    hazards = np.array([0.6, 1, 1.5, 2.5]) / 50
    survival, mean = np.exp(-36 * hazards).mean(), ((1 - np.exp(-24 * hazards)) / hazards).mean()
    covered = np.zeros(2)

    for _ in range(trials):
        time, event, _, _ = survivors(rng)
        at = kaplan_meier(time, event).survival_at(36).loc["all"]
        area = rmst(time, event, horizon=24).means.loc["all"]
        covered += [at["lower"] <= survival <= at["upper"], area["lower"] <= mean <= area["upper"]]

    for share in covered / trials:
        assert within_monte_carlo_error(share, 0.95, trials)
