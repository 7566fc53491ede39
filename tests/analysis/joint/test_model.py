"""What a joint model keeps, and what it refuses."""

import numpy as np
import pandas as pd
import pytest

from analysis import joint
from analysis.joint.likelihood import Likelihood
from analysis.joint.reading import read
from analysis.results import BadInput, CannotEstimate

KEYS = {"subject": "subject", "month": "month", "time": "time", "event": "died"}
FORMULA = "QL ~ month * arm"
ASSOCIATION = -0.03


def trial(patients=300, seed=1, association=ASSOCIATION):
    """Linear courses of a score, forms every half year while alive, hazard by the present score without error."""
    rng = np.random.default_rng(seed)
    surgery = np.arange(patients) % 2
    b = rng.standard_normal((patients, 2)) * [15, 0.4]
    level, slope = 60 + b[:, 0], -0.2 + 0.3 * surgery + b[:, 1]
    grid = np.arange(0, 60, 0.1)
    hazard = 0.02 * np.exp(association * (level[:, None] + slope[:, None] * grid - 60))
    cumulative = np.cumsum(hazard, axis=1) * 0.1
    place = (cumulative < rng.exponential(size=(patients, 1))).sum(axis=1)
    death, left = np.append(grid, np.inf)[place] + 0.05, rng.uniform(24, 60, patients)
    time = np.minimum(death, left)
    subjects = pd.DataFrame({"subject": np.arange(patients), "arm": np.where(surgery, "surgery", "control")})
    subjects = subjects.assign(time=time, died=death <= left)
    who, month = (each.ravel() for each in np.meshgrid(np.arange(patients), np.arange(0, 60, 6.0), indexing="ij"))
    seen = month < time[who]
    who, month = who[seen], month[seen]
    score = level[who] + slope[who] * month + 8 * rng.standard_normal(len(who))
    return pd.DataFrame({"subject": who, "month": month, "QL": score}), subjects


@pytest.fixture(scope="module")
def fitted():
    return joint.fit(FORMULA, *trial(), **KEYS, hazard="arm", baseline="weibull")


@pytest.mark.parametrize("baseline", ["piecewise", "weibull"])
def test_the_score_of_the_likelihood_is_that_of_small_steps(baseline):
    likelihood = Likelihood(read(FORMULA, *trial(30), *KEYS.values(), "arm").data, baseline)
    rng, hazard = np.random.default_rng(2), {"piecewise": np.full(7, -4.0), "weibull": np.array([-4.0, 0.2])}[baseline]
    theta = np.concatenate([[60, -0.2, 1, 0.3], [2.0, 2.5, 0.1, -1.0], [0.2, -0.02], hazard])
    centre = likelihood.centred(theta, np.zeros((30, 2)))
    slope = likelihood.scores(theta, centre)[1].sum(axis=0)

    for k in rng.permutation(len(theta)):
        step = np.zeros(len(theta))
        step[k] = 1e-5
        ahead, behind = (likelihood.scores(theta + s, centre)[0].sum() for s in (step, -step))
        assert (ahead - behind) / 2e-5 == pytest.approx(slope[k], rel=1e-5, abs=1e-4)


def test_what_made_the_data_is_found_again(fitted):
    hazard, score = fitted.hazard, fitted.longitudinal

    assert abs(hazard.loc["association", "coef"] - ASSOCIATION) < 3 * hazard.loc["association", "se"]
    assert abs(hazard.loc["arm[T.surgery]", "coef"]) < 3 * hazard.loc["arm[T.surgery]", "se"]
    for term, truth in (("Intercept", 60), ("month", -0.2), ("month:arm[T.surgery]", 0.3)):
        assert abs(score.loc[term, "estimate"] - truth) < 3 * score.loc[term, "se"]
    assert fitted.sigma == pytest.approx(8, rel=0.05)


def test_means_and_differences_are_those_of_the_terms(fitted):
    means, apart = fitted.means("arm", at=[0, 12]), fitted.differences("arm", at=[12])

    term = fitted.longitudinal["estimate"]
    assert means.loc[(0, "control"), "estimate"] == pytest.approx(term["Intercept"])
    assert apart["estimate"].iloc[0] == pytest.approx(term["arm[T.surgery]"] + 12 * term["month:arm[T.surgery]"])
    assert (means["lower"] < means["estimate"]).all()
    with pytest.raises(BadInput, match="site is no factor"):
        fitted.means("site", at=[0])


def test_it_prints_with_its_counts_and_is_a_table(fitted):
    said = str(fitted)

    assert "300 subjects" in said
    assert "weibull baseline hazard" in said
    assert ("log hazard", "association") in fitted.to_frame().index


def test_the_unit_and_the_order_of_the_score_change_nothing_else(fitted):
    forms, subjects = trial()
    tenth = forms.assign(QL=forms["QL"] / 10).sample(frac=1, random_state=1)

    other = joint.fit(FORMULA, tenth, subjects.sample(frac=1, random_state=2), **KEYS, hazard="arm", baseline="weibull")

    assert other.hazard["coef"].to_numpy() == pytest.approx(fitted.hazard["coef"].to_numpy() * [1, 10], rel=2e-3)
    assert other.hazard["se"].to_numpy() == pytest.approx(fitted.hazard["se"].to_numpy() * [1, 10], rel=2e-3)


def test_patients_without_a_form_or_a_covariate_are_counted():
    forms, subjects = trial(60)
    forms = forms[forms["subject"] != 3]
    subjects.loc[5, "arm"] = None

    model = joint.fit(FORMULA, forms, subjects, **KEYS, hazard="arm", baseline="weibull")

    assert model.subjects == 59
    assert model.excluded["no covariate"] == 1


def broken(change):
    forms, subjects = trial(40)
    return change(forms, subjects)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda f, s: (f.assign(month=f["month"] + 100), s), joint.FormAfterTheEnd, "a form comes after time"),
        (lambda f, s: (f, s.assign(time=-s["time"])), BadInput, "time is missing, infinite or not above 0"),
        (lambda f, s: (f, s.assign(died=2)), BadInput, "died is neither true nor false"),
        (lambda f, s: (f, s.assign(died=False)), CannotEstimate, "nobody has the event died"),
        (lambda f, s: (f, s.drop(columns="arm")), BadInput, "subjects has no column arm"),
        (lambda f, s: (pd.concat([f, f.head(1)]), s), BadInput, "two scores at one time"),
        (lambda f, s: (f, pd.concat([s, s.head(1)])), BadInput, "twice"),
        (lambda f, s: (f.assign(QL=np.nan), s), CannotEstimate, "has a form with a score"),
    ],
)
def test_what_cannot_be_is_refused_by_name(change, error, said):
    with pytest.raises(error, match=said):
        joint.fit(FORMULA, *broken(change), **KEYS, hazard="arm", baseline="weibull")


@pytest.mark.parametrize(
    ("formula", "more", "said"),
    [
        ("QL", {}, "is no such formula"),
        ("log(QL) ~ month", {}, "left side of the formula is not one column"),
        (FORMULA, {"baseline": "flat"}, "no baseline hazard flat"),
        (FORMULA, {"hazard": "died ~ arm"}, "is no such formula"),
    ],
)
def test_what_is_asked_wrongly_is_refused(formula, more, said):
    with pytest.raises(BadInput, match=said):
        joint.fit(formula, *trial(40), **KEYS, **{"hazard": "arm", **more})


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("baseline", ["piecewise", "weibull"])
@pytest.mark.parametrize("seed", range(3))
def test_a_dozen_patients_give_numbers_or_a_reason(baseline, seed):
    try:
        model = joint.fit(FORMULA, *trial(12, seed), **KEYS, hazard="arm", baseline=baseline)
    except CannotEstimate:
        return  # a typed reason is an answer, too
    assert np.isfinite(model.to_frame()).all(axis=None)
