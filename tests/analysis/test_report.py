"""The report: one page, every number beside it, the same bytes for the same data, and no trial too awkward."""

import csv
import json
from datetime import date
from html.parser import HTMLParser

import pandas as pd
import pytest

from analysis import compliance, report
from analysis.estimands import overall_survival
from analysis.figures.canvas import months_shown
from analysis.simulation import simulate
from analysis.survival import cox, kaplan_meier, logrank


class Page(HTMLParser):
    """What a page shows: its numbers by id, the text of its cells outside numbers, and what it loads."""

    def __init__(self, text):
        super().__init__()
        self.numbers, self.cells, self.loaded, self.ids = {}, [], [], []
        self.in_number = self.in_cell = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "script" or "src" in given or (tag in ("link", "image") and "href" in given):
            self.loaded.append(tag)
        if tag == "data":
            self.in_number, self.current = True, given["id"]
            self.numbers[given["id"]] = {"value": float(given["value"]) if given["value"] else None, "text": ""}
        self.in_cell = self.in_cell or (tag == "td" and given.get("class") != "words")

    def handle_endtag(self, tag):
        if tag == "data":
            self.in_number = False
        if tag == "td":
            self.in_cell = False

    def handle_data(self, data):
        if self.in_number:
            self.numbers[self.current]["text"] += data
        elif self.in_cell:
            self.cells.append(data)


@pytest.fixture(scope="module")
def trial(written, sixty, tmp_path_factory):
    return written(tmp_path_factory.mktemp("trial"), sixty)


@pytest.fixture(scope="module")
def path(trial, tmp_path_factory):
    return report(trial, trial.plan, tmp_path_factory.mktemp("report"))


def numbers_beside(path):
    return json.loads((path.parent / "numbers.json").read_text(encoding="utf-8"))["numbers"]


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
    assert path.stat().st_size < 1_000_000


def test_numbers_are_those_of_the_estimators_called_by_hand(trial, path):
    beside = {id: each["value"] for id, each in numbers_beside(path).items()}
    patients, times = trial.randomised, overall_survival(trial.randomised)
    strata = patients[["er", "metastases"]]
    surgery = (patients["arm"] == "surgery").astype(float).to_frame("surgery")

    curves = kaplan_meier(times["time"], times["event"], patients["arm"])
    test = logrank(times["time"], times["event"], patients["arm"], strata=strata)
    model = cox(times["time"], times["event"], surgery, strata=strata)
    rates = compliance.rates(trial).loc[("qlq-c30", "surgery", "M3")]

    assert beside["survival-36.surgery"] == curves.survival_at(36).loc["surgery", "survival"]
    assert beside["os-median.control"] == beside["os.median.control"] == curves.to_frame().loc["control", "median"]
    assert beside["os.1.logrank.surgery.p"] == test.p
    assert beside["os.1.cox.surgery.hr"] == model.terms.loc["surgery", "hr"]
    assert beside["completion.qlq-c30.surgery.M3.received"] == rates["received"]
    assert beside["completion.qlq-c30.surgery.M3.received_per_expected"] == rates["received_per_expected"]


def test_the_mean_of_an_arm_at_a_visit_is_the_mean_of_its_scores(trial, path):
    scores = trial.scores("qlq-c30")
    mine = scores[(scores["arm"] == "control") & (scores["visit"] == "M6")]["PF"]

    beside = numbers_beside(path)

    assert beside["profile.PF.control.M6.mean"]["value"] == pytest.approx(mine.mean(), rel=1e-12)
    assert beside["profile.PF.control.M6.n"]["value"] == mine.notna().sum()


def test_the_same_data_give_the_same_bytes(trial, path, tmp_path):
    again = report(trial, trial.plan, tmp_path)

    files = sorted(file.relative_to(path.parent) for file in path.parent.rglob("*.*"))
    assert sorted(file.relative_to(tmp_path) for file in tmp_path.rglob("*.*")) == files
    for file in files:
        assert (tmp_path / file).read_bytes() == (path.parent / file).read_bytes(), file
    assert again.name == "report.html"


def test_one_changed_answer_changes_the_hash_and_only_what_depends_on_it(trial, path, written, sixty, tmp_path):
    answers = sixty["answers"].copy()
    row = answers.index[(answers["visit"] == "M6") & (answers["item"] == "q1") & answers["value"].notna()][0]
    answers.loc[row, "value"] = 1 if answers.loc[row, "value"] > 1 else 2
    other = written(tmp_path / "data", {**sixty, "answers": answers})

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


def awkward(tables, kind):
    subjects, forms, answers = (tables[name].copy() for name in ("subjects", "forms", "answers"))
    arm = forms["subject"].map(subjects.set_index("subject")["arm"])
    if kind == "no deaths":
        subjects[["died_on", "progression_on"]] = None
        subjects["last_alive_on"] = date(2028, 1, 1)
    elif kind == "one arm empty at a visit":
        kept = ~((forms["visit"] == "M12") & (arm == "surgery"))
        forms = forms[kept]
        gone = (answers["visit"] == "M12") & answers["subject"].map(subjects.set_index("subject")["arm"]).eq("surgery")
        answers = answers[~gone]
    elif kind == "one arm empty":
        subjects = subjects[subjects["arm"] == "control"]
    elif kind == "one patient":
        subjects = subjects[:1]
    elif kind == "nobody":
        subjects = subjects[:0]
    elif kind == "nobody randomised":
        subjects[["randomised_on", "arm", "died_on", "progression_on", "surgery_on"]] = None
    elif kind == "no answers":
        answers = answers[:0]
    elif kind == "no baseline":
        answers = answers[answers["visit"] != "BL"]
    elif kind == "only baseline":
        answers = answers[answers["visit"] == "BL"]
    elif kind == "nothing at 36 months":
        answers = answers[answers["visit"] != "M36"]
    elif kind == "an item nobody answered":
        answers = answers[~answers["item"].isin(["q29", "q30"])]
    elif kind == "ties everywhere":
        dead = subjects["died_on"].notna()
        subjects.loc[dead, "died_on"] = subjects.loc[dead, "randomised_on"]
        subjects.loc[dead, "last_alive_on"] = subjects.loc[dead, "randomised_on"]
        subjects["progression_on"] = None
    elif kind == "strata missing":
        subjects["er"] = None
    elif kind == "one site":
        subjects = subjects[subjects["site"] == "UME"]
    return {
        "subjects": subjects,
        "forms": forms[forms["subject"].isin(subjects["subject"])],
        "answers": answers[answers["subject"].isin(subjects["subject"])],
    }


@pytest.mark.parametrize(
    "kind",
    [
        "no deaths",
        "one arm empty at a visit",
        "one arm empty",
        "one patient",
        "nobody",
        "nobody randomised",
        "no answers",
        "no baseline",
        "only baseline",
        "nothing at 36 months",
        "an item nobody answered",
        "ties everywhere",
        "strata missing",
        "one site",
    ],
)
def test_an_awkward_trial_is_reported_and_nothing_is_silently_nan(kind, written, sixty, tmp_path):
    trial = written(tmp_path / "data", awkward(sixty, kind))

    path = report(trial, trial.plan, tmp_path / "report")

    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.numbers == numbers_beside(path)
    assert ">nan" not in text.lower()
    assert all(each["text"] for each in page.numbers.values())


def test_what_cannot_be_estimated_says_why(written, sixty, tmp_path):
    trial = written(tmp_path / "data", awkward(sixty, "no deaths"))

    text = report(trial, trial.plan, tmp_path / "report", only=["os", "os-median"]).read_text(encoding="utf-8")

    assert "not estimable: no event happened while patients of more than one arm were followed" in text
    assert "not estimable: there are no events among patients with all covariates" in text
    assert "not reached" in text


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

    assert path.stat().st_size < 8_000_000
    assert pd.notna(numbers_beside(path)["os.1.cox.surgery.hr"]["value"])
