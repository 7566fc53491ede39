"""R's figures, when R's data come in as a trial folder: the whole way from dates to the report's numbers."""

import json
from datetime import date, timedelta

import pandas as pd
import pytest

from analysis import report

START = date(2000, 1, 1)


@pytest.fixture
def numbers(written, breclim, sixty, patients, tmp_path):
    """The lung data as a trial of two arms, men (control) and women (surgery), and a report's numbers of it."""
    lung = patients("lung").reset_index(drop=True)
    ended_on = pd.Series([START + timedelta(days=int(days)) for days in lung["time"]])
    died = lung["event"] == 1
    subjects = pd.DataFrame(
        {
            "subject": [f"P-{row:03d}" for row in lung.index],
            "arm": lung["female"].map({0: "control", 1: "surgery"}),
            "consented_on": START,
            "randomised_on": START,
            "died_on": ended_on.where(died, None),
            "last_alive_on": ended_on,
        }
    )
    analysis = {**breclim["analysis"], "strata": [], "estimand": {"os": breclim["analysis"]["estimand"]["os"]}}
    tables = {"subjects": subjects, "forms": sixty["forms"][:0], "answers": sixty["answers"][:0]}
    trial = written(tmp_path / "data", tables, plan={**breclim, "analysis": analysis})
    path = report(trial, trial.plan, tmp_path / "report", only=["os"])
    return json.loads((path.parent / "numbers.json").read_text(encoding="utf-8"))["numbers"]


def test_the_survival_section_gives_rs_figures_from_dates(numbers, figures):
    theirs = figures("lung")["by_sex"]  # R survival 3.5-3

    assert numbers["os.1.logrank.surgery.chi_square"]["value"] == pytest.approx(theirs["logrank"]["chisq"], rel=1e-8)
    assert numbers["os.1.logrank.surgery.p"]["value"] == pytest.approx(theirs["logrank"]["p"], rel=1e-7)
    assert numbers["os.events.control"]["value"] + numbers["os.events.surgery"]["value"] == theirs["events"]
