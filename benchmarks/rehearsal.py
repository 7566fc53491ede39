"""How long does it take to rehearse BreCLIM-2, from the first enrolment to the last visit?

200 patients over 36 months each, one in ten through the web application's own routes; with --http all of them. `epro
rehearse` runs as a process of its own: every step held to every rule, the export, the analysis and the report counted.
No other system plays a trial, so that no peer is named; the nearest, opening tasks by hand or waiting, has no time.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time

from benchmarks.measuring import ROOT, Figure, report

TRIAL = "epro/trials/breclim-2.toml"
GOALS = {"10": "<= 120", "all": "<= 480"}  # seconds on two cores


def measured(http: str) -> list[Figure]:
    """Wall time, texts a second, and peak memory of the process."""
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "epro", "rehearse", TRIAL, "--http", http, "--out", place, "--json"]
        begin = time.perf_counter()
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        seconds = time.perf_counter() - begin
    used, found = resource.getrusage(resource.RUSAGE_CHILDREN), json.loads(run.stdout.splitlines()[-1])
    share = "every patient" if http == "all" else f"one patient in {http}"
    how = f"{found['steps']} steps, {found['texts']['left']} texts, {share} over HTTP, {used.ru_utime:.0f} CPU-seconds"
    name = f"rehearsal.http-{http}"
    return [
        Figure(f"{name}.seconds", round(seconds, 1), "s", "none", None, GOALS[http], how),
        Figure(f"{name}.cpu", round(used.ru_utime + used.ru_stime, 1), "CPU s", "none", None, None, how),
        Figure(f"{name}.memory", round(used.ru_maxrss / 1024**2, 2), "GB", "none", None, None, how),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--http", action="store_true", help="All patients through the web application.")
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    sys.exit(report(measured("all" if asked.http else "10"), check=asked.check))
