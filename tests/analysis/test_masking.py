"""A masked report: no name, variable or order in it tells which arm is which."""

import re

import numpy as np
import pandas as pd
import pytest

from analysis import report
from analysis.masking import masked, read_key
from tests.analysis.conftest import CUT_ON
from tests.analysis.reading import numbers_beside

TELLING = re.compile(rb"surg|control|interven|operat", re.IGNORECASE)


OTHER = {"surgery": "control", "control": "surgery"}


@pytest.fixture(scope="module")
def telling(forty):
    """The tables, with things that one arm alone has: a covariate, a questionnaire, an event named after it."""
    arm = forty["subjects"].set_index("subject")["arm"]
    operated = forty["covariates"]["subject"].map(arm) == "surgery"
    covariates = forty["covariates"].assign(
        segments=np.where(operated, 2.0, np.nan), unit=np.where(operated, "x", None)
    )
    mine = forty["forms"][(forty["forms"]["visit"] == "M3") & (forty["forms"]["subject"].map(arm) == "surgery")]
    forms = pd.concat([forty["forms"], mine.assign(instrument="eq-5d-5l")], ignore_index=True)
    events = forty["adverse_events"].copy()
    events.loc[events.index[0], "term"] = "Bleeding after surgery"
    return {**forty, "covariates": covariates, "forms": forms, "adverse_events": events}


@pytest.fixture(scope="module")
def plan(short):
    """The plan with those covariates, and one as a factor."""
    planned = {"segments": {"label": "Segments"}, "unit": {"label": "Unit", "kind": "text"}}
    planned["days"] = {"label": "Days to surgery"}
    estimand = short["analysis"]["estimand"]
    factors = [*estimand["prognostic"]["factors"], "segments"]
    analysis = {**short["analysis"], "covariate": {**short["analysis"]["covariate"], **planned}}
    analysis["estimand"] = {**estimand, "prognostic": {**estimand["prognostic"], "factors": factors}}
    return {**short, "analysis": analysis}


@pytest.fixture(scope="module")
def trial(written, telling, plan, tmp_path_factory):
    return written(tmp_path_factory.mktemp("trial"), telling, CUT_ON, plan)


def reported(trial, key, folder):
    hidden = masked(trial, key)
    return report(hidden, hidden.plan, folder, command="epro report FOLDER --masked")


@pytest.fixture(scope="module")
def blind(trial, tmp_path_factory):
    return reported(trial, {"surgery": "A", "control": "B"}, tmp_path_factory.mktemp("masked"))


def test_were_the_arms_the_other_way_round_the_report_would_be_the_same(blind, written, telling, plan, tmp_path):
    """Who is called A is called A again, though now of the other arm: only the hash of the data tells."""
    turned = {**telling, "subjects": telling["subjects"].assign(arm=telling["subjects"]["arm"].map(OTHER))}
    trial = written(tmp_path / "data", turned, CUT_ON, plan)

    other = reported(trial, {"surgery": "B", "control": "A"}, tmp_path / "masked")

    digest = re.compile(rb"[0-9a-f]{64}")
    files = sorted(file.relative_to(blind.parent) for file in blind.parent.rglob("*.*"))
    assert files == sorted(file.relative_to(other.parent) for file in other.parent.rglob("*.*"))
    for file in files:
        one, two = ((path.parent / file).read_bytes() for path in (blind, other))
        assert digest.sub(b"", one) == digest.sub(b"", two), file


def test_what_one_arm_alone_has_is_left_out_and_what_both_have_stays(blind, trial):
    text, numbers = blind.read_text(encoding="utf-8"), set(numbers_beside(blind))

    assert "segments" in trial.plan.analysis.covariate
    assert not any("segments" in id or "eq-5d-5l" in id or ".unit." in id for id in numbers)
    assert "Segments" not in text
    assert {"baseline.age.A.mean", "baseline.ecog.0.B", "prognostic.age.hr"} <= numbers


def test_no_file_of_a_masked_report_names_an_arm_in_text_metadata_or_file_name(blind):
    for file in blind.parent.rglob("*"):
        assert not TELLING.search(file.name.encode()), file.name
        if file.is_file():
            found = TELLING.search(file.read_bytes()) if file.suffix != ".png" else None
            assert not found, (file.name, found)


def test_the_metadata_of_a_masked_image_name_no_arm(blind):
    for file in (blind.parent / "figures").glob("*.png"):
        before_pixels = file.read_bytes().partition(b"IDAT")[0]
        assert not TELLING.search(before_pixels), file.name


def test_arms_stand_in_the_order_of_their_letters_whatever_the_key(blind):
    text = blind.read_text(encoding="utf-8")

    head = re.search(r"Patients</th><th scope=\"col\">(.*?)</th><th scope=\"col\">(.*?)</th>", text)
    assert head.groups() == ("Arm A", "Arm B")


def test_the_report_says_that_masking_is_partial(blind):
    assert "Masking is partial" in blind.read_text(encoding="utf-8")


def test_a_masked_number_is_that_of_the_arm_behind_the_letter(trial, blind):
    died = trial.randomised["died_on"].notna()

    for arm, letter in (("surgery", "A"), ("control", "B")):
        events = numbers_beside(blind)[f"os.events.{letter}"]["value"]
        assert events == (died & (trial.randomised["arm"] == arm)).sum()


def test_the_key_is_drawn_once_and_kept(tmp_path):
    file = tmp_path / "key.json"

    first = read_key(file, ["surgery", "control"])

    assert sorted(first.values()) == ["A", "B"]
    assert read_key(file, ["surgery", "control"]) == first
    assert file.stat().st_mode & 0o077 == 0


def test_another_trials_key_is_refused(tmp_path):
    file = tmp_path / "key.json"
    file.write_text('{"drug": "A", "placebo": "B"}')

    with pytest.raises(ValueError, match="is the key of other arms"):
        read_key(file, ["surgery", "control"])
