"""Parts of a report by a verb: what a notebook shows is what the report shows."""

import re
import runpy
import shutil
import subprocess

import pandas as pd
import pytest

from analysis import read_trial
from analysis.rcheck import write_r_check
from analysis.sections.contents import NoSuchSection
from tests.analysis.reading import numbers_beside


@pytest.fixture(scope="module")
def trial(sixty_trial):
    return read_trial(sixty_trial.folder)


@pytest.fixture(scope="module")
def path(sixty_report):
    return sixty_report


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
    numbers = {id: each["value"] for id, each in numbers_beside(path).items()}
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


def test_every_headline_is_handed_to_r_with_its_data(trial, path):
    """Each file it reads is there with the columns it names, and each number it compares is among those reported."""
    script = write_r_check(trial, path.parent)

    text = script.read_text(encoding="utf-8")
    reported, beside = pd.read_csv(script.parent / "reported.csv").set_index("id"), numbers_beside(path)
    blocks = text.split("\nif (have(")[1:]
    read = [re.search(r'read\.csv\("(.+?)\.csv"', block)[1] for block in blocks]
    of_methods = ("cox", "survival at a month", "median survival", "mmrm", "time to deterioration")
    headlines = [id for id, each in trial.plan.analysis.estimand.items() if each.method in of_methods]
    assert read == headlines
    for id, block in zip(read, blocks, strict=True):
        columns = set(pd.read_csv(script.parent / f"{id}.csv").columns)
        assert set(re.findall(r"d\$(\w+)", block)) <= columns, id
        compared = [*re.findall(r'compare\("(.+?)"', block)]
        compared += [f"{one}{arm}" for one in re.findall(r'compare\(paste0\("(.+?)"', block) for arm in trial.plan.arms]
        assert compared, id
        for each in compared:  # a median that is not reached has no value to compare
            assert each in reported.index or beside[each]["value"] is None, each


def test_the_script_for_r_closes_all_that_it_opens(trial, path):
    text = write_r_check(trial, path.parent).read_text(encoding="utf-8")
    code = re.sub(r'"(?:[^"\\]|\\.)*"', "", "\n".join(line.partition("#")[0] for line in text.splitlines()))

    assert '"' not in code
    opened = []
    for mark in re.findall(r"[(){}\[\]]", code):
        if mark in "({[":
            opened.append(mark)
        else:
            assert "({["[")}]".index(mark)] == opened.pop()
    assert opened == []


def test_r_agrees_with_the_headlines(trial, path):
    if (program := shutil.which("Rscript")) is None:
        pytest.skip("Rscript is not installed")
    script = write_r_check(trial, path.parent)

    run = subprocess.run([program, script.name], cwd=script.parent, capture_output=True, text=True, check=True)

    assert "DIFFERS" not in run.stdout
