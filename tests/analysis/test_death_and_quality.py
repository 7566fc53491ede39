"""Which estimator is nearest to which truth, when death follows from the score and both take answers away?

Five trials of 3,000 patients of the scenario shared parameter, visits from month 12 on; errors as root mean squares.
"""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from analysis import joint, mmrm, simulation, while_alive

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

VISITS = {f"M{month}": month for month in (0, 3, 6, 9, 12, 18, 24, 30, 36)}
LATE = {visit: month for visit, month in VISITS.items() if month >= 12}
FOLLOWED = 60.0


def observed(seed):
    """The trial, its patients with time and death, and the scores of the forms that were answered."""
    trial = simulation.simulate(
        seed=seed,
        subjects=3000,
        visits=VISITS,
        start_on=date(2024, 1, 1),
        accrual_months=12,
        scenario="shared parameter",
    )
    randomised, died = (pd.to_datetime(trial.patients[column]) for column in ("randomised_on", "died_on"))
    death = ((died - randomised).dt.days / 30.4375).fillna(np.inf)
    subjects = trial.patients[["subject", "arm"]].assign(time=np.minimum(death, FOLLOWED), died=death <= FOLLOWED)
    forms = trial.truth["QL"].reindex(trial.answers.index).reset_index()
    forms["month"] = forms["visit"].map(VISITS).astype(float)
    forms = forms.merge(subjects, on="subject")
    return trial, subjects, forms[forms["month"] < forms["time"]]


def by_cell(table):
    """Visit and arm in one order."""
    return np.array([table[visit, arm] for visit in LATE for arm in ("control", "surgery")])


def test_the_joint_model_is_nearest_to_the_latent_trajectory_and_while_alive_to_the_mean_of_the_living():
    errors = {key: [] for key in ("joint latent", "mmrm latent", "joint living", "mmrm living", "alive living")}

    for seed in range(1, 6):
        trial, subjects, forms = observed(seed)
        latent, living = (truth["mean"].swaplevel() for truth in (trial.latent(), trial.living()))
        keys = {"subject": "subject", "month": "month", "time": "time", "event": "died", "hazard": "arm"}
        scores = forms[["subject", "visit", "month", "QL"]]
        course = joint.fit("QL ~ (np.minimum(month, 3) + month) * arm", scores, subjects, **keys)
        joined = course.means("arm", at=LATE.values())["estimate"]
        joined.index = joined.index.map(lambda key: (f"M{key[0]:g}", key[1]))
        ordered = forms.assign(visit=pd.Categorical(forms["visit"], list(VISITS)))
        model = mmrm.fit("QL ~ arm * visit", ordered, subject="subject", visit="visit", inference="satterthwaite")
        means = model.ls_means("arm", by="visit").reset_index().set_index(["visit", "arm"])["estimate"]
        alive = while_alive.estimate(scores, subjects, score="QL", visits=VISITS).means["estimate"]
        for name, found, truth in (
            ("joint latent", joined, latent),
            ("mmrm latent", means, latent),
            ("joint living", joined, living),
            ("mmrm living", means, living),
            ("alive living", alive, living),
        ):
            errors[name].append(by_cell(found) - by_cell(truth))

    size = {name: float(np.sqrt(np.mean(np.square(each)))) for name, each in errors.items()}
    assert size["joint latent"] < 0.6 * size["mmrm latent"]
    assert size["alive living"] < min(size["mmrm living"], size["joint living"])
