"""Reference-based imputation: what each strategy expects, what the jackknife says, what is never imputed."""

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config

from analysis import imputation, mmrm
from analysis.imputation.strategies import filled, moved
from analysis.imputation.wide import Table
from analysis.results import BadInput, CannotEstimate

VISITS = ["M3", "M6", "M9"]
ASKED = {"outcome": "chg", "reference": "control", "covariates": ["base"]}


def trial(patients=60, seed=1, effect=6.0, dying=True, stopping=0.2):
    rng = np.random.default_rng(seed)
    m, lag = len(VISITS), np.abs(np.subtract.outer(range(3), range(3)))
    root = np.linalg.cholesky(200 * (0.4 + 0.6 * 0.7**lag))
    base, arm = rng.normal(60, 20, patients), np.arange(patients) % 2
    y = rng.standard_normal((patients, m)) @ root.T - 0.3 * (base[:, None] - 60) + effect * arm[:, None]
    stops, death = (
        rng.geometric(stopping, patients),
        rng.geometric(0.1, patients) + 1 if dying else np.full(patients, 9),
    )
    at = np.arange(m)
    alive = at < death[:, None]
    return pd.DataFrame(
        {
            "subject": np.repeat(np.arange(patients), m),
            "visit": pd.Categorical(np.tile(VISITS, patients), VISITS),
            "arm": np.repeat(np.where(arm, "surgery", "control"), m),
            "base": np.repeat(base, m),
            "alive": alive.ravel(),
            "chg": np.where(alive & (at < stops[:, None]), y, np.nan).ravel(),
        }
    )


@pytest.fixture(scope="module")
def imputed():
    return imputation.estimate(trial(), deltas=[-30, -5, 5], **ASKED)


def table(y, arm, alive=None):
    y = np.array(y, dtype=float)
    alive = np.ones(y.shape, dtype=bool) if alive is None else np.array(alive)
    return Table(y, alive, np.array(arm, dtype=object), np.zeros((len(y), 0)), ("control", "surgery"), (1, 2, 3), ())


def test_each_strategy_moves_the_means_after_the_last_answer_as_it_says():
    """Own means 10, 20, 30; the reference's 1, 2, 4. The first patient stops after the first visit, the other never."""
    own, referred = np.array([[10.0, 20, 30]] * 2), np.array([[1.0, 2, 4]] * 2)
    given = table([[5, np.nan, np.nan], [5, np.nan, 7]], ["surgery"] * 2)

    means = {strategy: moved(strategy, own, referred, given) for strategy in imputation.STRATEGIES}

    assert means["missing at random"][0].tolist() == [10, 20, 30]
    assert means["jump to reference"][0].tolist() == [10, 2, 4]
    assert means["copy increments"][0].tolist() == [10, 11, 13]
    assert means["copy reference"][0].tolist() == [1, 2, 4]
    assert all(each[1].tolist() == [10, 20, 30] for each in means.values())


def test_who_never_answered_is_expected_as_the_reference_and_who_died_keeps_her_means():
    own, referred = np.array([[10.0, 20, 30]] * 2), np.array([[1.0, 2, 4]] * 2)
    alive = [[True, True, True], [True, False, False]]
    given = table([[np.nan] * 3, [5, np.nan, np.nan]], ["surgery"] * 2, alive)

    for strategy in ("jump to reference", "copy increments", "copy reference"):
        assert moved(strategy, own, referred, given)[0].tolist() == [1, 2, 4]
    assert moved("copy reference", own, referred, given)[1].tolist() == [10, 20, 30]


def test_missing_scores_are_those_expected_given_what_was_seen():
    """Witness: the regression of a normal vector's second part on its first, by hand."""
    sigma = np.array([[4.0, 2, 1], [2, 9, 3], [1, 3, 16]])
    mean = np.array([[1.0, 2, 3]])

    scores = filled(np.array([[3.0, np.nan, np.nan]]), mean, sigma)

    assert scores[0].tolist() == [3, 2 + 2 / 4 * 2, 3 + 1 / 4 * 2]


def test_missing_at_random_it_is_the_difference_of_the_model_of_repeated_measures():
    """Without deaths, imputation by conditional means and covariance analysis come to the model's own contrast."""
    data = trial(60, dying=False)
    model = mmrm.fit("chg ~ base * visit + arm * visit", data, subject="subject", visit="visit")

    found = imputation.estimate(data, strategies=["missing at random"], **ASKED).differences

    contrasts = model.contrasts("arm", by="visit")
    assert found["estimate"].to_numpy() == pytest.approx(contrasts["estimate"].to_numpy(), abs=1e-9)
    assert found["se"].to_numpy() == pytest.approx(contrasts["se"].to_numpy(), rel=0.05)


def test_jumping_to_the_reference_makes_the_difference_smaller_and_its_error_too(imputed):
    at = imputed.differences.xs("M9", level="visit").droplevel("arms")

    assert 0 < at.loc["jump to reference", "estimate"] < at.loc["missing at random", "estimate"]
    assert at.loc["jump to reference", "se"] < at.loc["missing at random", "se"]


def test_the_difference_is_that_of_the_means_and_everything_missing_among_the_living_is_counted(imputed):
    means = imputed.means.xs("copy reference").xs("M6")["estimate"]
    data = trial()

    apart = imputed.differences.loc[("copy reference", "M6", "surgery - control"), "estimate"]

    assert apart == pytest.approx(means["surgery"] - means["control"])
    assert imputed.counts["imputed"].sum() == (data["alive"] & data["chg"].isna()).sum()
    assert imputed.counts["dead"].sum() == (~data["alive"]).sum()
    assert "none after death" in str(imputed)


def test_points_are_added_to_imputed_scores_alone(imputed):
    """Witness: the difference with the points added by hand."""
    plain = imputed.differences.loc[("missing at random", "M9", "surgery - control"), "estimate"]
    tipping = imputed.tipping.loc[("M9", "surgery - control")]

    assert tipping.loc[(0, 0), "estimate"] == pytest.approx(plain)
    lost = tipping.loc[(0, -5), "estimate"] - plain
    share = imputed.counts.loc[("M9", "surgery")]
    assert lost == pytest.approx(-5 * share["imputed"] / (share["imputed"] + share["observed"]), rel=0.25)
    assert tipping.loc[(0, 5), "estimate"] - plain == pytest.approx(-lost)


def test_the_tipping_point_is_the_smallest_number_of_points_that_takes_the_significance():
    found = imputation.estimate(trial(effect=15.0), deltas=[-60, -30, -2], strategies=["missing at random"], **ASKED)

    points = found.tipping_points().loc[("M9", "surgery - control"), "points"]

    assert points in (-60, -30)
    table = found.tipping.loc[("M9", "surgery - control", 0.0)]
    assert table.loc[points, "p"] >= 0.05
    assert table.loc[-2, "p"] < 0.05


def test_more_jobs_give_the_same_numbers():
    """Threads here; processes in test_cluster."""
    data, asked = trial(30), {"strategies": ["copy reference"], **ASKED}
    one = imputation.estimate(data, **asked)

    with parallel_config("threading"):
        two = imputation.estimate(data, jobs=2, **asked)

    pd.testing.assert_frame_equal(one.differences, two.differences)


@pytest.mark.parametrize(
    ("change", "more", "error", "said"),
    [
        (lambda d: d.assign(alive=False), {}, BadInput, "is known and the patient is dead"),
        (lambda d: pd.concat([d, d.head(1)]), {}, BadInput, "twice at one visit"),
        (lambda d: d.iloc[1:], {}, BadInput, "lack a row at some visit: 0"),
        (lambda d: d, {"reference": "placebo"}, BadInput, "there is no arm placebo"),
        (lambda d: d, {"strategies": ["zero"]}, BadInput, "there is no strategy zero"),
        (lambda d: d.assign(arm="control"), {}, CannotEstimate, "all patients are in the reference arm"),
        (lambda d: d.assign(base=np.nan), {}, BadInput, "a label or covariate is missing"),
        (lambda d: d.assign(base=range(len(d))), {}, BadInput, "base changes within a subject"),
        (lambda d: d.drop(columns="alive"), {}, BadInput, "data has no column alive"),
    ],
)
def test_what_cannot_be_is_refused_by_name(change, more, error, said):
    with pytest.raises(error, match=said):
        imputation.estimate(change(trial(30)), **{**ASKED, **more})
