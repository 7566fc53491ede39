"""The report: one page, every number beside it, the same bytes for the same data, and no trial too awkward."""

import csv
from datetime import date

import pandas as pd
import pytest

from analysis import report
from analysis.figures.canvas import months_shown
from analysis.simulation import simulate
from tests.analysis.reading import Page, numbers_beside


@pytest.fixture(scope="module")
def trial(sixty_trial):
    return sixty_trial


@pytest.fixture(scope="module")
def path(sixty_report):
    return sixty_report


def test_every_number_of_the_page_equals_the_one_beside_it(path):
    page, beside = Page(path.read_text(encoding="utf-8")), numbers_beside(path)
    with (path.parent / "numbers.csv").open(encoding="utf-8") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}

    assert page.numbers == beside
    assert len(beside) > 300
    assert {id: row["text"] for id, row in rows.items()} == {id: each["text"] for id, each in beside.items()}
    assert {id: float(row["value"]) if row["value"] else None for id, row in rows.items()} == {
        id: each["value"] for id, each in beside.items()
    }


def test_no_table_shows_a_number_without_an_id(path):
    page = Page(path.read_text(encoding="utf-8"))

    assert [cell for cell in page.cells if any(character.isdigit() for character in cell)] == []


def test_the_page_needs_nothing_but_itself(path):
    page = Page(path.read_text(encoding="utf-8"))

    assert page.loaded == []
    assert len(page.ids) == len(set(page.ids))
    assert path.stat().st_size < 600_000


def test_the_mean_of_an_arm_at_a_visit_is_the_mean_of_its_scores(trial, path):
    scores = trial.scores("qlq-c30")
    mine = scores[(scores["arm"] == "control") & (scores["visit"] == "M6")]["PF"]

    beside = numbers_beside(path)

    assert beside["profile.PF.control.M6.mean"]["value"] == pytest.approx(mine.mean(), rel=1e-12)
    assert beside["profile.PF.control.M6.n"]["value"] == mine.notna().sum()


def test_the_same_data_give_the_same_bytes(trial, path, tmp_path):
    again = report(trial, trial.plan, tmp_path)

    written = sorted(file.relative_to(path.parent) for file in path.parent.rglob("*.*"))
    files = [file for file in written if "r-check" not in file.parts]  # which another test adds to this folder
    assert sorted(file.relative_to(tmp_path) for file in tmp_path.rglob("*.*")) == files
    for file in files:
        assert (tmp_path / file).read_bytes() == (path.parent / file).read_bytes(), file
    assert again.name == "report.html"


def test_one_changed_answer_changes_the_hash_and_only_what_depends_on_it(
    trial, path, written, sixty_and_more, tmp_path
):
    answers = sixty_and_more["answers"].copy()
    row = answers.index[(answers["visit"] == "M6") & (answers["item"] == "q1") & answers["value"].notna()][0]
    answers.loc[row, "value"] = 1 if answers.loc[row, "value"] > 1 else 2
    other = written(tmp_path / "data", {**sixty_and_more, "answers": answers})

    changed = numbers_beside(report(other, other.plan, tmp_path / "report"))

    before = numbers_beside(path)
    assert other.sha256 != trial.sha256
    moved = {id for id in before if before[id] != changed[id]}
    observed = {id for id in moved if id.startswith("profile.")}
    assert observed
    assert all(id.startswith("profile.PF.") and ".M6." in id for id in observed)
    modelled = moved - observed
    assert all(id.startswith("function-12.PF.") for id in modelled)


def test_figures_keep_their_text_and_stand_beside_the_page(path):
    figures = {file.stem: file.read_text(encoding="utf-8") for file in (path.parent / "figures").glob("*.svg")}

    images = {file.stem for file in (path.parent / "figures").glob("*.png")}
    assert images == set(figures)
    assert {"os", "pfs", "ttd-composite", "ttd-competing", "profile-QL", "swimmer", "missingness", "status"} <= set(
        figures
    )
    assert {"waterfall-QL-M12", "prognostic", "predictive", "tipping-missing-12-QL", "difference-ql-12-QL"} <= set(
        figures
    )
    for name in ("os", "pfs", "profile-QL"):
        assert ">Months after randomisation</text>" in figures[name]
    assert all("<dc:date>" not in svg and "</text>" in svg for svg in figures.values())


def test_the_axis_of_months_has_few_ticks_and_reaches_the_last_month():
    for last in (0.03, 7, 36, 36.1, 59, 240):
        ticks = months_shown(last)
        assert len(ticks) <= 12
        assert ticks[0] == 0
        assert ticks[-1] >= last


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_twenty_thousand_patients_are_reported(breclim, tables_of, written, tmp_path):
    months = {code: visit["month"] for code, visit in breclim["visit"].items()}
    large = simulate(seed=3, subjects=20_000, visits=months, start_on=date(2024, 1, 1), accrual_months=36)
    trial = written(tmp_path / "data", tables_of(large, date(2028, 1, 1)))

    path = report(trial, trial.plan, tmp_path / "report")

    text, beside = path.read_text(encoding="utf-8"), numbers_beside(path)
    assert path.stat().st_size < 1_000_000
    for most in ("2000", "1000"):  # the joint model, and imputation with its jackknife and tipping points
        assert f"Left out by the plan: from {most} randomised patients on." in text
    assert not any(id.startswith(("joint-ql.", "missing-12.")) for id in beside)
    assert pd.notna(beside["os.1.cox.surgery.hr"]["value"])
    assert pd.notna(beside["q-twist-36.alive.surgery"]["value"])
