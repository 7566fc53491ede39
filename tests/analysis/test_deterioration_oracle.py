"""Every cell of QoLR 1.0.3's times to deterioration (ttd.QoLR.csv) of 200 invented patients, observed forms only."""

import pandas as pd
import pytest

from analysis.deterioration import Definition, time_to
from tests.analysis.conftest import oracle_file

START = pd.Timestamp("2027-01-01")
KINDS = {"def1": "without recovery", "def2": "definitive", "def3": "until definitive"}


@pytest.fixture(scope="module")
def forms():
    rows = pd.read_csv(oracle_file("scoring/ttd.long.csv"))
    return rows.assign(
        subject=rows["id"], baseline=rows["visit"] == 1, answered_on=START + pd.to_timedelta(rows["day"], unit="D")
    )


@pytest.fixture(scope="module")
def subjects(forms):
    each = forms.drop_duplicates("subject")
    died_on = START + pd.to_timedelta(each["death_day"], unit="D")
    return pd.DataFrame({"subject": each["subject"], "randomised_on": START, "died_on": died_on})


def definition_of(analysis, scale):
    """As TUDD_baseline_def2_mcid10_death says it."""
    name, reference, *rest = analysis.split("_")
    kind = "first" if name == "TTD" else KINDS[rest[0]]
    points = next(int(part.removeprefix("mcid")) for part in rest if part.startswith("mcid"))
    death = "event" if rest[-1] == "death" else "ignored"
    no_baseline = "censored at 0" if reference == "baseline" else "first score"  # as QoLR does
    return Definition(
        scale, scale, points, scale == "QL", kind, reference, death, no_baseline=no_baseline, clock="randomisation"
    )


def test_every_definition_agrees_with_qolr_cell_by_cell(forms, subjects):
    expected = pd.read_csv(oracle_file("scoring/ttd.QoLR.csv"))

    for (analysis, scale), theirs in expected.groupby(["analysis", "score"]):
        ours = time_to(forms, subjects, definition_of(analysis, scale)).set_index("subject").reindex(theirs["id"])
        known = theirs["event"].notna().to_numpy()
        wrong = ours["event"].astype(float).to_numpy() != theirs["event"].to_numpy()
        wrong |= abs(ours["time"].to_numpy() - theirs["time"].to_numpy()) > 1e-6
        assert theirs["id"][known & wrong].tolist() == [], (analysis, scale)
