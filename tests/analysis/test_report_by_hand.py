"""Every number of the report is the one that its estimator, called by hand on the trial's own tables, gives."""

import warnings

import pandas as pd
import pytest

from analysis import mmrm
from tests.analysis.by_hand import health, lives, people
from tests.analysis.reading import Page, numbers_beside

HANDS = lives.HANDS | health.HANDS
BEFORE = people.HANDS


def compare(by_hand, shown):
    """Both have the same ids, and the same values."""
    assert set(by_hand) == set(shown)
    for key, value in by_hand.items():
        assert (shown[key]["value"] is None) == bool(pd.isna(value)), key
        assert pd.isna(value) or shown[key]["value"] == pytest.approx(float(value), rel=1e-9, abs=1e-12), key


def test_every_estimand_of_the_plan_and_every_other_number_is_recomputed_here(sixty_trial, sixty_report):
    assert set(HANDS) == set(sixty_trial.plan.analysis.estimand)
    assert {id.partition(".")[0] for id in numbers_beside(sixty_report)} == {*HANDS, *BEFORE}


@pytest.mark.parametrize("id", [*BEFORE, *HANDS])
def test_the_page_its_json_and_the_estimator_called_by_hand_agree_on_every_number(id, sixty_trial, sixty_report):
    page, beside = Page(sixty_report.read_text(encoding="utf-8")).numbers, numbers_beside(sixty_report)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mmrm.CovarianceFellBack)  # few patients: the report says what was fitted
        by_hand = (HANDS | BEFORE)[id](sixty_trial)

    mine = {key for key in beside if key.partition(".")[0] == id}
    assert {key: page[key] for key in mine} == {key: beside[key] for key in mine}
    compare(by_hand, {key: beside[key] for key in mine})
