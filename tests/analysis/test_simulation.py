"""The invented trial: the same for the same seed, and near the published figures it rests on."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

import questionnaires
from analysis import simulation, survival

VISITS = {"BL": 0, **{f"M{month:g}": month for month in (1.5, 3, 6, 9, 12, 18, 24, 30, 36, 48, 60)}}
REFERENCE = {  # mean, SD: advanced breast cancer, s12885-020-07294-2, table 2
    "QL": (60.2, 25.5),
    "PF": (81.6, 18.7),
    "RF": (67.4, 31.1),
    "EF": (65.9, 24.6),
    "CF": (80.5, 23.2),
    "SF": (74.2, 28.4),
    "FA": (36.3, 27.0),
    "NV": (10.3, 19.7),
    "PA": (30.9, 29.6),
    "DY": (20.4, 28.2),
    "SL": (33.1, 32.6),
    "AP": (21.7, 31.0),
    "CO": (19.2, 28.8),
    "DI": (5.8, 15.2),
    "FI": (18.6, 28.6),
}


def simulate(seed=1, subjects=200, **given):
    given = {"visits": VISITS, "start_on": date(2024, 1, 1), "accrual_months": 36, **given}
    return simulation.simulate(seed=seed, subjects=subjects, **given)


@pytest.fixture(scope="module")
def large():
    return simulate(seed=7, subjects=20_000)


def months(patients, column):
    """Months from randomisation; NaN = never."""
    return (pd.to_datetime(patients[column]) - pd.to_datetime(patients["randomised_on"])).dt.days / 30.4375


def test_the_same_seed_gives_the_same_trial_and_another_seed_another():
    one, again, other = simulate(seed=1), simulate(seed=1), simulate(seed=2)

    for frame in ("patients", "forms", "answers", "truth"):
        pd.testing.assert_frame_equal(getattr(one, frame), getattr(again, frame))
    assert not one.patients.equals(other.patients)


def test_days_are_in_the_order_of_life():
    patients = simulate(subjects=2000).patients

    assert (patients["consented_on"] < patients["randomised_on"]).all()
    assert patients["consented_on"].is_monotonic_increasing
    dead = pd.to_datetime(patients["died_on"])
    for column in ("surgery_on", "progression_on", "withdrawn_on"):
        assert not (pd.to_datetime(patients[column]) > dead).any()
    assert patients.loc[patients["arm"] == "control", "surgery_on"].isna().all()


def test_arms_are_balanced_within_site_and_receptor():
    """Permuted blocks of at most six: within a stratum the arms never differ by more than three."""
    patients = simulate(subjects=2000).patients

    counts = patients.groupby(["site", "er"])["arm"].value_counts().unstack()

    assert (counts["surgery"] - counts["control"]).abs().max() <= 3


def test_nobody_answers_after_death_or_withdrawal():
    trial = simulate(subjects=2000)
    said = trial.forms[trial.forms["will_answer"]].merge(trial.patients, on="subject")
    day = said["month"] * 30.4375 + said["delay_minutes"] / 1440

    for column in ("died_on", "withdrawn_on"):
        assert not (day > months(said, column) * 30.4375).any()


def test_answers_are_options_of_the_instrument_and_only_of_forms_that_are_answered():
    trial = simulate()
    c30 = questionnaires.load("qlq-c30")

    questionnaires.score(trial.answers, c30)  # raises on an option that does not exist

    answered = trial.forms[trial.forms["will_answer"]]
    assert trial.answers.index.tolist() == list(zip(answered["subject"], answered["visit"], strict=True))


def test_a_form_and_what_is_said_can_be_asked_for_by_patient_and_visit():
    trial = simulate()
    subject, visit = trial.answers.index[0]

    said = trial.said(subject, visit)

    assert list(said) == [f"q{number}" for number in range(1, 31)]
    assert trial.form(subject, visit).will_answer
    assert trial.form(subject, "M99") is None
    assert trial.patient(subject)["subject"] == subject


def test_the_true_score_is_the_score_of_the_complete_form():
    trial = simulate()
    complete = trial.answers[trial.answers[["q29", "q30"]].notna().all(axis=1)]

    scored = questionnaires.score(complete, questionnaires.load("qlq-c30"))["QL"]

    np.testing.assert_allclose(scored, trial.truth.loc[complete.index, "QL"], atol=1e-9)


@pytest.mark.parametrize(("scale", "mean", "sd"), [(scale, *figures) for scale, figures in REFERENCE.items()])
def test_baseline_scores_have_the_published_mean_and_sd(large, scale, mean, sd):
    """Within 2 % of an SD plus four Monte Carlo errors; who answers at baseline is a little better off than all."""
    scores = questionnaires.score(large.answers.xs("BL", level="visit"), questionnaires.load("qlq-c30"))[scale]

    error = sd / np.sqrt(len(scores))
    assert scores.mean() == pytest.approx(mean, abs=0.02 * sd + 4 * error)
    assert scores.std() == pytest.approx(sd, rel=0.03)


@pytest.mark.parametrize(
    ("arm", "pfs", "os", "alive_at_36"),
    [("control", 11.6, 35.9, 0.50), ("surgery", 18.9, 47.2, 0.61)],  # the same model over 200,000 patients
)
def test_survival_by_arm_is_that_of_the_model(large, arm, pfs, os, alive_at_36):
    patients = large.patients[large.patients["arm"] == arm]
    death = months(patients, "died_on").fillna(np.inf)
    progression = months(patients, "progression_on").fillna(np.inf)

    assert np.minimum(death, progression).median() == pytest.approx(pfs, rel=0.06)
    assert death.median() == pytest.approx(os, rel=0.06)
    assert (death > 36).mean() == pytest.approx(alive_at_36, abs=4 * np.sqrt(0.25 / len(patients)))


def test_the_hazard_ratio_of_surgery_is_073_and_1_under_the_null(large):
    """Followed for 24 to 96 months, as where the model's 0.73 was found."""
    followed = np.random.default_rng(1).uniform(24, 96, 20_000)
    for trial, ratio in ((large, 0.73), (simulate(seed=8, subjects=20_000, scenario="null"), 1.0)):
        death = months(trial.patients, "died_on").fillna(np.inf).to_numpy()
        surgery = (trial.patients["arm"] == "surgery").astype(float).to_frame("surgery")
        model = survival.cox(np.minimum(death, followed), death <= followed, surgery)
        error = model.terms.loc["surgery", "se"]
        assert model.terms.loc["surgery", "coef"] == pytest.approx(np.log(ratio), abs=4 * error)


@pytest.mark.parametrize(("month", "share"), [(0, 0.93), (6, 0.85), (12, 0.78), (24, 0.67), (36, 0.57)])
def test_completion_among_the_living_falls_as_in_the_model(large, month, share):
    """Of those alive and not withdrawn; withdrawal is not part of the published completion."""
    forms = large.forms.merge(large.truth.reset_index(), on=["subject", "visit"])
    withdrawn = months(large.patients, "withdrawn_on").fillna(np.inf)
    forms["withdrawn"] = forms["subject"].map(pd.Series(withdrawn.to_numpy(), index=large.patients["subject"]))
    at = forms[(forms["month"] == month) & forms["alive"] & (forms["withdrawn"] > month)]

    assert at["will_answer"].mean() == pytest.approx(share, abs=0.02)


def test_who_answers_is_better_off_than_who_lives_and_the_more_so_the_later(large):
    forms = large.forms.merge(large.truth.reset_index(), on=["subject", "visit"])
    living = forms[forms["alive"]]
    excess = living[living["will_answer"]].groupby("month")["QL"].mean() - living.groupby("month")["QL"].mean()

    assert 0 < excess[0] < 1.2
    assert excess[12] == pytest.approx(2.3, abs=1)
    assert excess[60] > excess[36] > excess[12]


def test_most_answers_come_soon(large):
    delay = large.forms["delay_minutes"]

    assert (delay <= 45).mean() == pytest.approx(0.45, abs=0.02)
    assert (delay <= 24 * 60).mean() == pytest.approx(0.88, abs=0.02)
    assert (delay <= 72 * 60).mean() == pytest.approx(0.98, abs=0.02)


def cumulative_hazard_ratio(trial, before):
    """Hazard ratio of progression or death with surgery, up to a month."""
    ended = np.minimum(months(trial.patients, "died_on").fillna(np.inf), 600)
    ended = np.minimum(months(trial.patients, "progression_on").fillna(np.inf), ended)
    surgery = (trial.patients["arm"] == "surgery").astype(float).to_frame("surgery")
    return survival.cox(np.minimum(ended, before), ended <= before, surgery).terms.loc["surgery", "hr"]


def test_where_hazards_are_not_proportional_surgery_harms_first_and_helps_later():
    trial = simulate(seed=9, subjects=10_000, scenario="non-proportional")

    assert cumulative_hazard_ratio(trial, 3) > 1.25
    assert cumulative_hazard_ratio(trial, 120) < 0.85


def test_with_heavy_missingness_hardly_anybody_answers_at_the_end():
    trial = simulate(seed=9, scenario="heavy missingness")

    answered = trial.forms[trial.forms["will_answer"]]["visit"].value_counts()

    assert answered.get("M60", 0) < 5
    assert answered["BL"] > 100


def test_with_a_shared_parameter_death_follows_from_the_true_score():
    """Hazard ratio of the baseline score per 10 points: both ways together, the present one wearing off with time."""
    trial = simulate(seed=9, subjects=10_000, scenario="shared parameter")
    death = np.minimum(months(trial.patients, "died_on").fillna(np.inf), 120)
    baseline = trial.truth.xs("BL", level="visit")["QL"].reindex(trial.patients["subject"]).to_numpy() / 10

    model = survival.cox(death, death < 120, pd.DataFrame({"QL": baseline}))

    assert 0.72 < model.terms.loc["QL", "hr"] < 0.95
    assert 20 < np.median(death) < 50


def test_the_mean_among_the_living_is_told_apart_from_the_observed_one(large):
    living = large.living()

    assert living.loc[("control", "BL"), "size"] == (large.patients["arm"] == "control").sum()
    truth = large.truth.xs("M12", level="visit")
    control = large.patients.set_index("subject")["arm"].reindex(truth.index) == "control"
    assert living.loc[("control", "M12"), "mean"] == pytest.approx(truth[control & truth["alive"]]["QL"].mean())
