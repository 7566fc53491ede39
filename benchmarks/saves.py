"""What does a saved answer cost, and does a crowd that saves at once lose one?

The Procfile's own server with two workers, every commit on the disk, audit entry included, on both databases. CPU is
that of the web processes and of the database's. LimeSurvey 6.14 took 51.7 ms a page (PHP, MariaDB; measured apart).
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

from sqlalchemy import create_engine, select, text

from benchmarks.measuring import ROOT, Figure, cpu_seconds, report
from epro.store.database import open_engine, reading
from epro.store.migrating import migrate
from epro.store.models import Answer
from tests import databases
from tests.journeys.conftest import Phone, Service, serving

KINDS = ("sqlite", "postgresql")
PATIENTS, SAVES, APART, CROWDED = 200, 30, 4.0, 0.2
ALONE = 5  # patients who answer one after the other, for the CPU of a save
LIMESURVEY_MS = 51.7


@contextmanager
def service(kind: str) -> Iterator[tuple[Service, list[int]]]:
    """A service on a database of this kind, and the processes whose CPU counts."""
    with tempfile.TemporaryDirectory() as folder:
        if kind == "sqlite":
            with _serving(f"sqlite:///{folder}/epro.db", Path(folder)) as running:
                yield running, [running.process.pid]
            return
        with databases.postgresql_server(durable=True) as server, databases.empty_database(server) as url:
            engine = create_engine(url)
            with engine.connect() as connection:
                data = connection.execute(text("SHOW data_directory")).scalar_one()
            engine.dispose()
            postmaster = int(Path(data, "postmaster.pid").read_text().split()[0])
            with _serving(url, Path(folder)) as running:
                yield running, [running.process.pid, postmaster]


@contextmanager
def _serving(url: str, folder: Path) -> Iterator[Service]:
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()
    with serving(url, folder) as running:
        yield running


def tickets(running: Service, first: int, count: int) -> list[str]:
    """Patients who have pressed Start."""
    subjects = [running.enrol(f"UME-{n:03d}") for n in range(first, first + count)]
    links: list[str] = []
    while batch := running.tick(running.first_text_is_due_at(subjects[0])):
        links += batch
    assert len(links) == count
    pages = []
    for link in links:
        phone = Phone(running.address)
        pages.append(phone.press(phone.open(link)).html)
    return [page.split('"ticket": "')[1].split('"')[0] for page in pages]


def crowd(running: Service, tickets: list[str], apart: float) -> dict[str, list[float]]:
    """What phones saw that all save at once."""
    asked = [sys.executable, "-m", "benchmarks.crowd", running.address, str(apart), str(SAVES)]
    run = subprocess.run(asked, input=json.dumps(tickets), cwd=ROOT, capture_output=True, text=True, check=True)
    seen: dict[str, list[float]] = json.loads(run.stdout)
    return seen


def lost(running: Service, kept: list[float]) -> int:
    """Saves that were acknowledged and are not there."""
    with reading(running.house.engine) as connection:
        return len(set(kept) - set(connection.execute(select(Answer.key)).scalars()))


def figures(kind: str, patients: int) -> Iterator[Figure]:
    with service(kind) as (running, roots):
        alone = tickets(running, 1, ALONE)
        crowd(running, alone[:1], 0)  # warms up
        before = cpu_seconds(roots)
        seen = crowd(running, alone[1:], 0.05)
        cost = (cpu_seconds(roots) - before) * 1000 / max(1, len(seen["kept"]))
        how = f"{kind}, {len(seen['kept'])} saves, database and audit entry included"
        yield Figure(f"saves.cpu.{kind}", round(cost, 2), "ms", "LimeSurvey 6.14", LIMESURVEY_MS, "<= 15", how)
        for name, apart, goal in (("busy", APART, "<= 500"), ("overload", CROWDED, None)):
            first = ALONE + 1 + (0 if name == "busy" else patients)
            seen = crowd(running, tickets(running, first, patients), apart)
            how = f"{kind}, {patients} patients at once, {SAVES} saves each, {apart:g} s apart, 2 workers"
            p99 = quantiles(seen["taken"], n=100)[98] * 1000
            yield Figure(f"saves.{name}.p99.{kind}", round(p99), "ms", "none", None, goal, how)
            yield Figure(f"saves.{name}.errors.{kind}", seen["errors"], "saves", "none", None, "<= 0", how)  # type: ignore[arg-type]
            yield Figure(f"saves.{name}.lost.{kind}", lost(running, seen["kept"]), "saves", "none", None, "<= 0", how)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.saves", description=__doc__)
    parser.add_argument("--patients", type=int, default=PATIENTS)
    parser.add_argument("--on", choices=KINDS, nargs="+", default=KINDS, help="only these databases")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a goal is missed")
    asked = parser.parse_args()
    return max(report(list(figures(kind, asked.patients)), check=asked.check) for kind in asked.on)


if __name__ == "__main__":
    sys.exit(main())
