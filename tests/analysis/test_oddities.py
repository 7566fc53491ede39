"""What is odd in a trial's tables is kept, counted and named with its rows."""

import pandas as pd
import pytest

from analysis import read_trial


def odd(trial):
    return {each.code: each for each in trial.oddities}


@pytest.fixture
def tables(sixty):
    return {name: table.copy() for name, table in sixty.items()}


def first_answered(tables, visit):
    answers = tables["answers"]
    return answers.loc[(answers["visit"] == visit) & answers["value"].notna(), "subject"].iloc[0]


def test_answers_after_death_are_kept_and_counted(tables, written, tmp_path):
    subject = first_answered(tables, "M6")
    subjects = tables["subjects"]
    randomised_on = subjects.loc[subjects["subject"] == subject, "randomised_on"].iloc[0]
    subjects.loc[subjects["subject"] == subject, ["died_on", "last_alive_on"]] = randomised_on
    subjects.loc[subjects["subject"] == subject, ["progression_on", "surgery_on"]] = None

    trial = written(tmp_path, tables)

    found = odd(trial)["after-death"]
    assert found.subjects == 1
    assert len(trial.answers[(trial.answers["subject"] == subject) & (trial.answers["visit"] == "M6")]) > 0
    rows = pd.read_csv(tmp_path / "forms.csv", dtype=str).iloc[[row - 2 for row in found.rows]]
    assert set(rows["subject"]) == {subject}


def test_a_form_answered_before_the_baseline_is_named(tables, written, tmp_path):
    subject = first_answered(tables, "M6")
    forms, answers = tables["forms"], tables["answers"]
    early = pd.Timestamp("2020-01-01T10:00Z")
    for table, column in ((forms, "completed_at"), (answers, "answered_at")):
        table.loc[(table["subject"] == subject) & (table["visit"] == "M6"), column] = early

    assert odd(written(tmp_path, tables))["before-baseline"].subjects == 1


def test_two_visits_answered_on_one_day_are_named(tables, written, tmp_path):
    subject = first_answered(tables, "M6")
    forms, answers = tables["forms"], tables["answers"]
    for table, column in ((forms, "completed_at"), (answers, "answered_at")):
        mine = table["subject"] == subject
        table.loc[mine & table["visit"].isin(["M3", "M6"]), column] = pd.Timestamp("2025-06-01T10:00Z")

    assert odd(written(tmp_path, tables))["two-on-a-day"].subjects == 1


def test_parquet_is_read_as_csv_is(sixty, written, tmp_path):
    before = written(tmp_path, sixty)
    (tmp_path / "manifest.json").unlink()
    for name in ("subjects", "forms", "answers"):
        getattr(before, name).to_parquet(tmp_path / f"{name}.parquet")
        (tmp_path / f"{name}.csv").unlink()

    after = read_trial(tmp_path)

    for name in ("subjects", "forms", "answers"):
        pd.testing.assert_frame_equal(getattr(before, name), getattr(after, name))


def test_covariates_that_the_plan_names_are_read_and_shown(sixty, written, tmp_path):
    known = sixty["subjects"][["subject"]].assign(age=range(40, 40 + len(sixty["subjects"])), ecog="0")

    written(tmp_path, {**sixty, "covariates": known})

    trial = read_trial(tmp_path)
    assert trial.covariates["age"].tolist() == sorted(known["age"], key=lambda each: known["subject"][each - 40])
    frame = trial.table_one().frame.set_index("id")
    assert frame.loc["baseline.age.control.n", "value"] == (trial.randomised["arm"] == "control").sum()
