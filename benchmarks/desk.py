"""How long does the server take for the desk's pages, and does their number of SQL statements grow with the patients?

Landing page, compliance grid, search and one patient's timeline: 200 patients × 9 visits on both databases, and 20,000
patients over 40 sites on PostgreSQL, seen by a nurse of one site and by a monitor of all of them. Every commit is on
the disk, and what a page writes (who looked at whom) counts. The pages are asked in this process: no network.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from flask import Flask
from sqlalchemy import Engine, event

from benchmarks.measuring import Figure, report
from benchmarks.wards import BASE, BASE_SITES, SITES, fill, house_of, site_code
from epro.house import House
from epro.web.app import create_app
from tests import databases
from tests.web.staffing import Staff

SMALL_MS, LARGE_MS = 50, 150
RUNS, WARM = 15, 3
Page = Callable[[], object]


def pages_of(one: Staff, subject: str) -> dict[str, Page]:
    return {
        "landing": lambda: one.client.get("/desk", headers=one.headers),
        "compliance": lambda: one.client.get("/desk/completion", headers=one.headers),
        "search": lambda: one.post("/desk/patients/search", subject=subject[:-1]),
        "timeline": lambda: one.client.get(f"/desk/patients/{subject}", headers=one.headers),
    }


@contextmanager
def counted(engine: Engine) -> Iterator[list[str]]:
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def measured(house: House, page: Page) -> tuple[float, float, int]:
    """Median milliseconds, CPU milliseconds of this process, and the statements of one asking."""
    taken: list[float] = []
    used = 0.0
    for n in range(WARM + RUNS):
        began, used_before = time.perf_counter(), time.process_time()
        response = page()
        if n >= WARM:
            taken.append((time.perf_counter() - began) * 1000)
            used += (time.process_time() - used_before) * 1000
        if response.status_code != 200:  # type: ignore[attr-defined]
            raise RuntimeError(f"the page answers {response.status_code}")  # type: ignore[attr-defined]
    with counted(house.engine) as sent:
        page()
    return median(taken), used / RUNS, len(sent)


def figures(house: House, kind: str, patients: int, goal: int, before: dict[str, int]) -> Iterator[Figure]:
    """Of every page and either person. before: the statements that a page took with fewer patients, filled here."""
    app: Flask = create_app(house)
    subject = f"{site_code(1)}-007"
    people = {"nurse": Staff(app, house, "nurse", [site_code(1)]), "monitor": Staff(app, house, "monitor")}
    for who, one in people.items():
        for name, page in pages_of(one, subject).items():
            taken, used, sent = measured(house, page)
            sites = BASE_SITES if patients == BASE else SITES
            how = f"{kind}, {patients} patients x 9 visits, {sites} sites, {who}, {sent} statements"
            how = f"{how}, median of {RUNS}, CPU without the database's {used:.0f} ms"
            key = f"desk.{name}.{who}"
            yield Figure(f"{key}.{patients}.{kind}", round(taken, 1), "ms", "none", None, f"<= {goal}", how)
            if key in before:
                more = sent - before[key]
                yield Figure(
                    f"{key}.more_statements", more, "statements", "none", None, "<= 0", f"{how}, than with {BASE}"
                )
            elif kind == "postgresql":
                before[key] = sent


@contextmanager
def filled(url: str, sites: int, copies: int) -> Iterator[House]:
    with tempfile.TemporaryDirectory() as home:
        house = house_of(url, Path(home), sites)
        fill(house, copies)
        gc.collect()
        gc.freeze()  # what the filling left is not the service's to look through
        yield house
        house.engine.dispose()


def everything(patients: int) -> Iterator[Figure]:
    before: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder, filled(f"sqlite:///{folder}/epro.db", BASE_SITES, 1) as house:
        yield from figures(house, "sqlite", BASE, SMALL_MS, before)
    with databases.postgresql_server(durable=True) as server:
        for copies, sites, goal in ((1, BASE_SITES, SMALL_MS), (patients // BASE, SITES, LARGE_MS)):
            with databases.empty_database(server) as url, filled(url, sites, copies) as house:
                yield from figures(house, "postgresql", BASE * copies, goal, before)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.desk", description=__doc__)
    parser.add_argument("--patients", type=int, default=20_000, help="of the large trial, a multiple of 200")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a goal is missed")
    asked = parser.parse_args()
    return report(list(everything(asked.patients)), check=asked.check)


if __name__ == "__main__":
    sys.exit(main())
