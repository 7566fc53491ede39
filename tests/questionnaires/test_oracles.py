"""Do our scores agree with other software, in every cell of every row?

The folder is $EPRO_ORACLES, else tests/oracles; a file it does not have is skipped by name.
"""

import os
from pathlib import Path

import pandas as pd
import pytest

import questionnaires

FOLDER = Path(os.environ.get("EPRO_ORACLES") or Path(__file__).parents[1] / "oracles") / "scoring"
TOLERANCE = 1e-8  # the README of the oracles

# file, instrument, peer, the peer's names where ours differ
CASES = [
    ("qlq_c30", "qlq-c30", "PROscorer", {"C30SUMMARY": "SUM"}),
    ("qlq_c30", "qlq-c30", "QoLR", {}),
]


def table(name: str) -> pd.DataFrame:
    file = FOLDER / name
    if not file.is_file():
        pytest.skip(f"{file.name} is not in {FOLDER}")
    return pd.read_csv(file, index_col="row")


@pytest.mark.parametrize(("name", "instrument", "peer", "renamed"), CASES, ids=[f"{c[0]}.{c[2]}" for c in CASES])
def test_every_score_agrees_with_the_peer(name, instrument, peer, renamed):
    answers = table(f"{name}.items.csv")
    expected = table(f"{name}.{peer}.csv").rename(columns=renamed).astype(float)

    scores = questionnaires.score(answers, questionnaires.load(instrument))

    pd.testing.assert_frame_equal(scores[expected.columns], expected, rtol=0, atol=TOLERANCE)
