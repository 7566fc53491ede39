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
STATE = ["MO", "SC", "UA", "PD", "AD"]

# file, instrument, peer, the peer's names where ours differ
CASES = [
    ("qlq_c30", "qlq-c30", "PROscorer", {"C30SUMMARY": "SUM"}),
    ("qlq_c30", "qlq-c30", "QoLR", {}),
    ("qlq_br23", "qlq-br23", "QoLR", {}),
    ("qlq_lmc21", "qlq-lmc21", "PROscorer", {}),
    ("qlq_lmc21", "qlq-lmc21", "QoLR", {
        "NUTRITION": "LMC_NP", "FATIGUE": "LMC_FA", "PAIN": "LMC_PA", "EMOTIONAL_PROBLEMS": "LMC_EP",
        "WEIGHT_LOSS": "LMC_WL", "TASTE": "LMC_TA", "DRY_MOUTH": "LMC_DM", "SORE_MOUTH": "LMC_SM",
        "PERIPHERAL_NEUROPATHY": "LMC_PN", "JAUNDICE": "LMC_JA", "SOCIAL_PROBLEMS": "LMC_FR",
        "TALKING_FEELINGS": "LMC_FE", "SEXUAL_PROBLEMS": "LMC_SX",
    }),
    ("qlq_hcc18", "qlq-hcc18", "QoLR", {}),
    ("qlq_eld14", "qlq-eld14", "QoLR", {}),
    ("qlq_info25", "qlq-info25", "QoLR", {}),
    ("rand36", "rand-36", "CamCOPS", {}),
    ("promis_global10", "promis-global10", "awell", {}),
    ("eq5d5l", "eq-5d-5l", "eq5d", {}),
    ("proctcae", "pro-ctcae", "ProAE", {}),
]  # fmt: skip

NOT_OURS = {
    "rand36": ["overall"],  # CamCOPS' own mean of all items
    "eq5d5l": ["Denmark_CW", "UK_CW", "Denmark_VT"],  # value sets that we do not have
}


def table(name: str) -> pd.DataFrame:
    file = FOLDER / name
    if not file.is_file():
        pytest.skip(f"{file.name} is not in {FOLDER}")
    return pd.read_csv(file)


def expected_of(name: str, peer: str, renamed: dict[str, str]) -> pd.DataFrame:
    expected = table(f"{name}.{peer}.csv").set_index("row").astype(float)
    expected = expected.drop(columns=NOT_OURS.get(name, [])).rename(columns=renamed)
    if name == "qlq_hcc18":
        expected["BODY_IMAGE"] = 100 - expected["BODY_IMAGE"]  # worded as problems; the peer turns it round
    if name == "proctcae":  # an attribute that was not asked counts as 0: the peer's `_impute`
        expected = expected.filter(like="_impute").rename(columns=lambda column: column.removesuffix("_impute"))
    return expected


@pytest.mark.parametrize(("name", "instrument", "peer", "renamed"), CASES, ids=[f"{c[0]}.{c[2]}" for c in CASES])
def test_every_score_agrees_with_the_peer(name, instrument, peer, renamed):
    answers = table(f"{name}.items.csv").set_index("row")
    expected = expected_of(name, peer, renamed)

    scores = questionnaires.score(answers, questionnaires.load(instrument))

    assert set(expected.columns) <= set(scores.columns)
    pd.testing.assert_frame_equal(scores[expected.columns], expected, rtol=0, atol=TOLERANCE)


def test_every_state_of_the_eq_5d_has_its_swedish_values():
    states = table("eq5d5l_all_states.eq5d.csv")

    values = questionnaires.score(states[STATE], questionnaires.load("eq-5d-5l"))

    assert len(states) == 3125
    expected = states[["Sweden_2020", "Sweden_2022"]].astype(float)
    pd.testing.assert_frame_equal(values, expected, rtol=0, atol=TOLERANCE)


TERMS = {"F": 16, "S": 1, "I": 27, "FS": 9, "FI": 18, "SI": 3, "FSI": 48}  # one PRO-CTCAE term of each attribute set
COLUMNS = {"F": "freq", "S": "sev", "I": "interf"}


@pytest.mark.parametrize("attributes", TERMS)
def test_every_combination_of_attributes_has_its_composite_grade(attributes):
    rows = table("proctcae_composite_all.ProAE.csv").query("attributes == @attributes").reset_index(drop=True)
    term = TERMS[attributes]
    items = {
        f"PROCTCAE_{term}{letter}_SCL": rows[COLUMNS[attribute]]
        for letter, attribute in zip("ABC", attributes, strict=False)
    }

    grades = questionnaires.score(pd.DataFrame(items), questionnaires.load("pro-ctcae"))

    assert len(rows) == 5 ** len(attributes)
    assert list(grades[f"PROCTCAE_{term}_COMP"]) == list(rows["grade"])


def test_the_body_image_of_the_hcc18_says_that_it_is_to_be_checked():
    doubtful = [scale.code for scale in questionnaires.load("qlq-hcc18").scales if not scale.checked]

    assert doubtful == ["BODY_IMAGE"]
