"""Parts of a report by a verb: what a notebook shows is what the report shows."""

import json
import runpy
import shutil
import subprocess
import warnings

import pytest

from analysis import mmrm, read_trial, report
from analysis.numbers import Numbers
from analysis.rcheck import write_r_check
from analysis.sections.contents import NoSuchSection
from analysis.sections.material import Material
from analysis.sections.repeated import changes


@pytest.fixture(scope="module")
def trial(written, sixty, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trial")
    written(folder, sixty)
    return read_trial(folder)


@pytest.fixture(scope="module")
def path(trial, tmp_path_factory):
    only = ["os", "ql-12", "quality-of-life", "survival-36", "ttd-competing"]
    return report(trial, trial.plan, tmp_path_factory.mktemp("report"), only=only)


def beside(path):
    return json.loads((path.parent / "numbers.json").read_text(encoding="utf-8"))["numbers"]


@pytest.mark.parametrize("name", ["os", "ttd-competing"])
def test_a_verb_draws_the_very_figure_of_the_report(trial, path, name):
    drawn = trial.km(name).figure

    assert drawn.svg == (path.parent / "figures" / f"{name}.svg").read_text(encoding="utf-8")
    assert drawn.png == (path.parent / "figures" / f"{name}.png").read_bytes()


def test_the_lines_under_a_figure_make_it_again(trial, path, tmp_path):
    code = trial.km("os").figure.code.replace("FOLDER", str(trial.folder)).replace('save(".")', f'save("{tmp_path}")')

    lines = tmp_path / "lines.py"
    lines.write_text(code, encoding="utf-8")
    runpy.run_path(str(lines))

    assert (tmp_path / "os.svg").read_bytes() == (path.parent / "figures" / "os.svg").read_bytes()


def test_a_verb_gives_the_numbers_of_the_report(trial, path):
    numbers = {id: each["value"] for id, each in beside(path).items()}
    frame = trial.shows("survival-36").frame.set_index("id")["value"]

    assert len(frame) > 0
    assert all(numbers[id] == value for id, value in frame.items())


def test_a_profile_of_any_scale_can_be_asked_for(trial):
    shown = trial.profile("EF")

    assert shown.figure.name == "profile-EF"
    assert "<svg" in shown._repr_html_()


def test_a_section_that_is_not_there_is_refused_with_those_that_are(trial):
    with pytest.raises(NoSuchSection, match=r"no section nonsense.\n  It has plan, participants"):
        trial.shows("nonsense")


def test_the_planned_difference_is_that_of_the_model_called_by_hand(trial, path):
    data, _ = changes(Material(trial, trial.plan, Numbers()), "QL")
    strata = " + ".join(name for name in data if name.startswith("stratum_") and data[name].nunique() > 1)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mmrm.CovarianceFellBack)  # few patients: the report says what was fitted
        model = mmrm.fit(f"chg ~ base * visit + arm * visit + {strata}", data, subject="subject", visit="visit")

    found = beside(path)["ql-12.QL.M12.difference.surgery"]["value"]
    assert found == model.contrasts("arm", by="visit").loc["M12", "estimate"]


def test_every_headline_is_handed_to_r_with_its_data(trial, path):
    script = write_r_check(trial, path.parent)

    text = script.read_text(encoding="utf-8")
    for id in ("os", "survival-36", "ql-12", "ttd-competing"):
        assert f'read.csv("{id}.csv"' in text
        assert (script.parent / f"{id}.csv").is_file()


def test_r_agrees_with_the_headlines(trial, path):
    if (program := shutil.which("Rscript")) is None:
        pytest.skip("Rscript is not installed")
    script = write_r_check(trial, path.parent)

    run = subprocess.run([program, script.name], cwd=script.parent, capture_output=True, text=True, check=True)

    assert "DIFFERS" not in run.stdout
