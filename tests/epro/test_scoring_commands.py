"""`epro score` and `epro wording`, as a researcher meets them: no trial, no server, no settings."""

import json
from pathlib import Path

import pandas as pd
import pytest

ORACLE = Path(__file__).parents[1] / "oracles" / "scoring" / "qlq_c30.items.csv"
FIVE = Path(__file__).parents[1] / "questionnaires" / "instruments" / "five-items.toml"


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch, tmp_path):
    """Where a researcher works: nothing is there, and nothing is set."""
    monkeypatch.chdir(tmp_path)


def test_a_file_is_scored_in_full_with_the_version_of_the_instrument(epro):
    code, out, _ = epro("score", ORACLE, "--instrument", "qlq-c30", "--out", "scores.csv")

    scores = pd.read_csv("scores.csv", float_precision="round_trip")
    expected = pd.read_csv(ORACLE.with_name("qlq_c30.PROscorer.csv"))
    assert code == 0
    assert "1000 forms of qlq-c30 3.0" in out
    assert scores["version"].unique() == [3.0]
    assert (scores["row"] == expected["row"]).all()
    pd.testing.assert_series_equal(scores["SUM"], expected["C30SUMMARY"], check_names=False, rtol=0, atol=1e-8)


def test_the_summary_counts_what_is_missing_by_reason(epro):
    _, out, _ = epro("score", ORACLE, "--instrument", "qlq-c30", "--out", "scores.csv", "--json")

    summary = json.loads(out)
    assert summary["forms"] == 1000
    for scale, counted in summary["scales"].items():
        assert counted["scored"] + sum(counted["missing"].values()) == 1000, scale
    assert set(summary["scales"]["PF"]["missing"]) == {"no answers", "too few answers"}


def test_without_a_file_to_write_the_scores_are_printed_and_the_summary_stands_beside(epro):
    code, out, err = epro("score", ORACLE, "--instrument", "qlq-c30")

    assert code == 0
    assert len(out.splitlines()) == 1001
    assert "1000 forms" in err


def test_long_scores_have_a_line_each_with_reason_and_flag(epro):
    epro("score", ORACLE, "--instrument", "qlq-c30", "--out", "scores.csv", "--long")

    lines = pd.read_csv("scores.csv")
    assert len(lines) == 1000 * 16
    assert list(lines.columns) == [
        "row", "scale", "value", "answered", "needed", "reason", "flag", "instrument", "version",
    ]  # fmt: skip
    assert (lines["value"].isna() == lines["reason"].notna()).all()


def test_a_column_that_is_called_like_a_score_is_kept_under_another_name(epro, tmp_path):
    answers = pd.read_csv(ORACLE).assign(PF=1, version="2")
    answers.to_csv("answers.csv", index=False)

    code, _, _ = epro("score", "answers.csv", "--instrument", "qlq-c30", "--out", "scores.csv")

    assert code == 0
    assert {"PF", "PF (file)", "version (file)"} <= set(pd.read_csv("scores.csv").columns)


def test_the_answers_are_never_overwritten(epro):
    pd.read_csv(ORACLE).to_csv("answers.csv", index=False)

    code, _, err = epro("score", "answers.csv", "--instrument", "qlq-c30", "--out", "answers.csv")

    assert code == 1
    assert "holds the answers" in err
    assert "q1" in Path("answers.csv").read_text()


def test_impossible_answers_are_told_by_line_and_nothing_is_written(epro):
    answers = pd.read_csv(ORACLE).convert_dtypes()
    answers.loc[[5, 9], "q3"] = 9
    answers.to_csv("answers.csv", index=False)

    code, out, err = epro("score", "answers.csv", "--instrument", "qlq-c30", "--out", "scores.csv")

    assert (code, out) == (1, "")
    assert "answers.csv:7: q3 is not one of 1 2 3 4 (also lines 11)" in err
    assert "--invalid missing" in err
    assert not Path("scores.csv").exists()


def test_they_can_be_left_out_and_are_listed(epro):
    answers = pd.read_csv(ORACLE).convert_dtypes()
    answers.loc[5, "q3"] = 9
    answers.to_csv("answers.csv", index=False)

    code, out, _ = epro(
        "score", "answers.csv", "--instrument", "qlq-c30", "--out", "scores.csv", "--invalid", "missing"
    )

    assert code == 0
    assert "left out: answers.csv:7: q3 is not one of 1 2 3 4" in out


def test_answers_coded_from_0_are_recognised(epro):
    answers = pd.read_csv(ORACLE, index_col="row") - 1
    answers.to_csv("answers.csv")

    code, _, err = epro("score", "answers.csv", "--instrument", "qlq-c30")

    assert code == 1
    assert "add 1 to each" in err


def test_a_program_gets_every_fault_as_json(epro):
    answers = pd.read_csv(ORACLE).convert_dtypes()
    answers.loc[5, "q3"] = 9
    answers.to_csv("answers.csv", index=False)

    code, out, _ = epro("score", "answers.csv", "--instrument", "qlq-c30", "--json")

    assert code == 1
    assert json.loads(out)["faults"] == [
        {
            "file": "answers.csv",
            "line": 7,
            "what": "q3 is not one of 1 2 3 4",
            "cure": "Correct it, or leave it empty.",
        }
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing.csv", "--instrument", "qlq-c30"], "No such file"),
        ([ORACLE, "--instrument", "qlq-c31"], "there is no instrument qlq-c31.\n  Give one of"),
        ([ORACLE, "--instrument", "qlq-br42"], "no score is offered"),
        ([ORACLE, "--instrument", "qlq-br23"], "no column q31"),
        ([ORACLE], "Give a file of answers and --instrument"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(epro, arguments, words):
    code, _, err = epro("score", *arguments)

    assert code != 0
    assert words in err


def test_the_instruments_are_listed_with_those_that_are_not_scored_and_why(epro):
    code, out, _ = epro("score", "--list")

    assert code == 0
    assert "qlq-c30: EORTC QLQ-C30, version 3.0, 30 items" in out
    assert "not scored: Which items make which" in out


def test_an_instrument_of_one_s_own_is_scored_by_the_path_of_its_file(epro):
    Path("answers.csv").write_text("patient,walk,lift,dizzy,fell\nA,1,2,1,\n")

    code, out, _ = epro("score", "answers.csv", "--instrument", FIVE)

    assert code == 0
    assert out.splitlines()[1] == "A,83.33333333333334,0.0,five-items,1"


def test_a_wording_is_written_filled_in_checked_and_listed(epro, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "five-items.toml").write_text(FIVE.read_text(encoding="utf-8"), encoding="utf-8")
    own = ["--instruments", "own"]

    assert epro("wording", "new", "five-items", "sv", "--pack", "mine", "--table", *own)[0] == 0
    table = pd.read_csv("wordings/mine/five-items.sv.csv", keep_default_na=False)
    table.assign(text=[f"ord {n}" for n in range(len(table))]).to_csv("words.csv", index=False)
    licence = ["--licence", "A-1", "--licence-until", "2027-12-31", "--study", "BreCLIM-2"]
    made = epro(
        "wording", "import", "words.csv", "five-items", "sv", "--pack", "mine", "--source", "own", *licence, *own
    )
    assert made[0] == 0

    file = "wordings/mine/five-items.sv.toml"
    assert epro("wording", "check", file, "--on", "2027-12-31", "--study", "BreCLIM-2", *own)[0] == 0
    code, _, err = epro("wording", "check", file, "--on", "2028-01-01", *own)
    assert code == 1
    assert "five-items.sv.toml:12: the licence A-1 ended on 2027-12-31" in err

    listed = json.loads(epro("wording", "list", "--on", "2027-12-31", "--json", *own)[1])
    mine = next(each for each in listed if each["file"] == file)
    assert (mine["manifest"]["study"], mine["faults"]) == ("BreCLIM-2", [])


def test_a_file_that_is_there_is_not_written_over(epro):
    assert epro("wording", "new", "qlq-c30", "sv")[0] == 0

    code, _, err = epro("wording", "new", "qlq-c30", "sv")

    assert code == 1
    assert "is there already" in err


def test_words_that_may_not_be_passed_on_are_imported_with_licence_and_study_only(epro):
    Path("words.csv").write_text("part,code,text\n")

    code, _, err = epro("wording", "import", "words.csv", "qlq-c30", "sv", "--source", "x")

    assert code == 2
    assert "--licence" in err


def test_the_description_of_a_questionnaire_is_checked_and_told_in_words(epro):
    code, out, _ = epro("check", FIVE)

    assert code == 0
    assert out.splitlines() == [
        "My five questions, version 1 (five-items): 5 items",
        "  fell is asked when dizzy is 2 3 4, or has no answer",
        "  STRENGTH: Strength, 0 to 100, higher is better",
        "  BALANCE: Balance problems, 0 to 100, higher is worse",
    ]


def test_a_description_with_faults_is_refused_by_line(epro, tmp_path):
    text = FIVE.read_text(encoding="utf-8").replace('"dizzy", "fell"]', '"dizzy", "fall"]')
    (tmp_path / "five-items.toml").write_text(text, encoding="utf-8")

    code, _, err = epro("check", "five-items.toml")

    assert code == 1
    assert "five-items.toml:41: scale BALANCE uses the unknown item fall" in err
    assert "five-items.toml:12: item fell is scored in no scale" in err
