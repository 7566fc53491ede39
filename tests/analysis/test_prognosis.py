"""Quality of life as it bears on survival: at baseline, at a landmark, as it changes."""

import numpy as np
import pandas as pd
import pytest

from analysis import prognosis, survival
from analysis.results import BadInput, CannotEstimate


@pytest.fixture
def data():
    """Scores at months 0, 6 and 12; some patients without a score."""
    rng = np.random.default_rng(3)
    subjects = pd.DataFrame({"subject": np.arange(150), "er": rng.choice(["neg", "pos"], 150)})
    health = rng.normal(60, 20, 150)
    time = rng.exponential(30 * np.exp((health - 60) / 60))
    subjects = subjects.assign(time=np.minimum(time, 40), died=time <= 40)
    rows = [(s, m, h + rng.normal(0, 8)) for s, h in enumerate(health) for m in (0, 6, 12) if m < time[s] and s % 10]
    return pd.DataFrame(rows, columns=["subject", "month", "QL"]), subjects


def test_at_baseline_it_is_the_cox_model_of_the_first_score(data):
    forms, subjects = data
    scored = subjects.merge(forms[forms["month"] == 0], on="subject")
    covariates = pd.DataFrame({"QL": scored["QL"] / 10, "er_pos": scored["er"] == "pos"})

    found = prognosis.at_baseline(forms, subjects, score="QL", adjust=["er"])

    by_hand = survival.cox(scored["time"], scored["died"], covariates).terms
    pd.testing.assert_frame_equal(found.to_frame(), by_hand)
    assert found.excluded == {"no longer followed": 0, "no score": 15}
    assert "per 10 points more" in str(found)


def test_at_a_landmark_only_those_still_followed_count_by_their_last_score(data):
    forms, subjects = data
    alive = subjects[subjects["time"] > 6]
    last = forms[forms["month"] <= 6].groupby("subject")["QL"].last()
    scored = alive[alive["subject"].isin(last.index)]
    covariate = (scored["subject"].map(last) / 10).to_frame("QL")

    found = prognosis.at_landmark(forms, subjects, score="QL", month=6)

    by_hand = survival.cox(scored["time"] - 6, scored["died"], covariate).terms
    pd.testing.assert_frame_equal(found.to_frame(), by_hand)
    assert found.excluded["no longer followed"] == (subjects["time"] <= 6).sum()


def test_as_it_changes_every_stretch_has_the_score_before_it(data):
    forms, subjects = data
    rows = forms.merge(subjects, on="subject").sort_values(["subject", "month"])
    rows["stop"] = rows.groupby("subject")["month"].shift(-1).fillna(rows["time"])
    died = rows["died"] & (rows["stop"] == rows["time"])
    by_hand = survival.cox(rows["stop"], died, rows[["QL"]] / 10, start=rows["month"], cluster=rows["subject"]).terms

    found = prognosis.as_it_changes(forms, subjects, score="QL")

    pd.testing.assert_frame_equal(found.to_frame(), by_hand)
    assert found.to_frame().loc["QL", "hr"] < 1


def test_what_cannot_be_is_refused_by_name(data):
    forms, subjects = data

    with pytest.raises(BadInput, match="landmark is month 0"):
        prognosis.at_landmark(forms, subjects, score="QL", month=0)
    with pytest.raises(BadInput, match="forms has no column PF"):
        prognosis.at_baseline(forms, subjects, score="PF")
    with pytest.raises(BadInput, match="a subject twice"):
        prognosis.at_baseline(forms, pd.concat([subjects, subjects.head(1)]), score="QL")
    with pytest.raises(CannotEstimate, match="nobody has QL"):
        prognosis.at_baseline(forms.assign(QL=np.nan), subjects, score="QL")
