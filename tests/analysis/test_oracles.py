"""R's figures of survival 3.5-3 and survRM2 1.0-4 under R 4.2.2, in lung, veteran, pbc, pbcseq_tvc and cgd_robust.json.

Tolerances are those stated beside the files; for Cox models the one of a full Newton search.
"""

import numpy as np
import pandas as pd
import pytest

from analysis.survival import cox, follow_up, kaplan_meier, logrank, ph_test, rmst

EXACT = 1e-9
COX = 1e-8

DATA = {
    "lung": ("lung", "by_sex", "female", "event"),
    "veteran": ("veteran", "by_trt", "arm", "status"),
    "pbc": ("pbc312", "os", "arm", "death"),
}


@pytest.fixture(params=DATA)
def case(request, figures, patients):
    """(R's figures by arm, times, events, arms) of one data set."""
    file, block, arm, event = DATA[request.param]
    data = patients(file)
    return figures(request.param)[block], data["time"], data[event], data[arm]


def number(value):
    return float("nan") if value is None else value


def same(ours, theirs, rel):
    assert ours == pytest.approx(number(theirs), rel=rel, abs=1e-10, nan_ok=True)  # p-values magnify


def check_curve(time, event, arm, group, theirs):
    for interval in ("log-log", "log", "plain"):
        curves, bounds = kaplan_meier(time, event, arm, interval=interval), theirs[interval]
        summary = curves.to_frame().loc[group]
        assert (summary["n"], summary["events"]) == (theirs["n"], theirs["events"])
        for ours, key in (("median", "median"), ("lower", "median_lcl"), ("upper", "median_ucl")):
            same(summary[ours], bounds[key], EXACT)
        same(curves.quantile(0.25).loc[group, "estimate"], bounds["q25"], EXACT)
        same(curves.quantile(0.75).loc[group, "estimate"], bounds["q75"], EXACT)
        for at in bounds["at"]:
            ours = curves.survival_at(at["t"]).loc[group]
            for column, key in (("survival", "surv"), ("se", "se"), ("lower", "lcl"), ("upper", "ucl")):
                same(ours[column], at[key], EXACT)
            assert ours["at_risk"] == at["n_risk"]
    same(follow_up(time, event, arm).to_frame().loc[group, "median"], theirs["median_followup_reverse_km"], EXACT)


def check_zph(model, theirs, terms=None):
    for scale, expected in theirs.items():
        table = ph_test(model, scale=scale, terms=terms).to_frame()
        for ours, row in zip(table.itertuples(), expected.values(), strict=True):
            same(ours.chi_square, row["chisq"], COX)
            assert ours.df == row["df"]
            same(ours.p, row["p"], COX)


def check_terms(model, theirs):
    assert (model.n, model.events) == (theirs["n"], theirs["events"])
    assert model.concordance == pytest.approx(theirs["concordance"][0], rel=EXACT)
    assert [model.loglik_null, model.loglik] == pytest.approx(theirs["loglik"], abs=1e-8)
    same(model.tests.loc["likelihood ratio", "chi_square"], theirs["lrt"][0], COX)
    same(model.tests.loc["score", "chi_square"], theirs["score"][0], COX)
    assert model.tests.loc["Wald", "chi_square"] == pytest.approx(theirs["wald"][0], abs=0.006)  # R rounds it
    for ours, term in zip(model.terms.itertuples(), theirs["terms"], strict=True):
        for column, key in (("coef", "coef"), ("se", "se"), ("z", "z"), ("p", "p"), ("hr", "hr")):
            same(getattr(ours, column), term[key], COX)
        same(ours.lower, term["hr_lcl"], COX)
        same(ours.upper, term["hr_ucl"], COX)


def test_kaplan_meier_of_everyone_agrees_with_r(figures, patients):
    lung = patients("lung")

    check_curve(lung["time"], lung["event"], None, "all", figures("lung")["overall_km"]["all"])


def test_kaplan_meier_by_arm_agrees_with_r(case):
    theirs, time, event, arm = case

    for group, expected in theirs["km"].items():
        check_curve(time, event, arm, group, expected)


def test_the_difference_in_survival_agrees_with_r(case):
    theirs, time, event, arm = case
    expected = theirs["surv_diff_at_tau"]

    row = kaplan_meier(time, event, arm).difference_at(expected["t"]).loc["1 - 0"]

    for ours, key in (("difference", "diff"), ("se", "se"), ("lower", "lcl"), ("upper", "ucl"), ("p", "p")):
        same(row[ours], expected[key], EXACT)


def check_rmst(time, event, arm, theirs):
    ours = rmst(time, event, arm, horizon=theirs["tau"])

    for label in ("0", "1"):
        for column, key in (("estimate", "est"), ("se", "se"), ("lower", "lcl"), ("upper", "ucl")):
            same(ours.means.loc[label, column], theirs[f"arm{label}"][key], EXACT)
    pairs = ((ours.differences, "diff_1_minus_0"), (ours.ratios, "ratio"), (ours.lost_ratios, "rmtl_ratio"))
    for table, key in pairs:
        for column, name in (("estimate", "est"), ("lower", "lcl"), ("upper", "ucl"), ("p", "p")):
            same(table.iloc[0][column], theirs[key][name], EXACT)


def test_restricted_means_agree_with_r(case, figures, patients):
    theirs, time, event, arm = case
    pbc = patients("pbc312")

    check_rmst(time, event, arm, theirs["rmst"])
    check_rmst(pbc["time"], pbc["death"], pbc["arm"], figures("pbc")["os_tau10y"])


def test_the_weighted_logrank_test_agrees_with_r(case):
    theirs, time, event, arm = case
    expected = theirs["peto_peto_rho1"]

    test = logrank(time, event, arm, rho=1)

    same(test.chi_square, expected["chisq"], EXACT)
    same(test.p, expected["p"], EXACT)
    assert list(test.groups["observed"]) == pytest.approx(expected["obs"], rel=EXACT)
    assert list(test.groups["expected"]) == pytest.approx(expected["exp"], rel=EXACT)


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

    model = cox(time, event, arm.to_frame())

    check_terms(model, theirs["cox_efron"])
    check_terms(cox(time, event, arm.to_frame(), ties="breslow"), theirs["cox_breslow"])
    check_zph(model, theirs["cox_efron"]["zph"])


def test_the_cox_model_with_covariates_agrees_with_r(figures, patients):
    lung, veteran = patients("lung"), patients("veteran")
    levels = ("smallcell", "adeno", "large")
    celltypes = pd.DataFrame({f"celltype{each}": veteran["celltype"] == each for each in levels})
    covariates = veteran[["arm", "karno", "age", "prior"]].join(celltypes)
    terms = {name: [name] for name in ("arm", "karno", "age", "prior")} | {"celltype": list(celltypes)}
    outcome = veteran["time"], veteran["status"]

    of_veterans = cox(*outcome, covariates)
    of_lung = cox(lung["time"], lung["event"], lung[["age", "female", "ph.ecog"]])

    check_terms(of_veterans, figures("veteran")["cox_multi"])
    check_zph(of_veterans, figures("veteran")["cox_multi"]["zph"], terms)
    check_terms(cox(*outcome, covariates, ties="breslow"), figures("veteran")["cox_multi_breslow"])
    check_terms(of_lung, figures("lung")["cox_age_sex_ecog"])
    check_zph(of_lung, figures("lung")["cox_age_sex_ecog"]["zph"])
    assert of_lung.excluded == 1


def test_the_stratified_cox_model_agrees_with_r(figures, patients):
    lung, veteran = patients("lung").dropna(subset="ph.ecog"), patients("veteran")

    of_lung = cox(lung["time"], lung["event"], lung[["age", "female"]], strata=lung["ph.ecog"])
    of_veterans = cox(veteran["time"], veteran["status"], veteran[["arm"]], strata=veteran["celltype"])

    for ours, theirs in (
        (of_lung, figures("lung")["cox_strata_ecog"]),
        (of_veterans, figures("veteran")["by_trt"]["cox_efron_stratified"]),
    ):
        check_terms(ours, theirs)
        check_zph(ours, theirs["zph"])


def test_the_cox_model_of_cirrhosis_agrees_with_r(figures, patients):
    theirs, pbc = figures("pbc")["cox_multi"], patients("pbc312")
    columns = {"log(bili)": np.log(pbc["bili"]), "log(protime)": np.log(pbc["protime"])}
    columns["log(albumin)"] = np.log(pbc["albumin"])
    known = pbc.assign(**columns, sexf=pbc["sex"] == "f")
    names = [row["term"] for row in theirs["terms"]]

    model = cox(pbc["time"], pbc["death"], known[names])

    check_terms(model, theirs)
    check_zph(model, theirs["zph"])


def test_covariates_that_change_agree_with_r(figures, patients):
    rows = patients("pbcseq_counting")
    covariates = rows[["arm", "age"]].assign(bili=np.log(rows["bili"]), albumin=rows["albumin"])

    for ties, key in (("efron", "cox_tvc"), ("breslow", "cox_tvc_breslow")):
        model = cox(rows["tstop"], rows["endpt"], covariates, start=rows["tstart"], ties=ties)
        check_terms(model, figures("pbcseq_tvc")[key])
        if "zph" in figures("pbcseq_tvc")[key]:
            check_zph(model, figures("pbcseq_tvc")[key]["zph"])


def test_robust_errors_of_recurrent_events_agree_with_r(figures, patients):
    cgd, theirs = patients("cgd"), figures("cgd_robust")
    treated = (cgd["treat"] == "rIFN-g").to_frame()

    term = cox(cgd["tstop"], cgd["status"], treated, start=cgd["tstart"], cluster=cgd["id"]).terms.iloc[0]

    same(term["hr"], theirs["se"], COX)  # the file's "se" holds exp(coef)
    for ours, key in (("coef", "coef"), ("se", "robust_se"), ("z", "z"), ("p", "p")):
        same(term[ours], theirs[key], COX)
