"""What a model for repeated measures keeps, what it refuses, and what it falls back on."""

import warnings
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis import mmrm
from analysis.mmrm.covariances import CODES, Structure
from analysis.results import BadInput, CannotEstimate
from analysis.simulation import simulate

FORMULA = "chg ~ base * visit + arm * visit"
VISITS = ["M3", "M6", "M9", "M12"]


def trial(subjects=80, visits=VISITS, missing=0.2, seed=1, effect=3.0):
    """Correlated changes from baseline of two arms, with forms missing at random."""
    rng = np.random.default_rng(seed)
    lag = np.abs(np.subtract.outer(range(len(visits)), range(len(visits))))
    root = np.linalg.cholesky(200 * (0.4 + 0.6 * 0.7**lag))
    base, arm = rng.normal(60, 20, subjects), rng.permutation(np.arange(subjects) % 2)
    change = rng.standard_normal((subjects, len(visits))) @ root.T - 0.3 * (base[:, None] - 60) + effect * arm[:, None]
    who, when = np.nonzero(rng.random(change.shape) >= missing)
    return pd.DataFrame(
        {
            "subject": [f"P{each}" for each in who],
            "visit": pd.Categorical([visits[each] for each in when], visits),
            "base": base[who],
            "arm": np.where(arm[who], "B", "A"),
            "chg": change[who, when],
        }
    )


def fitted(data, formula=FORMULA, **more):
    return mmrm.fit(formula, data, subject="subject", visit="visit", **more)


def difference(model):
    return model.contrasts("arm", by="visit")[["estimate", "se", "df"]].to_numpy()


@pytest.mark.parametrize("code", CODES)
def test_the_derivatives_of_a_covariance_are_those_of_small_steps(code):
    structure, step = Structure(code, 4), 1e-6
    theta = np.random.default_rng(3).normal(0, 0.3, structure.size)
    bent = structure.bent(theta)

    for k, direction in enumerate(np.eye(structure.size) * step):
        ahead, behind = structure.bent(theta + direction), structure.bent(theta - direction)
        assert (ahead.value - behind.value) / (2 * step) == pytest.approx(bent.first[k], abs=1e-8)
        assert (ahead.first - behind.first) / (2 * step) == pytest.approx(bent.second[k], abs=1e-8)


def test_with_complete_data_and_one_visit_it_is_analysis_of_covariance():
    """Witness: ordinary least squares by its normal equations."""
    data = trial(visits=["M3"], missing=0)
    x = np.column_stack([np.ones(len(data)), data["base"], data["arm"] == "B"])
    beta, rss, _, _ = np.linalg.lstsq(x, data["chg"], rcond=None)
    se = np.sqrt(rss[0] / (len(data) - 3) * np.linalg.inv(x.T @ x)[2, 2])

    row = fitted(data, "chg ~ base + arm").contrasts("arm").iloc[0]

    assert row["estimate"] == pytest.approx(beta[2], rel=1e-9)
    assert row["se"] == pytest.approx(se, rel=1e-9)
    assert row["df"] == pytest.approx(len(data) - 3, rel=1e-6)


def test_the_difference_of_two_visits_of_complete_patients_is_that_of_the_paired_t_test():
    """Witness: scipy.stats.ttest_rel. The default form of Kenward and Roger does not give its standard error."""
    data = trial(visits=["M3", "M6"], missing=0)
    wide = data.pivot(index="subject", columns="visit", values="chg")
    paired = stats.ttest_rel(wide["M6"], wide["M3"])

    row = fitted(data, "chg ~ visit").contrasts("visit").iloc[0]

    assert row["t"] == pytest.approx(paired.statistic, rel=1e-8)
    assert row["df"] == pytest.approx(paired.df, rel=1e-6)
    assert row["p"] == pytest.approx(paired.pvalue, rel=1e-6)


def test_bias_reduced_robust_errors_of_two_arms_at_one_visit_are_welchs():
    """Witness: scipy.stats.ttest_ind with unequal variances; its df are near those of Bell and McCaffrey."""
    data = trial(visits=["M3"], missing=0)
    data.loc[data["arm"] == "B", "chg"] *= 3
    data = data.drop(data.index[data["arm"] == "A"][:15])
    welch = stats.ttest_ind(*(data.loc[data["arm"] == arm, "chg"] for arm in "BA"), equal_var=False)

    row = fitted(data, "chg ~ arm", inference="empirical-bias-reduced").contrasts("arm").iloc[0]

    assert row["t"] == pytest.approx(welch.statistic, rel=1e-8)
    assert 20 < row["df"] < len(data) - 2


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_rows_does_not_matter(seed):
    data = trial()

    shuffled = data.sample(frac=1, random_state=seed)

    assert difference(fitted(shuffled)) == pytest.approx(difference(fitted(data)), rel=1e-7)


def test_the_names_of_subjects_and_arms_do_not_matter():
    data = trial()

    renamed = data.assign(subject="x" + data["subject"], arm=data["arm"].map({"A": "drug", "B": "surgery"}))

    assert difference(fitted(renamed)) == pytest.approx(difference(fitted(data)), rel=1e-7)


@settings(max_examples=6, deadline=None)
@given(st.floats(-1e6, 1e6), st.integers(-6, 6))
def test_an_outcome_moved_and_in_another_decimal_unit_gives_the_same_differences_in_it(shift, power):
    data, unit = trial(), 10.0**power

    stretched = difference(fitted(data.assign(chg=(shift + data["chg"]) * unit)))

    assert stretched == pytest.approx(difference(fitted(data)) * [unit, unit, 1], rel=1e-7)


@settings(max_examples=6, deadline=None)
@given(st.floats(1e-4, 1e4))
def test_an_outcome_stretched_by_any_factor_stretches_the_differences_to_a_hundredth_of_a_standard_error(factor):
    """The search stops where R's does, a little below the top, and how little depends on the unit."""
    data = trial()
    plain = difference(fitted(data))

    stretched = difference(fitted(data.assign(chg=factor * data["chg"]))) / [factor, factor, 1]

    assert np.abs(stretched[:, 0] - plain[:, 0]).max() < 0.01 * plain[:, 1].min()
    assert stretched[:, 1:] == pytest.approx(plain[:, 1:], rel=5e-3)


@settings(max_examples=4, deadline=None)
@given(st.floats(1e-4, 1e4))
def test_without_missing_forms_any_factor_stretches_the_differences(factor):
    data = trial(missing=0)

    stretched = difference(fitted(data.assign(chg=factor * data["chg"])))

    assert stretched == pytest.approx(difference(fitted(data)) * [factor, factor, 1], rel=1e-7)


def test_the_average_over_visits_is_the_mean_of_the_differences():
    model = fitted(trial())

    average = model.contrasts("arm").loc["B - A", "estimate"]

    assert average == pytest.approx(model.contrasts("arm", by="visit")["estimate"].mean())


def test_a_covariate_may_stand_in_a_formula_as_its_distance_from_the_mean_alone():
    data = trial()

    model = fitted(data, "chg ~ center(base) * visit + arm * visit")

    assert difference(model) == pytest.approx(difference(fitted(data)), rel=1e-6)
    assert fitted(data.drop(index=0), "chg ~ center(base) * visit + arm * visit").rows == model.rows - 1
    with pytest.raises(BadInput, match="no column height"):
        fitted(data, "chg ~ height + center(base) * visit")


def test_rows_without_outcome_or_covariate_are_left_out_and_counted():
    data = trial()
    data.loc[[0, 1], "chg"] = np.nan
    data.loc[2, "base"] = np.nan

    model = fitted(data)

    assert model.excluded == {"no outcome": 2, "no covariate": 1}
    assert model.rows == len(data) - 3
    assert "left out: 2 (no outcome), 1 (no covariate)" in str(model)


def test_with_equal_means_at_baseline_the_arms_do_not_differ_there():
    """And without missing forms the difference later is that of covariance analysis on the baseline, within 2 %."""
    data = trial(missing=0, subjects=400)
    first = data.drop_duplicates("subject").assign(visit="M0", score=lambda rows: rows["base"])
    later = data.assign(score=data["base"] + data["chg"], visit=data["visit"].astype(str))
    long = pd.concat([first, later]).assign(visit=lambda rows: pd.Categorical(rows["visit"], ["M0", *VISITS]))

    constrained = fitted(long, "score ~ arm * visit", equal_means=("arm", "M0")).contrasts("arm", by="visit")
    adjusted = fitted(data).contrasts("arm", by="visit")

    assert constrained.loc["M0", ["estimate", "se", "lower", "upper"]].tolist() == [0, 0, 0, 0]
    assert constrained.loc[VISITS, "estimate"].to_numpy() == pytest.approx(adjusted["estimate"].to_numpy(), abs=0.05)
    assert constrained.loc[VISITS, "se"].to_numpy() == pytest.approx(adjusted["se"].to_numpy(), rel=0.02)


def test_a_visit_with_four_forms_falls_back_aloud_and_shows_robust_errors_beside():
    data = trial()
    late = data.index[data["visit"] == "M12"]
    kept = [*late[data.loc[late, "arm"] == "A"][:2], *late[data.loc[late, "arm"] == "B"][:2]]
    data = data.drop(late.difference(kept))

    with pytest.warns(mmrm.CovarianceFellBack, match="visit M12 has 4 forms"):
        model = fitted(data, "chg ~ base + arm * visit")

    assert (model.asked, model.structure) == ("us", "cs")
    assert list(model.refused) == ["us", "toeph", "ar1h", "csh"]
    table = model.contrasts("arm", by="visit")
    assert table[["se", "robust_se", "robust_df", "robust_p"]].notna().all(axis=None)
    assert "Not fitted, unstructured: visit M12 has 4 forms" in str(model)


def test_without_a_fallback_the_reason_is_the_error():
    data = trial(visits=["M3", "M6"], missing=0)
    data = data[(data["visit"] == "M3") | data["subject"].isin(["P1", "P2", "P3", "P4"])]

    with pytest.raises(CannotEstimate, match="us: visit M6 has 4 forms"):
        fitted(data, "chg ~ base + visit", fallback=())


@pytest.mark.parametrize("seed", range(6))
def test_heavy_missingness_gives_numbers_or_a_reason(seed):
    """Thirty patients, and each visit loses two thirds of those that are left."""
    data = trial(subjects=30, missing=0, seed=seed)
    rng = np.random.default_rng(seed)
    kept = rng.random(len(data)) < 0.35 ** data["visit"].cat.codes.to_numpy()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mmrm.CovarianceFellBack)
        try:
            found = difference(fitted(data[kept], "chg ~ base + arm * visit"))
        except CannotEstimate:
            return  # a typed reason is an answer, too
    assert np.isfinite(found).all()


@pytest.mark.parametrize("seed", range(3))
def test_a_trial_that_hardly_anybody_answers_to_the_end_gives_numbers_or_a_reason(seed):
    """Twelve visits of the simulated trial, fewer than five forms at the last ones."""
    months = {f"M{month}": month for month in (0, 1, 3, 6, 9, 12, 18, 24, 30, 36, 48, 60)}
    answered = simulate(
        seed=seed, visits=months, start_on=date(2024, 1, 1), accrual_months=36, scenario="heavy missingness"
    )
    scores = answered.truth["QL"].reindex(answered.answers.index).rename("score").reset_index()
    scores["arm"] = scores["subject"].map(answered.patients.set_index("subject")["arm"])
    scores["visit"] = pd.Categorical(scores["visit"], list(months))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mmrm.CovarianceFellBack)
        try:
            found = difference(fitted(scores, "score ~ arm * visit"))
        except CannotEstimate as reason:
            said = str(reason)
            found = None

    assert np.isfinite(found).all() if found is not None else "visit" in said


def test_a_result_says_on_which_libraries_it_rests():
    assert {"numpy", "scipy", "formulaic"} <= set(fitted(trial()).versions)


def test_two_forms_of_one_subject_at_one_visit_are_refused_by_row():
    data = pd.concat([trial(), trial().head(1)], ignore_index=True)

    with pytest.raises(
        mmrm.DuplicateForms, match=rf"subject and visit are the same in 2 rows, among them 0, {len(data) - 1}"
    ):
        fitted(data)


def test_a_visit_with_one_arm_is_refused_by_column():
    data = trial()

    with pytest.raises(mmrm.CollinearDesign, match=r"arm\[T.B\]:visit\[T.M12\].*the visit at which an arm"):
        fitted(data[(data["visit"] != "M12") | (data["arm"] == "A")])


def test_a_constant_outcome_is_refused():
    with pytest.raises(mmrm.ConstantOutcome):
        fitted(trial().assign(chg=7.0))


def test_a_covariate_that_repeats_another_is_refused_by_name():
    data = trial()

    with pytest.raises(mmrm.CollinearDesign, match="double is determined by base"):
        fitted(data.assign(double=2 * data["base"]), "chg ~ base + double + arm * visit")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"covariance": "xx"}, "there is no covariance xx"),
        ({"inference": "xx"}, "there is no inference xx"),
        ({"formula": "chg ~ weight"}, "the data have no column weight"),
        ({"formula": "chg"}, "is no formula"),
        ({"formula": "log(chg) ~ arm"}, "not finite"),
        ({"equal_means": ("arm", "M0")}, "a visit that nobody has: M0"),
    ],
)
def test_what_is_asked_wrongly_is_refused_with_its_name(more, said):
    with np.errstate(invalid="ignore"), pytest.raises(BadInput, match=said):
        fitted(trial(), **more)


def test_means_of_what_is_no_factor_are_refused_with_the_cure():
    numbered = trial().assign(arm=lambda rows: (rows["arm"] == "B").astype(int))

    with pytest.raises(BadInput, match="arm is no factor of the formula"):
        fitted(numbered).ls_means("arm", by="visit")


def test_no_rows_are_refused():
    with pytest.raises(CannotEstimate, match="no row has the outcome"):
        fitted(trial().assign(chg=np.nan))
