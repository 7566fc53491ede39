"""Means among the living, and what stands beside them."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.genmod.cov_struct import Independence
from statsmodels.genmod.generalized_estimating_equations import GEE

from analysis import while_alive
from analysis.results import BadInput, CannotEstimate
from analysis.survival import kaplan_meier
from analysis.while_alive import _expected, _weights

VISITS = {"M0": 0, "M6": 6, "M12": 12}


def trial(patients=200, seed=1, lost=0.0):
    """Correlated scores of two arms; time to death or month 40; a share of forms lost, the more the worse the score."""
    rng = np.random.default_rng(seed)
    arm = np.where(np.arange(patients) % 2, "surgery", "control")
    health = rng.normal(60, 15, patients)
    death = rng.exponential(np.where(arm == "surgery", 40, 25))
    subjects = pd.DataFrame({"subject": np.arange(patients), "arm": arm})
    subjects = subjects.assign(time=np.minimum(death, 40), died=death <= 40)
    rows = [
        (s, visit, health[s] + rng.normal(0, 8))
        for s in range(patients)
        for visit, month in VISITS.items()
        if month < death[s]
    ]
    forms = pd.DataFrame(rows, columns=["subject", "visit", "QL"])
    if lost:
        keep = rng.random(len(forms)) > lost * (forms["QL"] < 60) * (forms["visit"] != "M0")
        forms = forms[keep].reset_index(drop=True)
    return forms, subjects


def test_without_missing_forms_it_is_the_mean_of_the_living_with_the_error_of_one_sample():
    """Mancl and DeRouen's variance of a mean is s^2 / (n - 1)."""
    forms, subjects = trial()

    means = while_alive.estimate(forms, subjects, score="QL", visits=VISITS).means

    scored = forms.merge(subjects, on="subject")
    for (visit, arm), group in scored.groupby(["visit", "arm"])["QL"]:
        row = means.loc[(visit, arm)]
        assert row["estimate"] == pytest.approx(group.mean(), rel=1e-6)
        assert row["se"] == pytest.approx(group.std() / np.sqrt(len(group) - 1), rel=1e-6)
        assert (row["alive"], row["answered"]) == (len(group), len(group))


def test_means_and_errors_are_those_of_weighted_estimating_equations():
    """Witness: statsmodels' GEE, independence, bias-reduced errors, on rows that carry the root of their weight."""
    forms, subjects = trial(60, lost=0.4)
    expected, _ = _expected(forms, subjects, "QL", VISITS)
    answered = expected[expected["QL"].notna()].assign(weight=_weights(expected, "QL")[0])
    root = np.sqrt(answered["weight"].to_numpy(float))
    cell = answered["visit"].astype(str) + answered["arm"]
    model = GEE(
        answered["QL"].to_numpy(float) * root,
        pd.get_dummies(cell).to_numpy(float) * root[:, None],
        groups=answered["subject"].to_numpy(),
        cov_struct=Independence(),
    ).fit(cov_type="bias_reduced")

    means = while_alive.estimate(forms, subjects, score="QL", visits=VISITS).means

    means = means.set_axis([f"{visit}{arm}" for visit, arm in means.index]).sort_index()
    assert means["estimate"].tolist() == pytest.approx(list(model.params), rel=1e-10)
    assert means["se"].tolist() == pytest.approx(np.sqrt(np.diag(model.cov_params())).tolist(), rel=1e-10)


def test_the_difference_at_a_visit_is_nearly_that_of_welchs_t_test():
    forms, subjects = trial()
    at = forms[forms["visit"] == "M6"].merge(subjects, on="subject")
    welch = stats.ttest_ind(*(at.loc[at["arm"] == arm, "QL"] for arm in ("surgery", "control")), equal_var=False)

    apart = while_alive.estimate(forms, subjects, score="QL", visits=VISITS).differences

    row = apart.loc[("mean among the living", "M6", "surgery - control")]
    assert row["estimate"] / row["se"] == pytest.approx(welch.statistic, rel=0.02)
    assert row["p"] == pytest.approx(welch.pvalue, abs=0.01)


def test_weights_bring_back_those_whose_last_score_foretells_silence():
    """Of the worse half two thirds fall silent; the mean of the rest is points too high, the weighted one is not."""
    whole, subjects = trial(4000)
    forms, _ = trial(4000, lost=0.66)
    truth = whole.merge(subjects, on="subject").groupby(["visit", "arm"])["QL"].mean()
    observed = forms.merge(subjects, on="subject").groupby(["visit", "arm"])["QL"].mean()

    found = while_alive.estimate(forms, subjects, score="QL", visits=VISITS)

    for key in (("M6", "control"), ("M12", "surgery")):
        assert observed[key] - truth[key] > 3
        assert abs(found.means.loc[key, "estimate"] - truth[key]) < 0.45 * (observed[key] - truth[key])
    assert found.largest_weight <= 10


def test_the_chance_to_be_alive_is_kaplan_meiers():
    forms, subjects = trial()

    found = while_alive.estimate(forms, subjects, score="QL", visits=VISITS)

    curve = kaplan_meier(subjects["time"], subjects["died"], subjects["arm"]).survival_at(12)
    alive = found.alive.xs("M12", level="visit")
    assert alive["estimate"].tolist() == curve["survival"].tolist()
    assert alive["se"].tolist() == curve["se"].tolist()


def test_alive_and_well_is_the_share_of_all_where_nobody_is_censored():
    forms, subjects = trial()

    found = while_alive.estimate(forms, subjects, score="QL", visits=VISITS, threshold=60)

    well = forms[(forms["visit"] == "M12") & (forms["QL"] >= 60)].merge(subjects, on="subject")
    share = well.groupby("arm").size() / subjects.groupby("arm").size()
    rows = found.alive_and_well.xs("M12", level="visit")
    assert rows["estimate"].tolist() == pytest.approx(share.tolist())
    assert rows["se"].tolist() == pytest.approx(np.sqrt(share * (1 - share) / 100).tolist(), rel=0.03)


@pytest.mark.parametrize(("higher", "worst"), [(True, 0), (False, 100)])
def test_in_the_composite_the_dead_have_the_worst_value(higher, worst):
    forms, subjects = trial()

    found = while_alive.estimate(forms, subjects, score="QL", visits=VISITS, higher_is_better=higher)

    at = subjects.merge(forms[forms["visit"] == "M12"], on="subject", how="left").fillna({"QL": worst})
    wanted = at.groupby("arm")["QL"].mean()
    assert found.composite.xs("M12", level="visit")["estimate"].tolist() == pytest.approx(wanted.tolist())


def test_it_says_that_it_is_conditional_on_survival_and_counts_forms_after_death():
    forms, subjects = trial()
    dead = subjects.index[subjects["time"] < 6][0]
    late = pd.concat([forms, pd.DataFrame({"subject": [dead], "visit": ["M12"], "QL": [50.0]})], ignore_index=True)

    said = str(while_alive.estimate(late, subjects, score="QL", visits=VISITS))

    assert "conditional on survival" in said
    assert "1 (after death or the end of follow-up)" in said


def test_the_order_of_rows_does_not_matter():
    forms, subjects = trial(lost=0.4)

    one = while_alive.estimate(forms, subjects, score="QL", visits=VISITS).means
    other = while_alive.estimate(
        forms.sample(frac=1, random_state=1), subjects.sample(frac=1, random_state=2), score="QL", visits=VISITS
    ).means

    pd.testing.assert_frame_equal(one, other)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda f, s: (pd.concat([f, f.head(1)]), s), BadInput, "a subject twice at one visit"),
        (lambda f, s: (f, pd.concat([s, s.head(1)])), BadInput, "subjects has a subject twice"),
        (lambda f, s: (f.assign(subject=-1 - f["subject"]), s), BadInput, "no such subject"),
        (lambda f, s: (f, s.drop(columns="arm")), BadInput, "subjects has no column arm"),
        (lambda f, s: (f[f["visit"] != "M12"], s), CannotEstimate, "0 forms of living patients at visit M12"),
    ],
)
def test_what_cannot_be_is_refused_by_name(change, error, said):
    with pytest.raises(error, match=said):
        while_alive.estimate(*change(*trial(60)), score="QL", visits=VISITS)
