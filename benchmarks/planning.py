"""How long does it take to plan every patient of a large register and write it, and to plan one anew?

PostgreSQL with every commit on the disk; 9 visits of 4 texts each; a transaction for each 200 patients.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from statistics import median

from sqlalchemy import Engine, create_engine, text

import scheduler
from benchmarks.measuring import Figure, cpu_seconds, report
from scheduler import ledger
from scheduler.applying import apply_all
from scheduler.schedule import Schedule
from tests import databases
from tests.scheduler.house import ZONE, ladder, sections, step, visit

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


def store(engine: Engine, trial: Schedule, days: Mapping[str, date]) -> None:
    """Plan these patients anew from their day of randomisation, and write what differs."""
    with engine.begin() as connection:
        histories = ledger.histories(connection, days)
        plans = [
            scheduler.plan(
                trial, {"randomisation": on}, subject=subject, zone=ZONE, now=NOW, history=histories[subject]
            )
            for subject, on in days.items()
        ]
        apply_all(connection, plans, NOW)


def figures(patients: int) -> list[Figure]:
    trial = schedule()
    with databases.postgresql_server(durable=True) as server, databases.empty_database(server) as url:
        engine = create_engine(url)
        ledger.metadata.create_all(engine)
        server_process = _server_process(engine)
        began, worked = time.perf_counter(), time.process_time()
        for first in range(0, patients, AT_ONCE):
            some = range(first, min(first + AT_ONCE, patients))
            store(engine, trial, {f"P{n}": RANDOMISED + timedelta(days=n % 365) for n in some})
        seconds, cpu = time.perf_counter() - began, time.process_time() - worked
        theirs = cpu_seconds([server_process])
        again = [_again(engine, trial, n, patients) for n in range(AGAIN)]
        engine.dispose()
    spent = f"CPU: {cpu:.1f} s ours, {theirs:.1f} s PostgreSQL's"
    how = f"{patients} patients x {len(MONTHS)} visits x 4 texts planned and stored; {spent}"
    goal = f"<= {SECONDS * patients / PATIENTS:g}"
    return [
        Figure("planning.all", round(seconds, 2), "s", "none", None, goal, how),
        Figure("planning.one", round(median(again) * 1000, 2), "ms", "none", None, "<= 5", f"median of {AGAIN}"),
    ]


def _server_process(engine: Engine) -> int:
    """Of the one connection that everything goes through."""
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


def _again(engine: Engine, trial: Schedule, n: int, patients: int) -> float:
    """One patient whose date is corrected by a week: planned and written anew."""
    corrected = {f"P{n * 7 % patients}": RANDOMISED + timedelta(days=7 + n * 7 % patients % 365)}
    began = time.perf_counter()
    store(engine, trial, corrected)
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planning", description=__doc__)
    parser.add_argument("--patients", type=int, default=PATIENTS)
    parser.add_argument("--check", action="store_true", help="exit with 1 when a goal is missed")
    asked = parser.parse_args()
    return report(figures(asked.patients), check=asked.check)


if __name__ == "__main__":
    sys.exit(main())
