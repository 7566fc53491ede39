"""Past one machine: of a Dask frame every estimator gives what it gives of a pandas frame, to 1e-10.

Most rules are held in this process, where Dask works in threads; one test sends everything to a cluster of two workers.
"""

import subprocess
import sys
from datetime import date

import numpy as np
import pandas as pd
import pytest
from dask import dataframe as dask_frame
from dask.distributed import Client, LocalCluster
from joblib import parallel_config

import questionnaires
from analysis import imputation, mmrm, simulation, survival
from analysis.results import BadInput, CannotEstimate

C30 = questionnaires.load("qlq-c30")
FORMULA = "chg ~ base * visit + arm * visit + er"
VISITS = ["M3", "M6", "M9", "M12"]


def people(n=900, seed=1):
    rng = np.random.default_rng(seed)
    labels = {"arm": rng.choice(["A", "B"], n), "er": rng.choice(["neg", "pos"], n), "number": rng.integers(1, 3, n)}
    return pd.DataFrame({"time": rng.exponential(30, n).round(1), "event": rng.random(n) < 0.6, **labels})


def repeated(subjects=150, seed=1):
    """Rows in no order, so that a subject's lie in several partitions; forms and a covariate are missing."""
    rng = np.random.default_rng(seed)
    lag = np.abs(np.subtract.outer(range(4), range(4)))
    root = np.linalg.cholesky(300 * (0.5 + 0.5 * 0.7**lag))
    base, arm = rng.normal(60, 20, subjects), rng.integers(0, 2, subjects)
    change = rng.standard_normal((subjects, 4)) @ root.T - 0.3 * (base[:, None] - 60) + 4 * arm[:, None]
    change[rng.random(change.shape) < 0.2] = np.nan
    who, when = np.divmod(rng.permutation(subjects * 4), 4)
    base[:2] = np.nan
    return pd.DataFrame(
        {
            "subject": [f"S-{n:03d}" for n in who],
            "visit": pd.Categorical.from_codes(when, VISITS),
            "arm": np.where(arm[who], "surgery", "control"),
            "er": np.where(who % 3, "pos", "neg"),
            "base": base[who],
            "chg": change[who, when],
        }
    )


def answers(n=400, seed=1):
    rng = np.random.default_rng(seed)
    codes = [item.code for item in C30.items]
    said = pd.DataFrame(rng.integers(1, 5, (n, len(codes))), columns=codes).astype("Int64")
    return said.mask(rng.random(said.shape) < 0.1)


def cut(frame, partitions=5):
    return dask_frame.from_pandas(frame, npartitions=partitions)


def fitted(data, **more):
    return mmrm.fit(FORMULA, data, subject="subject", visit="visit", **more)


def assert_same(theirs, ours):
    pd.testing.assert_frame_equal(theirs, ours, rtol=1e-10, atol=1e-10)


def assert_same_curves(theirs, ours):
    assert list(theirs.curves) == list(ours.curves)
    for group, curve in ours.curves.items():
        assert_same(theirs.curves[group], curve)


def assert_same_model(theirs, ours):
    assert theirs.loglik == pytest.approx(ours.loglik, abs=1e-10 * abs(ours.loglik))
    assert (theirs.subjects, theirs.rows, theirs.excluded) == (ours.subjects, ours.rows, ours.excluded)
    assert_same(theirs.coefficients, ours.coefficients)
    assert_same(theirs.covariance, ours.covariance)
    assert_same(theirs.ls_means("arm", by="visit"), ours.ls_means("arm", by="visit"))
    assert_same(theirs.contrasts("arm", by="visit"), ours.contrasts("arm", by="visit"))


@pytest.mark.parametrize("strata", [None, "er", ["er", "number"]])
def test_curves_and_their_comparison_are_those_of_all_patients_together(strata):
    frame = people()
    parts = cut(frame)

    def of(data):
        by = None if strata is None else data[strata]
        columns = data["time"], data["event"], data["arm"]
        return survival.kaplan_meier(*columns, strata=by), survival.logrank(*columns, strata=by, rho=0.5)

    (their_curves, their_test), (curves, test) = of(parts), of(frame)

    assert_same_curves(their_curves, curves)
    assert_same(their_test.to_frame(), test.to_frame())
    assert their_test.chi_square == pytest.approx(test.chi_square, rel=1e-10)
    assert (their_test.df, their_test.strata, their_test.account) == (test.df, test.strata, test.account)


def test_partitions_without_rows_change_nothing_and_nobody_at_all_is_told():
    frame = people().sort_values("time", ignore_index=True)
    parts = cut(frame)
    late = parts[parts["time"] > 100]  # rows of the last partition alone

    found = survival.kaplan_meier(late["time"], late["event"])

    assert_same_curves(found, survival.kaplan_meier(*(frame[frame["time"] > 100][name] for name in ("time", "event"))))
    with pytest.raises(CannotEstimate, match="no patients"):
        survival.kaplan_meier(parts[parts["time"] < 0]["time"], parts[parts["time"] < 0]["event"])


def test_a_time_that_nobody_could_mean_is_refused_with_its_partition():
    frame = people().assign(time=lambda d: d["time"].mask(d.index == 200, -1))
    parts = cut(frame)

    with pytest.raises(BadInput, match="partition 1: time is missing, infinite or negative in rows 20"):
        survival.kaplan_meier(parts["time"], parts["event"])


def test_columns_of_one_frame_and_of_another_are_refused_together():
    frame = people()

    for arm in (frame["arm"], cut(frame, 3)["arm"]):
        with pytest.raises(BadInput, match="columns of one Dask frame"):
            survival.logrank(cut(frame)["time"], cut(frame)["event"], arm)


def test_times_that_ignore_death_give_no_probability_in_partitions_either():
    time = people()["time"]
    time.attrs["probabilities"] = False
    parts = cut(time)

    with pytest.raises(survival.NoProbability):
        survival.kaplan_meier(parts, parts > 1)


@pytest.mark.parametrize("inference", ["kenward-roger-linear", "empirical-bias-reduced", "between-within"])
def test_a_model_is_that_of_all_rows_together(inference):
    """The last two look at rows, not at sums alone."""
    frame = repeated()

    assert_same_model(fitted(cut(frame), inference=inference), fitted(frame, inference=inference))


def test_a_model_with_one_mean_at_baseline_is_too():
    frame = repeated()
    given = {"subject": "subject", "visit": "visit", "equal_means": ("arm", "M3")}

    ours, theirs = (mmrm.fit("chg ~ arm * visit", data, **given) for data in (frame, cut(frame)))

    assert_same(theirs.contrasts("arm", by="visit"), ours.contrasts("arm", by="visit"))


def test_levels_are_those_that_some_row_has_in_any_partition():
    """A visit that one partition alone has; a category that nobody has; text that stands sorted."""
    frame = repeated().sort_values("visit").reset_index(drop=True)
    frame["visit"] = frame["visit"].cat.add_categories("M99").cat.reorder_categories(["M99", *VISITS])

    theirs = fitted(cut(frame, 8))

    assert theirs.covariance.index.tolist() == VISITS
    assert_same(theirs.coefficients, fitted(frame).coefficients)


def test_two_rows_of_a_subject_at_a_visit_are_found_wherever_they_lie():
    parts = cut(repeated())

    with pytest.raises(mmrm.DuplicateForms, match="subject and visit are the same in"):
        fitted(dask_frame.concat([parts, parts.partitions[0]]))


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("chg ~ base + center(base) + visit", "fitted to all rows"),
        ("chg ~ C(number) + visit", "makes levels of a number"),
        ("chg ~ ward + visit", "ward has categories that Dask does not know"),
    ],
)
def test_what_a_partition_cannot_know_of_the_others_is_refused(formula, said):
    frame = repeated().assign(number=lambda d: d["base"].round(-1), ward=lambda d: d["subject"].str[:4])

    with pytest.raises(BadInput, match=said):
        mmrm.fit(formula, cut(frame).astype({"ward": "category"}), subject="subject", visit="visit")


def test_nobody_with_all_variables_is_told():
    with pytest.raises(CannotEstimate, match="no row has the outcome"):
        fitted(cut(repeated().assign(chg=np.nan)))


@pytest.mark.parametrize("instrument", ["qlq-c30", "eq-5d-5l"])
def test_scores_are_those_of_all_forms_cut_as_the_answers_are(instrument):
    asked = questionnaires.load(instrument)
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({item.code: rng.choice(asked.options(item.code), 60) for item in asked.items})
    parts = cut(frame, 4)

    scores = questionnaires.score(parts, asked)

    assert scores.divisions == parts.divisions
    pd.testing.assert_frame_equal(scores.compute(), questionnaires.score(frame, asked), check_exact=True)


def test_invalid_answers_of_all_partitions_are_listed_when_asked_for():
    frame = answers()
    frame.loc[3, "q1"] = frame.loc[390, "q29"] = 9

    scores = questionnaires.score(cut(frame), C30, on_invalid="missing")

    whole = questionnaires.score(frame, C30, on_invalid="missing")
    assert scores.attrs["invalid"].compute() == whole.attrs["invalid"]
    assert scores.partitions[0].compute().attrs == {}  # one partition's list would pass for that of all
    pd.testing.assert_frame_equal(scores.compute(), whole, check_exact=True)


def test_answers_without_a_column_are_refused_at_once_and_invalid_ones_when_scored():
    frame = answers()
    frame.loc[390, "q29"] = 9

    with pytest.raises(questionnaires.scoring.WrongColumns):
        questionnaires.score(cut(frame[["q1"]]), C30)
    with pytest.raises(questionnaires.scoring.InvalidAnswers, match="row 390, q29"):
        questionnaires.score(cut(frame), C30).compute()


def test_dask_is_not_loaded_for_those_who_do_not_use_it():
    """Here when answers are scored; that no module of ours names it, import-linter holds."""
    program = (
        "import sys, pandas as pd, questionnaires\n"
        "c30 = questionnaires.load('qlq-c30')\n"
        "questionnaires.score(pd.DataFrame({item.code: [1] for item in c30.items}), c30)\n"
        "print('dask' in sys.modules)"
    )

    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert run.stdout == "False\n"


def mean_health(trial):
    return trial.living()["mean"].to_numpy()


def test_on_a_cluster_of_two_workers_everything_is_as_in_one_process():
    """Frames in partitions, and tasks that joblib hands to the cluster by one setting."""
    persons, forms, said = people(), repeated(), answers()
    trials = {"trials": 60, "seed": 3, "subjects": 30}
    trials |= {"visits": {"BL": 0, "M6": 6}, "start_on": date(2027, 1, 1), "accrual_months": 12}
    wide = forms.dropna(subset=["base"]).assign(alive=True)
    wide = wide[wide["subject"] < "S-030"]
    asked = {"outcome": "chg", "reference": "control", "strategies": ["copy reference"], "covariance": "cs"}
    alone = simulation.replicates(mean_health, **trials)
    imputed = imputation.estimate(wide, **asked)

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
        parts = cut(persons)
        columns = parts["time"], parts["event"], parts["arm"]
        their_curves = survival.kaplan_meier(*columns, strata=parts["er"])
        their_test = survival.logrank(*columns, strata=parts["er"])
        their_model = fitted(cut(forms))
        their_scores = questionnaires.score(cut(said), C30).compute()
        with parallel_config("dask"):
            their_trials = simulation.replicates(mean_health, **trials)
            their_imputed = imputation.estimate(wide, **asked)

    columns = persons["time"], persons["event"], persons["arm"]
    assert_same_curves(their_curves, survival.kaplan_meier(*columns, strata=persons["er"]))
    assert their_test.chi_square == pytest.approx(
        survival.logrank(*columns, strata=persons["er"]).chi_square, rel=1e-10
    )
    assert_same_model(their_model, fitted(forms))
    pd.testing.assert_frame_equal(their_scores, questionnaires.score(said, C30), check_exact=True)
    assert np.array(their_trials).tobytes() == np.array(alone).tobytes()
    pd.testing.assert_frame_equal(their_imputed.differences, imputed.differences)
