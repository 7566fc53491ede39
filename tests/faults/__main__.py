"""Break it on purpose: `python -m tests.faults f1 [--times 200] [--on sqlite]`. Exit code 0: it held.

f2 to f5 and f8 are of the texts, and take their number of turns from their tests; f6 is of both.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.faults.place import Verdict, place
from tests.faults.places import crashing_server, database, full_disk
from tests.faults.scenes import f1, f6, f7, f9, f10

TIMES = {"f1": 200, "f6": 20, "f7": 1, "f9": 100, "f10": 1}
OF_TEXTS = {  # fault: the tests in which senders, carrier, database and clock fail
    "f2": ["test_fire.py::test_killed_at_two_hundred_random_moments_every_text_is_accepted_once"],
    "f3": ["test_fire.py::test_killed_fifty_times_at_each_point_every_text_is_accepted_once"],
    "f4": ["test_faults.py"],
    "f5": ["test_fire.py::test_many_clocks_on_one_ledger_send_each_text_once", "test_killed.py"],
    "f6": ["test_database_killed.py"],
    "f8": ["test_clock.py::test_a_clock_that_was_set_sends_nothing_and_says_so_until_it_is_right_again"],
}
SCHEDULER = Path(__file__).parents[1] / "scheduler"


def run(fault: str, kind: str, times: int) -> Verdict:
    if fault == "f6":
        with crashing_server() as (url, pg_ctl), tempfile.TemporaryDirectory() as home:
            return f6(place(url, Path(home)), times, lambda: pg_ctl("restart -m immediate"))
    if fault == "f7":
        with full_disk(kind) as (url, disk), tempfile.TemporaryDirectory() as home:
            return f7(place(url, Path(home), count=1), disk)
    with database(kind) as (url, home):
        if fault == "f10":
            found, untold = f10(place(url, home, count=50))
            assert untold == 0, f"{untold} saves were kept and cut"
            return found
        scene = {"f1": f1, "f9": f9}[fault]
        return scene(place(url, home), times)


def of_texts(fault: str, kinds: list[str]) -> int:
    """The exit code of the tests in which this fault befalls the texts; on both databases unless one is named."""
    tests = [str(SCHEDULER / test) for test in OF_TEXTS[fault]]
    other = [kind for kind in ("sqlite", "postgresql") if kind not in kinds]
    chosen = ["-k", f"not {other[0]}"] if len(other) == 1 else []
    return subprocess.call([sys.executable, "-m", "pytest", "-p", "no:xdist", "-q", *tests, *chosen])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("fault", choices=sorted({*TIMES, *OF_TEXTS}, key=lambda fault: int(fault[1:])))
    parser.add_argument("--times", type=int, help="how often; unless given, as the trial plan asks")
    said = "f6 is PostgreSQL's alone; f7 mounts a disk of its own, as root alone may"
    parser.add_argument("--on", choices=["sqlite", "postgresql"], action="append", help=said)
    asked = parser.parse_args()
    texts_failed = of_texts(asked.fault, asked.on or []) if asked.fault in OF_TEXTS else 0
    if asked.fault not in TIMES:
        return texts_failed
    kinds = ["postgresql"] if asked.fault == "f6" else asked.on or ["sqlite", "postgresql"]
    verdicts = {kind: run(asked.fault, kind, asked.times or TIMES[asked.fault]) for kind in kinds}
    for kind, found in verdicts.items():
        sys.stdout.write(f"{asked.fault} on {kind}: {'held' if found.is_well else 'NOT HELD'}; {found}\n")
    return 0 if not texts_failed and all(found.is_well for found in verdicts.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
