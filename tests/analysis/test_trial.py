"""The trial folder: written and read by one declaration, refused with every fault at once."""

import json
from datetime import UTC, date, datetime

import pandas as pd
import pytest

from analysis import read_trial
from analysis.columns import BadTrial
from analysis.trial import FORM_STATES


def one_patient(**changes):
    """One patient with a complete baseline form, all options 2."""
    subject = {
        "subject": "UME-001",
        "site": "UME",
        "arm": "surgery",
        "er": "pos",
        "metastases": "1",
        "consented_on": date(2027, 1, 1),
        "randomised_on": date(2027, 1, 8),
        "last_alive_on": date(2027, 9, 1),
        **changes,
    }
    key = {"subject": "UME-001", "visit": "BL", "instrument": "qlq-c30"}
    said_at = datetime(2027, 1, 1, 23, 30, tzinfo=UTC)
    form = {**key, "expected": True, "state": "completed", "completed_at": said_at, "due_on": date(2027, 1, 1)}
    answers = [{**key, "item": f"q{n}", "value": 2, "state": "answered", "answered_at": said_at} for n in range(1, 31)]
    return {
        "subjects": pd.DataFrame([subject]),
        "forms": pd.DataFrame([form]),
        "answers": pd.DataFrame(answers).astype({"value": "Int64"}),
    }


def faults(function, *arguments):
    with pytest.raises(BadTrial) as caught:
        function(*arguments)
    return {(fault.file, fault.rows, fault.column) for fault in caught.value.faults}


def test_what_is_written_is_read_back_with_its_types(written, tmp_path):
    trial = written(tmp_path, one_patient())

    subject, form, answer = trial.subjects.iloc[0], trial.forms.iloc[0], trial.answers.iloc[0]
    assert subject["randomised_on"] == pd.Timestamp("2027-01-08")
    assert pd.isna(subject["died_on"])
    assert form["expected"] is True or bool(form["expected"])
    assert form["completed_at"] == pd.Timestamp("2027-01-01T23:30Z")
    assert (answer["item"], answer["value"]) == ("q1", 2)
    assert (trial.data_cut, trial.epro_version) == (date(2028, 1, 1), "0")


@pytest.mark.requirement("abuse-18")
def test_a_text_that_begins_like_a_formula_is_inert_in_its_file_and_itself_when_read_back(written, tmp_path):
    tables = one_patient()
    tables["forms"] = tables["forms"].assign(reason="=HYPERLINK(1)", version="1\r=2")

    trial = written(tmp_path, tables)

    header, row = (tmp_path / "forms.csv").read_bytes().decode().split("\n")[:2]
    cells = dict(zip(header.split(","), row.split(","), strict=True))
    assert (cells["reason"], cells["version"]) == ("'=HYPERLINK(1)", '"1\r=2"')
    assert tuple(trial.forms.iloc[0][["reason", "version"]]) == ("=HYPERLINK(1)", "1\r=2")


def test_missing_is_an_empty_cell_and_days_are_iso(written, tmp_path):
    written(tmp_path, one_patient())

    header, row = (tmp_path / "subjects.csv").read_text(encoding="utf-8").splitlines()

    assert header.startswith("subject,site,arm,er,metastases,consented_on,randomised_on,surgery_on")
    assert row == "UME-001,UME,surgery,pos,1,2027-01-01,2027-01-08,,,,,2027-09-01"


def test_the_same_tables_give_the_same_files(written, tmp_path, sixty):
    shuffled = {**sixty, "subjects": sixty["subjects"].sample(frac=1, random_state=1)}

    assert written(tmp_path / "a", sixty).sha256 == written(tmp_path / "b", shuffled).sha256


def test_a_folder_from_another_system_needs_no_manifest_and_only_the_required_columns(written, tmp_path):
    written(tmp_path, one_patient())
    (tmp_path / "manifest.json").unlink()
    for name, columns in {
        "subjects": ["subject", "arm", "er", "metastases", "randomised_on", "died_on", "last_alive_on"],
        "forms": ["subject", "visit", "instrument", "expected", "state", "due_on"],
        "answers": ["subject", "visit", "instrument", "item", "value"],
    }.items():
        file = tmp_path / f"{name}.csv"
        pd.read_csv(file, dtype=str)[columns].to_csv(file, index=False)

    trial = read_trial(tmp_path)

    assert (trial.data_cut, trial.epro_version) == (None, None)
    assert trial.scores("qlq-c30")["answered_on"].tolist() == [pd.Timestamp("2027-01-01")]  # the due day


def test_a_file_of_a_spreadsheet_or_of_pandas_is_read_as_it_is_meant(written, tmp_path):
    """A mark of byte order, Windows line ends, and whole numbers that stand beside empty cells as 2.0."""
    meant = written(tmp_path, one_patient())
    (tmp_path / "manifest.json").unlink()
    file = tmp_path / "answers.csv"
    text = file.read_text(encoding="utf-8").replace(",2,", ",2.0,").replace("\n", "\r\n")
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())

    assert read_trial(tmp_path).answers["value"].tolist() == meant.answers["value"].tolist()


def test_a_number_that_is_not_whole_is_refused_where_a_whole_one_stands(written, tmp_path):
    written(tmp_path, one_patient())
    (tmp_path / "manifest.json").unlink()
    file = tmp_path / "answers.csv"
    file.write_text(file.read_text(encoding="utf-8").replace("q7,2,", "q7,2.5,"), encoding="utf-8")

    assert faults(read_trial, tmp_path) == {("answers.csv", (8,), "value")}


@pytest.mark.parametrize(("sign", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_columns_parted_by_something_else_than_commas_are_refused_in_one_sentence(written, tmp_path, sign, name):
    written(tmp_path, one_patient())
    file = tmp_path / "subjects.csv"
    file.write_text(file.read_text(encoding="utf-8").replace(",", sign), encoding="utf-8")

    with pytest.raises(BadTrial) as caught:
        read_trial(tmp_path)

    assert str(caught.value) == (
        f"subjects.csv, row 1: the columns are parted by {name}\n  Save it with commas between them."
    )


def test_a_changed_file_is_refused_while_its_manifest_says_otherwise(written, tmp_path):
    written(tmp_path, one_patient())
    file = tmp_path / "answers.csv"
    file.write_text(file.read_text(encoding="utf-8").replace("q7,2,", "q7,1,"), encoding="utf-8")

    assert faults(read_trial, tmp_path) == {("answers.csv", (), None)}


def test_the_manifest_counts_rows_and_hashes_every_file(written, tmp_path):
    written(tmp_path, one_patient())

    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))

    assert {file: each["rows"] for file, each in manifest["files"].items()} == {
        "subjects.csv": 1,
        "forms.csv": 1,
        "answers.csv": 30,
        "analysis.toml": None,
        "instruments/qlq-c30.toml": None,
    }


def test_contact_data_are_refused(written, tmp_path):
    tables = one_patient(phone="+46701740605")

    assert faults(written, tmp_path, tables) == {("subjects.csv", (), "phone")}


def test_every_fault_is_told_at_once_with_file_row_and_column(written, tmp_path):
    tables = one_patient(arm="placebo", died_on=date(2026, 12, 1))
    tables["answers"].loc[4, "value"] = 7
    tables["answers"].loc[6, "item"] = "q31"

    assert faults(written, tmp_path, tables) == {
        ("subjects.csv", (2,), "arm"),
        ("subjects.csv", (2,), "died_on"),
        ("subjects.csv", (2,), "last_alive_on"),
        ("answers.csv", (6,), "value"),
        ("answers.csv", (8,), "item"),
    }


def test_a_fault_never_shows_what_stands_in_the_cell(written, tmp_path):
    tables = one_patient(died_on="she died in May")

    with pytest.raises(BadTrial) as caught:
        written(tmp_path, tables)

    assert "May" not in str(caught.value)
    assert "subjects.csv, row 2, died_on: this is no date" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"last_alive_on": None}, "last_alive_on"),
        ({"last_alive_on": date(2028, 1, 2)}, "last_alive_on"),
        ({"progression_on": date(2027, 1, 1)}, "progression_on"),
        ({"er": "maybe"}, "er"),
        ({"arm": None}, "arm"),
    ],
)
def test_a_subject_that_cannot_be_is_refused(written, tmp_path, change, column):
    assert faults(written, tmp_path, one_patient(**change)) == {("subjects.csv", (2,), column)}


def test_a_state_that_is_none_of_the_words_is_refused(written, tmp_path):
    tables = one_patient()
    tables["forms"]["state"] = "lost"

    with pytest.raises(BadTrial) as caught:
        written(tmp_path, tables)

    assert ", ".join(FORM_STATES) in str(caught.value)


def test_answers_without_a_form_and_forms_without_a_subject_are_refused(written, tmp_path):
    tables = one_patient()
    tables["answers"].loc[29, "visit"] = "M3"
    tables["forms"]["subject"] = "UME-002"

    assert faults(written, tmp_path, tables) == {
        ("answers.csv", tuple(range(2, 32)), None),
        ("forms.csv", (2,), "subject"),
    }


def test_a_plan_that_contradicts_itself_is_refused(written, tmp_path, breclim):
    plan = {**breclim, "analysis": {**breclim["analysis"], "reference_arm": "placebo"}}

    with pytest.raises(BadTrial, match="reference_arm is no arm of the trial; the arms are surgery, control"):
        written(tmp_path, one_patient(), plan=plan)


def test_a_scale_that_the_instrument_lacks_is_refused(written, tmp_path, breclim):
    plan = {**breclim, "analysis": {**breclim["analysis"], "profile_scales": ["QL", "XX"]}}

    with pytest.raises(BadTrial, match="qlq-c30 has no scale XX"):
        written(tmp_path, one_patient(), plan=plan)


def test_the_day_of_an_answer_is_the_day_in_the_trials_zone(written, tmp_path):
    """Half past eleven in the evening in UTC is the next day in Stockholm."""
    scores = written(tmp_path, one_patient()).scores("qlq-c30")

    assert scores["answered_on"].tolist() == [pd.Timestamp("2027-01-02")]


def test_a_trial_prints_no_patient(written, tmp_path):
    assert repr(written(tmp_path, one_patient())) == "Trial(BRECLIM-2: 1 subjects, 1 forms)"
