"""Do the benchmarks of estimators run at a small size, agree with their peer, and say what they measured?"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def lines_of(*arguments):
    run = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return {line["name"]: line for line in map(json.loads, run.stdout.splitlines())}


def test_survival_is_measured_beside_lifelines_or_says_that_it_lacks_this():
    lines = lines_of("benchmarks.survival", "--patients", "300", "--runs", "1")

    assert lines["survival.changing"]["peer_value"] > 0
    assert lines["survival.gray"]["peer"] == "lifelines (absent)"


def test_the_mixed_model_is_measured_and_r_is_live_or_recorded():
    line = lines_of("benchmarks.mmrm", "mmrm.small", "--runs", "1")["mmrm.small"]

    assert line["peer"] in ("R mmrm", "R mmrm (recorded)")
    assert line["value"] > 0


def test_the_joint_model_is_measured_and_r_is_live_or_named_absent():
    line = lines_of("benchmarks.joint", "--runs", "1")["joint.weibull"]

    assert line["peer"] in ("R JM", "R JM (absent)")
    assert line["value"] > 0


def test_replicates_are_measured_beside_lifelines_and_agree_with_it():
    line = lines_of("benchmarks.replicates", "--trials", "40", "--runs", "1")["replicates.cox"]

    assert line["peer_value"] > line["value"] > 0
