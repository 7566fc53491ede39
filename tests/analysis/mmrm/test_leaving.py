"""A model without one of its patients is the model of the others' rows."""

import numpy as np
import pandas as pd
import pytest

from analysis import mmrm
from analysis.results import CannotEstimate
from tests.analysis.mmrm.test_model import VISITS, fitted, trial


def left_and_refitted(data, who):
    """Coefficients and covariance without a patient: from the model of all, and from a model of the others."""
    model, m = fitted(data), len(VISITS)
    own = data[data["subject"] == who]
    rows = own.drop_duplicates("subject").drop(columns=["visit", "chg"]).merge(pd.DataFrame({"visit": VISITS}), "cross")
    rows["visit"] = pd.Categorical(rows["visit"], VISITS)
    y = own.set_index("visit")["chg"].reindex(VISITS).to_numpy(float)
    coefficients, sigma = model.leaving().without(model.matrix(rows), y)
    assert sigma.shape == (m, m)
    return coefficients, sigma, fitted(data[data["subject"] != who])


def test_with_complete_data_it_is_the_same_to_the_last_digits():
    coefficients, sigma, others = left_and_refitted(trial(40, missing=0), "P7")

    assert coefficients == pytest.approx(others.coefficients["estimate"].to_numpy(), rel=1e-6)
    assert sigma == pytest.approx(others.covariance.to_numpy(), rel=1e-6)


def test_with_forms_missing_it_is_the_same_but_for_where_the_first_search_stops():
    """Fitting stops where R does, at most 1e-5 of the log likelihood below the top: a hundredth of an error."""
    data = trial(60, missing=0.3)
    for who in ("P3", "P11"):
        coefficients, sigma, others = left_and_refitted(data, who)

        apart = (coefficients - others.coefficients["estimate"]) / others.coefficients["se"]
        assert np.abs(apart).max() < 0.01
        assert sigma == pytest.approx(others.covariance.to_numpy(), rel=0.02)


def test_a_patient_without_any_outcome_changes_nothing():
    model = fitted(trial(40))

    coefficients, sigma = model.leaving().without(np.zeros((4, len(model.coefficients))), np.full(4, np.nan))

    assert coefficients == pytest.approx(model.coefficients["estimate"].to_numpy(), rel=1e-12)
    assert sigma == pytest.approx(model.covariance.to_numpy(), rel=1e-12)


def test_the_only_patient_of_an_arm_cannot_be_left_out():
    data = trial(30, missing=0)
    one = data[data["arm"] == "B"]["subject"].iloc[0]
    data = data[(data["arm"] == "A") | (data["subject"] == one)]
    model = mmrm.fit("chg ~ base + arm * visit", data, subject="subject", visit="visit", covariance="cs")
    rows = data[data["subject"] == one].sort_values("visit")

    with pytest.raises(CannotEstimate):
        model.leaving().without(model.matrix(rows), rows["chg"].to_numpy(float))
