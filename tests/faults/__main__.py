"""Break it on purpose: `python -m tests.faults f1 [--times 200] [--on sqlite]`. Exit code 0: it held."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.faults.place import Verdict, place
from tests.faults.places import crashing_server, database
from tests.faults.scenes import f1, f6, f9, f10

TIMES = {"f1": 200, "f6": 20, "f9": 100, "f10": 1}


def run(fault: str, kind: str, times: int) -> Verdict:
    if fault == "f6":
        with crashing_server() as (url, pg_ctl), tempfile.TemporaryDirectory() as home:
            return f6(place(url, Path(home)), times, lambda: pg_ctl("restart -m immediate"))
    with database(kind) as (url, home):
        if fault == "f10":
            found, untold = f10(place(url, home, count=50))
            assert untold == 0, f"{untold} saves were kept and cut"
            return found
        scene = {"f1": f1, "f9": f9}[fault]
        return scene(place(url, home), times)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("fault", choices=sorted(TIMES))
    parser.add_argument("--times", type=int, help="how often; unless given, as the trial plan asks")
    parser.add_argument("--on", choices=["sqlite", "postgresql"], action="append", help="f6 is PostgreSQL's alone")
    asked = parser.parse_args()
    kinds = ["postgresql"] if asked.fault == "f6" else asked.on or ["sqlite", "postgresql"]
    verdicts = {kind: run(asked.fault, kind, asked.times or TIMES[asked.fault]) for kind in kinds}
    for kind, found in verdicts.items():
        sys.stdout.write(f"{asked.fault} on {kind}: {'held' if found.is_well else 'NOT HELD'}; {found}\n")
    return 0 if all(found.is_well for found in verdicts.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
