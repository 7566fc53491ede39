"""A trial as it stood on an earlier day: nothing that came later is left in it."""

from datetime import date

import pandas as pd
import pytest

from analysis.columns import BadTrial
from analysis.cutting import cut

ON = date(2025, 6, 30)
DAY = pd.Timestamp(ON)


@pytest.fixture(scope="module")
def trial(written, sixty, tmp_path_factory):
    return written(tmp_path_factory.mktemp("trial"), sixty)


@pytest.fixture(scope="module")
def earlier(trial):
    return cut(trial, ON)


@pytest.mark.parametrize("column", ["randomised_on", "surgery_on", "progression_on", "died_on", "last_alive_on"])
def test_no_day_lies_after_the_cut(earlier, column):
    assert not (earlier.subjects[column] > DAY).any()


def test_who_died_later_was_alive_on_the_day(trial, earlier):
    later = trial.subjects[(trial.subjects["died_on"] > DAY) & (trial.subjects["consented_on"] <= DAY)]["subject"]

    then = earlier.subjects[earlier.subjects["subject"].isin(later)]
    assert len(then) > 0
    assert (then["last_alive_on"] == DAY).all()


def test_answers_and_visits_of_later_days_are_gone(earlier):
    assert not (earlier.answers["answered_at"].dt.tz_convert("Europe/Stockholm") >= "2025-07-01").any()
    late = earlier.forms["due_on"] > DAY
    assert set(earlier.forms.loc[late, "state"]) == {"not_due"}


def test_a_day_after_the_data_were_cut_is_refused(trial):
    with pytest.raises(BadTrial, match="the data were cut on 2028-01-01, before 2029-01-01"):
        cut(trial, date(2029, 1, 1))


def test_a_cut_on_the_day_of_the_data_changes_no_form_that_was_closed(trial):
    same = cut(trial, date(2028, 1, 1))

    closed = trial.forms["closes_on"] < DAY
    assert (same.forms.loc[closed, "state"] == trial.forms.loc[closed, "state"]).all()
    pd.testing.assert_frame_equal(same.answers, trial.answers)
