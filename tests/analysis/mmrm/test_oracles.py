"""R's figures: mmrm 0.3.18 with emmeans 1.8.4 under R 4.2.2, in fev_mmrm.json, within the tolerances stated there."""

import numpy as np
import pandas as pd
import pytest

from analysis import mmrm
from analysis.mmrm import fitting

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

    ours = model(patients, *CASES[case])

    assert (ours.rows, ours.subjects) == (theirs["n_obs"], theirs["n_subj"])
    for value, key in ((ours.loglik, "loglik"), (ours.aic, "aic"), (ours.bic, "bic")):
        assert value == pytest.approx(theirs[key], abs=1e-4)
    assert ours.covariance.to_numpy() == pytest.approx(np.array(theirs["cov"]), rel=1e-3)
    same_coefficients(ours.coefficients, theirs["coef"], ("est", "se", "df", "p"))
    same_rows(ours.ls_means("ARMCD", by="AVISIT"), theirs["lsmeans"], "emmean")
    same_rows(ours.contrasts("ARMCD", by="AVISIT"), theirs["contrasts"], "estimate")
    same_rows(ours.ls_means("ARMCD"), theirs["overall_lsmeans"], "emmean")
    same_rows(ours.contrasts("ARMCD"), theirs["overall_contrast"], "estimate")


def test_maximum_likelihood_agrees_with_r(figures, patients):
    theirs = figures("fev_mmrm")["us_ML"]

    ours = model(patients, "us", "satterthwaite", reml=False)

    assert ours.loglik == pytest.approx(theirs["loglik"], abs=1e-4)
    same_coefficients(ours.coefficients, theirs["coef"], ("Estimate", "Std. Error", "df", "Pr(>|t|)"))


@pytest.mark.parametrize(("key", "method"), [("Satt", "satterthwaite"), ("KR", "kenward-roger")])
def test_the_f_test_of_the_interaction_agrees_with_r(key, method, figures, patients):
    theirs = figures("fev_mmrm")[f"us_interaction_F_{key}"]

    ours = model(patients, "us", method).f_test("ARMCD:AVISIT").iloc[0]

    assert ours["f"] == pytest.approx(theirs["f"], rel=1e-5)
    assert ours["denominator_df"] == pytest.approx(theirs["denom_df"], rel=1e-3)
    assert ours["p"] == pytest.approx(theirs["p"], abs=1e-5)


@pytest.mark.parametrize("code", STRUCTURES)
def test_where_r_stops_is_below_the_top_of_the_likelihood_by_less_than_matters(code, patients):
    """Witness of the top: Newton steps to a gradient of 0."""
    stopped = model(patients, code, "satterthwaite")._point
    top = fitting._by_newton(stopped.of)

    assert 0 <= (stopped.deviance - top.deviance) / 2 + 1e-9 < fitting.LEFT
    apart = np.abs(stopped.coefficients - top.coefficients) / np.sqrt(np.diag(top.covariance))
    assert apart.max() < 0.001
