"""R's figures: survival 3.5-3 under R 4.2.2, in lung.json and veteran.json, within the tolerances stated there."""

import pandas as pd
import pytest

from analysis.survival import cox, kaplan_meier, logrank

EXACT = 1e-9
COX = 1e-5

DATA = {"lung": ("by_sex", "female"), "veteran": ("by_trt", "arm")}


@pytest.fixture(params=DATA)
def case(request, figures, patients):
    """(R's figures by arm, times, events, arms) of one data set."""
    block, arm = DATA[request.param]
    data = patients(request.param)
    event = data["event"] if "event" in data else data["status"]
    return figures(request.param)[block], data["time"], event, data[arm]


def number(value):
    return float("nan") if value is None else value


def same(ours, theirs, rel):
    assert ours == pytest.approx(number(theirs), rel=rel, nan_ok=True)


def check_curve(curves, group, theirs):
    summary, bounds = curves.to_frame().loc[group], theirs["log-log"]
    assert (summary["n"], summary["events"]) == (theirs["n"], theirs["events"])
    for ours, key in (("median", "median"), ("lower", "median_lcl"), ("upper", "median_ucl")):
        same(summary[ours], bounds[key], EXACT)
    for at in bounds["at"]:
        ours = curves.survival_at(at["t"]).loc[group]
        for column, key in (("survival", "surv"), ("se", "se"), ("lower", "lcl"), ("upper", "ucl")):
            same(ours[column], at[key], EXACT)
        assert ours["at_risk"] == at["n_risk"]


def check_terms(model, theirs):
    assert (model.n, model.events) == (theirs["n"], theirs["events"])
    assert model.loglik == pytest.approx(theirs["loglik"][1], abs=1e-8)
    for ours, term in zip(model.terms.itertuples(), theirs["terms"], strict=True):
        for column, key in (("coef", "coef"), ("se", "se"), ("z", "z"), ("p", "p"), ("hr", "hr")):
            same(getattr(ours, column), term[key], COX)
        same(ours.lower, term["hr_lcl"], COX)
        same(ours.upper, term["hr_ucl"], COX)


def test_kaplan_meier_of_everyone_agrees_with_r(figures, patients):
    lung = patients("lung")

    curves = kaplan_meier(lung["time"], lung["event"])

    check_curve(curves, "all", figures("lung")["overall_km"]["all"])


def test_kaplan_meier_by_arm_agrees_with_r(case):
    theirs, time, event, arm = case

    curves = kaplan_meier(time, event, arm)

    for group, expected in theirs["km"].items():
        check_curve(curves, group, expected)


def test_the_logrank_test_agrees_with_r(case):
    theirs, time, event, arm = case

    test = logrank(time, event, arm)

    same(test.chi_square, theirs["logrank"]["chisq"], EXACT)
    same(test.p, theirs["logrank"]["p"], EXACT)
    assert test.df == theirs["logrank"]["df"]
    assert list(test.groups["observed"]) == theirs["logrank"]["obs"]
    assert list(test.groups["expected"]) == pytest.approx(theirs["logrank"]["exp"], rel=EXACT)


def test_the_stratified_logrank_test_agrees_with_r(figures, patients):
    lung, veteran = patients("lung").dropna(subset="ph.ecog"), patients("veteran")

    tests = [
        (
            logrank(lung["time"], lung["event"], lung["female"], strata=lung["ph.ecog"]),
            figures("lung")["logrank_sex_strata_ecog"],
        ),
        (
            logrank(veteran["time"], veteran["status"], veteran["arm"], strata=veteran["celltype"]),
            figures("veteran")["by_trt"]["logrank_stratified"],
        ),
    ]

    for ours, theirs in tests:
        same(ours.chi_square, theirs["chisq"], EXACT)
        same(ours.p, theirs["p"], EXACT)
        assert list(ours.groups["expected"]) == pytest.approx(theirs["exp"], rel=EXACT)


def test_the_cox_model_of_the_arm_agrees_with_r(case):
    theirs, time, event, arm = case

    check_terms(cox(time, event, arm.to_frame()), theirs["cox_efron"])


def test_the_cox_model_with_covariates_agrees_with_r(figures, patients):
    lung, veteran = patients("lung"), patients("veteran")
    celltypes = pd.DataFrame(
        {f"celltype{each}": veteran["celltype"] == each for each in ("smallcell", "adeno", "large")}
    )
    covariates = veteran[["arm", "karno", "age", "prior"]].join(celltypes)

    of_veterans = cox(veteran["time"], veteran["status"], covariates)
    of_lung = cox(lung["time"], lung["event"], lung[["age", "female", "ph.ecog"]])

    check_terms(of_veterans, figures("veteran")["cox_multi"])
    check_terms(of_lung, figures("lung")["cox_age_sex_ecog"])
    assert of_lung.excluded == 1


def test_the_stratified_cox_model_agrees_with_r(figures, patients):
    lung, veteran = patients("lung").dropna(subset="ph.ecog"), patients("veteran")

    of_lung = cox(lung["time"], lung["event"], lung[["age", "female"]], strata=lung["ph.ecog"])
    of_veterans = cox(veteran["time"], veteran["status"], veteran[["arm"]], strata=veteran["celltype"])

    check_terms(of_lung, figures("lung")["cox_strata_ecog"])
    check_terms(of_veterans, figures("veteran")["by_trt"]["cox_efron_stratified"])
