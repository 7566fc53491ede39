"""R's figures: JM 1.5-2 under R 4.2.2, in aids_joint.json and pbc2_joint.json, within the 2 % stated there.

On pbc2 R's nodes stay where the scores alone put them, and R stops a little below the top: its arm effects there, which
are near 0, are compared in standard errors, and the likelihood of ours must be higher than that of R's own estimates.
"""

import numpy as np
import pandas as pd
import pytest

from analysis import joint
from analysis.joint.likelihood import Likelihood
from analysis.joint.reading import read

BASELINES = {"piecewise": "piecewise-PH-aGH", "weibull": "weibull-PH-aGH"}
LOGLIK = 0.05


def values(block, column="Value"):
    return np.array(block[column], dtype=float)


@pytest.mark.parametrize("baseline", BASELINES)
def test_the_joint_model_of_aids_agrees_with_r(baseline, figures, patients):
    theirs = figures("aids_joint")[BASELINES[baseline]]
    forms, subjects = patients("aids"), patients("aids_id")
    keys = {"subject": "patient", "month": "obstime", "time": "Time", "event": "death"}

    ours = joint.fit("CD4 ~ obstime + obstime:drug", forms, subjects, **keys, hazard="drug", baseline=baseline)

    assert ours.loglik == pytest.approx(theirs["loglik"], abs=LOGLIK)
    assert ours.aic == pytest.approx(theirs["aic"], abs=2 * LOGLIK)
    assert ours.longitudinal["estimate"].to_numpy() == pytest.approx(values(theirs["longitudinal"]), rel=0.02)
    assert ours.longitudinal["se"].to_numpy() == pytest.approx(values(theirs["longitudinal"], "Std.Err"), rel=0.02)
    if baseline == "piecewise":
        event = pd.concat([ours.hazard["coef"], ours.baseline_hazard["estimate"]])
        se = pd.concat([ours.hazard["se"], ours.baseline_hazard["se"]])
    else:
        parts = ours.baseline_hazard.loc[["intercept"]], ours.hazard, ours.baseline_hazard.loc[["log shape"]]
        event = pd.concat([parts[0]["estimate"], parts[1]["coef"], parts[2]["estimate"]])
        se = pd.concat([part["se"] for part in parts])
    assert event.to_numpy() == pytest.approx(values(theirs["event"]), rel=0.02)
    assert se.to_numpy() == pytest.approx(values(theirs["event"], "Std.Err"), rel=0.02)
    assert ours.sigma == pytest.approx(theirs["sigma"], rel=0.02)
    assert np.sqrt(np.diag(ours.random_effects)) == pytest.approx(np.sqrt(np.diag(theirs["D"])), rel=0.02)


@pytest.mark.parametrize("baseline", BASELINES)
def test_the_joint_model_of_cirrhosis_agrees_with_r(baseline, figures, patients):
    theirs = figures("pbc2_joint")[BASELINES[baseline]]
    forms, subjects = patients("pbc2"), patients("pbc2_id")
    forms["log_bili"] = np.log(forms["serBilir"])
    subjects["drug"] = pd.Categorical(subjects["drug"], ["placebo", "D-penicil"])
    keys = {"subject": "id", "month": "year", "time": "years", "event": "death"}

    ours = joint.fit("log_bili ~ year * drug", forms, subjects, **keys, hazard="drug", baseline=baseline)

    event = dict(zip(theirs["event"]["term"], values(theirs["event"]), strict=True))
    assert ours.hazard.loc["association", "coef"] == pytest.approx(event["Assoct"], rel=0.02)
    se = dict(zip(theirs["event"]["term"], values(theirs["event"], "Std.Err"), strict=True))
    assert ours.hazard["se"].to_numpy() == pytest.approx([se["drugD-penicil"], se["Assoct"]], rel=0.02)
    apart = ours.hazard["coef"].iloc[0] - event["drugD-penicil"]
    assert abs(apart) < 0.05 * se["drugD-penicil"]
    scores = values(theirs["longitudinal"])[[0, 1, 2, 3]]
    assert (np.abs(ours.longitudinal["estimate"] - scores) < 0.05 * ours.longitudinal["se"]).all()
    assert ours.longitudinal["se"].to_numpy() == pytest.approx(values(theirs["longitudinal"], "Std.Err"), rel=0.02)
    assert ours.sigma == pytest.approx(theirs["sigma"], rel=0.02)

    data = read("log_bili ~ year * drug", forms, subjects, "id", "year", "years", "death", "drug").data
    assert ours.loglik >= _loglik_of(theirs, Likelihood(data, baseline))
    assert ours.loglik == pytest.approx(theirs["loglik"], abs=0.1)


def _loglik_of(theirs, likelihood):
    """Our likelihood at R's estimates; R counts its baseline hazard at a score of 0, ours at the mean score."""
    event = dict(zip(theirs["event"]["term"], values(theirs["event"]), strict=True))
    root = np.linalg.cholesky(theirs["D"])
    effects = [np.log(theirs["sigma"]), np.log(root[0, 0]), root[1, 0], np.log(root[1, 1])]
    lift = event["Assoct"] * likelihood.middle
    if likelihood.baseline == "weibull":
        hazard = [event["(Intercept)"] + lift, event["log(shape)"]]
    else:
        hazard = [event[f"log(xi.{piece})"] + lift for piece in range(1, 8)]
    fixed = [event["drugD-penicil"], event["Assoct"]]
    theta = np.concatenate([values(theirs["longitudinal"]), effects, fixed, hazard])
    centre = likelihood.centred(theta, np.zeros((len(likelihood.data.time), 2)))
    return likelihood.scores(theta, centre)[0].sum()
