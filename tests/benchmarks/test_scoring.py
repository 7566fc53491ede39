"""Does a benchmark say what it measured, and hold it to its goal?"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.measuring import Figure, report

ROOT = Path(__file__).parents[2]


def figure(value, goal, peer_value=2.0):
    return Figure("speed", value, "forms a second", "peer", peer_value, goal, "by a test")


@pytest.mark.parametrize(
    ("value", "goal", "met"),
    [(5, ">= 5", True), (4, ">= 5", False), (5, "<= 5", True), (6, "<= 5", False), (6, None, True)],
)
def test_a_figure_knows_whether_its_goal_is_met(value, goal, met):
    assert figure(value, goal).is_met == met


def test_a_figure_is_one_line_of_json_with_its_ratio_to_the_peer():
    assert json.loads(str(figure(5, ">= 1"))) == {
        "name": "speed", "value": 5, "unit": "forms a second", "peer": "peer", "peer_value": 2.0, "ratio": 2.5,
        "goal": ">= 1", "how": "by a test",
    }  # fmt: skip


def test_an_absent_peer_has_no_figure_and_no_ratio():
    assert json.loads(str(figure(5, None, peer_value=None)))["ratio"] is None


def test_only_a_check_fails_on_a_missed_goal(capsys):
    missed = [figure(4, ">= 5")]

    assert (report(missed, check=False), report(missed, check=True)) == (0, 1)
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.slow
def test_the_scoring_benchmark_agrees_with_its_peers_and_prints_json_lines():
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.scoring", "--forms", "2000", "--runs", "1"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip

    names = [json.loads(line)["name"] for line in run.stdout.splitlines()]
    assert {"scoring.forms", "scoring.memory", "scoring.small", "scoring.import"} == set(names)
