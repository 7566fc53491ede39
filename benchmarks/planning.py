"""How long does it take to plan every patient of a large register and write it, and to plan one anew?

PostgreSQL with every commit on the disk; 9 visits of 4 texts each; a transaction for each 200 patients.
"""

import argparse
import sys
import time
from datetime import UTC, date, datetime, timedelta
from statistics import median

from sqlalchemy import Connection, Engine, create_engine

import scheduler
from benchmarks.measuring import Figure, report
from scheduler import ledger
from scheduler.planning import Plan
from scheduler.schedule import Schedule
from tests import databases
from tests.scheduler.house import ladder, sections, step, visit

PATIENTS, AT_ONCE, AGAIN = 100_000, 200, 50
NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
RANDOMISED = date(2027, 3, 1)
MONTHS = (1, 3, 6, 9, 12, 18, 24, 30, 36)
SECONDS = 180


def schedule() -> Schedule:
    steps = [step(f"s{day}", day) for day in (0, 3, 7, 10)]
    texts = {"sv": {f"s{day}": "Hej! {link}" for day in (0, 3, 7, 10)}}
    visits = {f"M{n}": visit(n) for n in MONTHS}
    return Schedule.of(sections(visit=visits, ladder=ladder(*steps, holiday_policy="next_workday"), texts=texts))


def plan(connection: Connection, trial: Schedule, subject: str, on: date) -> Plan:
    history = ledger.history(connection, subject)
    anchors = {"randomisation": on}
    return scheduler.plan(trial, anchors, subject=subject, zone="Europe/Stockholm", now=NOW, history=history)


def figures(patients: int) -> list[Figure]:
    trial = schedule()
    with databases.postgresql_server(durable=True) as server, databases.empty_database(server) as url:
        engine = create_engine(url)
        ledger.metadata.create_all(engine)
        began, worked = time.perf_counter(), time.process_time()
        for first in range(0, patients, AT_ONCE):
            with engine.begin() as connection:
                for n in range(first, min(first + AT_ONCE, patients)):
                    on = RANDOMISED + timedelta(days=n % 365)
                    scheduler.apply(connection, plan(connection, trial, f"P{n}", on), NOW)
        seconds, cpu = time.perf_counter() - began, time.process_time() - worked
        again = [_again(engine, trial, n, patients) for n in range(AGAIN)]
        engine.dispose()
    how = f"{patients} patients x {len(MONTHS)} visits x 4 texts planned and stored; {cpu:.1f} s of CPU of ours"
    goal = f"<= {SECONDS * patients / PATIENTS:g}"
    return [
        Figure("planning.all", round(seconds, 2), "s", "none", None, goal, how),
        Figure("planning.one", round(median(again) * 1000, 2), "ms", "none", None, "<= 5", f"median of {AGAIN}"),
    ]


def _again(engine: Engine, trial: Schedule, n: int, patients: int) -> float:
    """One patient whose date is corrected by a week: planned and written anew."""
    subject, on = f"P{n * 7 % patients}", RANDOMISED + timedelta(days=7 + n)
    began = time.perf_counter()
    with engine.begin() as connection:
        scheduler.apply(connection, plan(connection, trial, subject, on), NOW)
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planning", description=__doc__)
    parser.add_argument("--patients", type=int, default=PATIENTS)
    parser.add_argument("--check", action="store_true", help="exit with 1 when a goal is missed")
    asked = parser.parse_args()
    return report(figures(asked.patients), check=asked.check)


if __name__ == "__main__":
    sys.exit(main())
