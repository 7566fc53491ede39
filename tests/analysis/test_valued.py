"""Quality-adjusted survival in the report, when a questionnaire of the trial gives utilities."""

import pandas as pd
import pytest

import questionnaires
from analysis import qtwist, report
from analysis.deterioration import DAYS_A_MONTH
from analysis.estimands import overall_survival
from tests.analysis.conftest import CUT_ON
from tests.analysis.reading import numbers_beside

EQ, ITEMS = "eq-5d-5l", ("MO", "SC", "UA", "PD", "AD")
PLANNED = {
    "title": "Quality-adjusted survival to 24 months",
    "objective": "descriptive",
    "variable": "time alive, each month weighted by its utility, to 24 months",
    "intercurrent": {"death": "composite"},
    "summary": "difference in mean quality-adjusted time",
    "method": "quality-adjusted survival",
    "month": 24,
    "utility": EQ,
}


@pytest.fixture(scope="module")
def trial(forty, short, written, tmp_path_factory):
    """Who answered the C30 answered the EQ-5D, too, at levels that go by place."""
    answered = forty["answers"].drop_duplicates(["subject", "visit"]).reset_index(drop=True)
    forms = forty["forms"].merge(answered[["subject", "visit"]]).assign(instrument=EQ)
    rows = [
        {**form, "instrument": EQ, "item": item, "value": 1 + (at + place) % 4, "state": "answered"}
        for at, form in enumerate(answered[["subject", "visit", "answered_at"]].to_dict("records"))
        for place, item in enumerate(ITEMS)
    ]
    tables = {
        **forty,
        "forms": pd.concat([forty["forms"], forms], ignore_index=True),
        "answers": pd.concat([forty["answers"], pd.DataFrame(rows)], ignore_index=True),
    }
    estimands = {**short["analysis"]["estimand"], "qas-24": PLANNED}
    plan = {**short, "analysis": {**short["analysis"], "estimand": estimands}}
    return written(tmp_path_factory.mktemp("valued"), tables, CUT_ON, plan)


def test_each_month_alive_counts_by_the_mean_utility_at_the_planned_visits(trial, tmp_path):
    beside = numbers_beside(report(trial, trial.plan, tmp_path, only=["qas-24"]))

    own = trial.answers[trial.answers["instrument"] == EQ]
    wide = own.pivot(index=["subject", "visit"], columns="item", values="value")
    scores = questionnaires.score(wide, questionnaires.load(EQ)).reset_index()
    scores["month"] = scores["visit"].map(trial.plan.months).astype(float)
    who, times = trial.randomised, overall_survival(trial.randomised)
    subjects = pd.DataFrame({"subject": who["subject"].astype(object), "arm": who["arm"].astype(object)})
    subjects = subjects.assign(time=times["time"].clip(lower=0.5 / DAYS_A_MONTH), died=times["event"])
    forms = scores[scores["subject"].isin(who["subject"])].astype({"subject": object})
    found = qtwist.quality_adjusted(forms, subjects, utility="Sweden_2020", horizon=24)
    assert set(found.utility.index.get_level_values("month")) == {0.0, 3.0, 12.0, 36.0}
    for arm in ("control", "surgery"):
        assert beside[f"qas-24.{arm}"]["value"] == pytest.approx(found.means.loc[arm, "estimate"])
        assert beside[f"qas-24.{arm}.upper"]["value"] == pytest.approx(found.means.loc[arm, "upper"])
