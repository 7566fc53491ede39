"""A masked report: no name, variable or order in it tells which arm is which."""

import json
import re

import pytest

from analysis import report
from analysis.masking import masked, read_key

TELLING = re.compile(rb"surg|control|interven|operat", re.IGNORECASE)


@pytest.fixture(scope="module")
def trial(written, sixty, tmp_path_factory):
    return written(tmp_path_factory.mktemp("trial"), sixty)


@pytest.fixture(scope="module", params=[{"surgery": "A", "control": "B"}, {"surgery": "B", "control": "A"}])
def blind(trial, request, tmp_path_factory):
    hidden = masked(trial, request.param)
    return report(hidden, hidden.plan, tmp_path_factory.mktemp("masked"), command="epro report FOLDER --masked")


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


def test_a_masked_number_is_that_of_the_arm_behind_the_letter(trial, blind, tmp_path):
    open_numbers = json.loads((report(trial, trial.plan, tmp_path, only=["os"]).parent / "numbers.json").read_text())
    numbers = json.loads((blind.parent / "numbers.json").read_text(encoding="utf-8"))["numbers"]

    events = {arm: open_numbers["numbers"][f"os.events.{arm}"]["value"] for arm in ("surgery", "control")}
    assert {numbers["os.events.A"]["value"], numbers["os.events.B"]["value"]} == set(events.values())


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
