"""R's figures: mmrm 0.3.18 with emmeans 1.8.4 under R 4.2.2, in fev_mmrm.json, within the tolerances stated there.

R's optimiser stops before the top of the likelihood, by up to 1e-5 of the deviance and so by 2e-4 standard errors. What
follows from a covariance matrix is therefore compared at R's own, digit by digit; our maximum must lie no lower than
R's, and its estimates within a thousandth of a standard error.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis import mmrm
from analysis.mmrm.inference import inference_of

FORMULA = "FEV1 ~ RACE + SEX + ARMCD * AVISIT"
STRUCTURES = ["us", "ar1", "ar1h", "cs", "csh", "toep", "toeph", "ad", "adh"]
CASES = {
    **{f"{code}_Satterthwaite": (code, "satterthwaite") for code in STRUCTURES},
    **{f"{code}_Kenward-Roger": (code, "kenward-roger") for code in STRUCTURES},
    "us_KRLinear": ("us", "kenward-roger-linear"),
    "us_BetweenWithin": ("us", "between-within"),
    "us_Residual": ("us", "residual"),
    "us_emp_CR0": ("us", "empirical"),
}
COLUMNS = (("se", "SE"), ("lower", "lower.CL"), ("upper", "upper.CL"))


def model(patients, code, method, **more):
    data = patients("fev_data")
    data["SEX"] = pd.Categorical(data["SEX"], ["Male", "Female"])  # the order of R's factor
    return mmrm.fit(FORMULA, data, subject="USUBJID", visit="AVISIT", covariance=code, inference=method, **more)


def moved(ours, covariance):
    """Our model with its covariance at R's optimum in place of our own."""
    likelihood, scaled = ours._point.of, ours._scaled
    sigma = np.array(covariance) / scaled.outcome_scale**2
    point = likelihood.at(likelihood.structure.start(sigma))
    assert point.sigma == pytest.approx(sigma, rel=1e-10)
    loglik = -(point.deviance + scaled.deviance_shift[int(ours.reml)]) / 2
    inference = inference_of(ours.method, point, ours._design, scaled)
    return replace(ours, _point=point, _inference=inference, loglik=loglik)


def near(ours, theirs):
    """Estimates of both maxima, in standard errors."""
    assert (ours["estimate"] - theirs["estimate"]).abs().max() < 1e-3 * theirs["se"].min()
    assert ours["se"].to_numpy() == pytest.approx(theirs["se"].to_numpy(), rel=1e-3)
    assert ours["df"].to_numpy() == pytest.approx(theirs["df"].to_numpy(), rel=1e-3)


def same_rows(ours, theirs, estimate):
    assert len(ours) == len(theirs)
    for (_, row), expected in zip(ours.iterrows(), theirs, strict=True):
        assert row["estimate"] == pytest.approx(expected[estimate], rel=1e-5)
        for column, key in COLUMNS:
            assert row[column] == pytest.approx(expected[key], rel=1e-5 if column == "se" else 1e-4), column
        assert row["df"] == pytest.approx(expected["df"], rel=1e-3)
        assert row["p"] == pytest.approx(expected["p.value"], abs=1e-5)


def same_coefficients(ours, theirs, keys):
    estimate, se, df, p = keys
    for row, expected in zip(ours.itertuples(), theirs.values(), strict=True):
        assert row.estimate == pytest.approx(expected[estimate], rel=1e-5)
        assert row.se == pytest.approx(expected[se], rel=1e-5)
        assert row.df == pytest.approx(expected[df], rel=1e-3)
        assert row.p == pytest.approx(expected[p], abs=1e-5)


def test_every_case_of_r_is_tried(figures):
    others = {"session", "us_ML", "us_interaction_F_Satt", "us_interaction_F_KR"}

    assert set(figures("fev_mmrm")) == set(CASES) | others


@pytest.mark.parametrize("case", CASES)
def test_a_model_agrees_with_r(case, figures, patients):
    theirs = figures("fev_mmrm")[case]

    best = model(patients, *CASES[case])
    ours = moved(best, theirs["cov"])

    assert best.loglik == pytest.approx(theirs["loglik"], abs=1e-4)
    assert best.loglik > theirs["loglik"] - 1e-9
    near(best.coefficients, ours.coefficients)
    near(best.contrasts("ARMCD", by="AVISIT"), ours.contrasts("ARMCD", by="AVISIT"))
    assert (ours.rows, ours.subjects) == (theirs["n_obs"], theirs["n_subj"])
    for value, key in ((ours.loglik, "loglik"), (ours.aic, "aic"), (ours.bic, "bic")):
        assert value == pytest.approx(theirs[key], abs=1e-4)
    sd = np.sqrt(np.diag(theirs["cov"]))
    assert np.abs(best.covariance.to_numpy() - theirs["cov"]).max() < 1e-3 * sd.max() ** 2
    same_coefficients(ours.coefficients, theirs["coef"], ("est", "se", "df", "p"))
    same_rows(ours.ls_means("ARMCD", by="AVISIT"), theirs["lsmeans"], "emmean")
    same_rows(ours.contrasts("ARMCD", by="AVISIT"), theirs["contrasts"], "estimate")
    same_rows(ours.ls_means("ARMCD"), theirs["overall_lsmeans"], "emmean")
    same_rows(ours.contrasts("ARMCD"), theirs["overall_contrast"], "estimate")


def test_maximum_likelihood_agrees_with_r(figures, patients):
    theirs = figures("fev_mmrm")["us_ML"]

    best = model(patients, "us", "satterthwaite", reml=False)
    ours = moved(best, theirs["cov"])

    assert best.loglik > theirs["loglik"] - 1e-9
    near(best.coefficients, ours.coefficients)
    assert ours.loglik == pytest.approx(theirs["loglik"], abs=1e-4)
    same_coefficients(ours.coefficients, theirs["coef"], ("Estimate", "Std. Error", "df", "Pr(>|t|)"))


@pytest.mark.parametrize(("key", "method"), [("Satt", "satterthwaite"), ("KR", "kenward-roger")])
def test_the_f_test_of_the_interaction_agrees_with_r(key, method, figures, patients):
    theirs = figures("fev_mmrm")[f"us_interaction_F_{key}"]
    covariance = figures("fev_mmrm")["us_Satterthwaite"]["cov"]

    ours = moved(model(patients, "us", method), covariance).f_test("ARMCD:AVISIT").iloc[0]

    assert ours["f"] == pytest.approx(theirs["f"], rel=1e-5)
    assert ours["denominator_df"] == pytest.approx(theirs["denom_df"], rel=1e-3)
    assert ours["p"] == pytest.approx(theirs["p"], abs=1e-5)
