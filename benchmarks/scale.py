"""What does a register of a hundred thousand patients take: to plan, on the disk, and on one busy day of texts?

The service's own verbs and tables on PostgreSQL, every commit on the disk. Some patients of the last three years are
enrolled by the verb, several to a transaction, by two processes; their rows, but for the record, are copied under other
subject ids until there are as many as asked for (--enrolled equal to --patients copies nobody). Four clocks then send
what is due on the busiest day of the next week, through the service's own writer (facts, plan and link anew for every
text), to a carrier in their own process that takes everything.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, func, select, text

from benchmarks.measuring import ROOT, Figure, cpu_seconds
from benchmarks.register import AT_ONCE, COPIED, NOW, copy, fill, form, opened, prepare, send, sent_at
from epro.opening import HANDS, in_force
from epro.store.database import writing
from epro.store.models import Link
from scheduler.tables import message
from tests import databases

PATIENTS, ENROLLED, FILLERS, CLOCKS, FORMS, WEEK_DAYS = 100_000, 2_000, 2, 4, 20, 7
KILOBYTE, GIGABYTE = 1e3, 1e9


def run_together(commands: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """What each process prints as JSON, all of them at once."""
    begun = [
        subprocess.Popen([sys.executable, "-m", "benchmarks.scale", *command], cwd=ROOT, stdout=subprocess.PIPE)
        for command in commands
    ]
    said = [process.communicate()[0] for process in begun]
    assert all(process.returncode == 0 for process in begun), "a process failed"
    return [json.loads(each) for each in said]


def enrolled(place: Path, count: int, roots: list[int], engine: Engine) -> Iterator[Figure]:
    """What the verb costs a patient: CPU of both sides, and the disk."""
    size, cpu = database_bytes(engine), cpu_seconds(roots)
    began = time.perf_counter()
    fillers = run_together(
        [["--fill", str(part), str(FILLERS), str(count), "--place", str(place)] for part in range(FILLERS)]
    )
    seconds, ours = time.perf_counter() - began, sum(each["cpu"] for each in fillers)
    how = f"{count} patients by the verb, {AT_ONCE} to a transaction, {FILLERS} processes, {seconds:.0f} s in all"
    yield Figure("scale.enrol.cpu", round(ours * 1000 / count, 2), "ms a patient", "none", None, None, how)
    theirs = (cpu_seconds(roots) - cpu) * 1000 / count
    yield Figure("scale.enrol.database_cpu", round(theirs, 2), "ms a patient", "none", None, None, how)
    each = (database_bytes(engine) - size) / count / KILOBYTE
    yield Figure("scale.enrol.disk", round(each, 1), "kB a patient", "none", None, None, f"{how}, with the record")


def copied(engine: Engine, times: int) -> Iterator[Figure]:
    began = time.perf_counter()
    with databases.unsealed(engine) as connection:  # the seal asks for a new entry with every row
        for table in COPIED:
            copy(connection, table, times)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))  # what the database would do by itself in time
        rows = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in COPIED
        }
    how = f"copied in {time.perf_counter() - began:.0f} s; " + ", ".join(f"{name} {n}" for name, n in rows.items())
    yield Figure("scale.patients", rows["patient"], "rows", "none", None, None, how)
    yield Figure("scale.texts_planned", rows["message"], "rows", "none", None, None, how)
    with engine.connect() as connection:
        size = connection.execute(text("SELECT pg_total_relation_size('message')")).scalar_one()
    each = round(size / rows["message"] / KILOBYTE, 3)
    yield Figure("scale.text_planned.disk", each, "kB a row", "none", None, None, "the ledger's row with its indexes")
    disk = database_bytes(engine) / GIGABYTE
    yield Figure(
        "scale.disk", round(disk, 2), "GB", "none", None, None, "the whole database; record of the enrolled alone"
    )


def busy_day(engine: Engine) -> date:
    """The day of the next week with the most texts."""
    within = (message.c.state == "planned") & (message.c.send_on <= NOW.date() + timedelta(days=WEEK_DAYS))
    statement = (
        select(message.c.send_on).where(within).group_by(message.c.send_on).order_by(func.count().desc()).limit(1)
    )
    with engine.connect() as connection:
        on: date = connection.execute(statement).scalar_one()
    return on


def sent(place: Path, on: date, roots: list[int], engine: Engine) -> Iterator[Figure]:
    size, cpu = database_bytes(engine), cpu_seconds(roots)
    clocks = run_together([["--send", on.isoformat(), "--place", str(place)]] * CLOCKS)
    total = sum(clock["accepted"] for clock in clocks)
    seconds = max(clock["ended"] for clock in clocks) - min(clock["began"] for clock in clocks)
    how = f"{total} texts of {on}, {CLOCKS} clocks of {HANDS} hands, {seconds:.0f} s, {os.cpu_count()} cores shared"
    yield Figure("scale.texts", round(total / seconds, 1), "texts a second", "none", None, None, how)
    ours, theirs = sum(clock["cpu"] for clock in clocks) * 1000 / total, (cpu_seconds(roots) - cpu) * 1000 / total
    yield Figure("scale.text.cpu", round(ours, 2), "ms a text", "none", None, None, how)
    yield Figure("scale.text.database_cpu", round(theirs, 2), "ms a text", "none", None, None, how)
    each = (database_bytes(engine) - size) / total / KILOBYTE
    yield Figure("scale.text.disk", round(each, 2), "kB a text", "none", None, None, f"{how}; not yet vacuumed")
    peak = max(clock["peak"] for clock in clocks)
    yield Figure("scale.clock.memory", round(peak, 1), "MB a clock", "none", None, None, how)


def answered(place: Path, on: date, roots: list[int], engine: Engine) -> Iterator[Figure]:
    """What a form costs: every answer saved by itself, as a phone does, and submitted."""
    now = sent_at(on) + timedelta(hours=1)
    with opened(place) as house:
        house = in_force(house)
        with writing(engine) as connection:
            hashes = connection.execute(select(Link.token_hash).order_by(Link.token_hash).limit(FORMS)).scalars().all()
        size, cpu, began, saves = database_bytes(engine), cpu_seconds(roots), time.process_time(), 0
        for token_hash in hashes:
            for step in form(house, token_hash, now):
                with writing(house.engine) as connection:
                    step(connection)
                saves += 1
    ours, theirs = time.process_time() - began, cpu_seconds(roots) - cpu
    each = (database_bytes(engine) - size) / len(hashes) / KILOBYTE
    how = f"{len(hashes)} forms of QLQ-C30, {saves // len(hashes)} transactions each, with the record"
    yield Figure("scale.form.disk", round(each, 1), "kB a form", "none", None, None, how)
    yield Figure(
        "scale.form.cpu", round(ours * 1000 / saves, 2), "ms a transaction", "none", None, None, f"{how}; no web"
    )
    yield Figure(
        "scale.form.database_cpu", round(theirs * 1000 / saves, 2), "ms a transaction", "none", None, None, how
    )


def database_bytes(engine: Engine) -> int:
    with engine.connect() as connection:
        size: int = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
    return size


def figures(count: int, by_verb: int) -> Iterator[Figure]:
    with (
        tempfile.TemporaryDirectory() as folder,
        databases.postgresql_server(durable=True) as server,
        databases.empty_database(server) as url,
    ):
        place, engine = Path(folder), create_engine(url)
        prepare(place, url)
        roots = [postmaster(engine)]
        yield from enrolled(place, by_verb, roots, engine)
        yield from copied(engine, count // by_verb - 1)
        on = busy_day(engine)
        yield from sent(place, on, roots, engine)
        yield from answered(place, on, roots, engine)
        engine.dispose()


def postmaster(engine: Engine) -> int:
    with engine.connect() as connection:
        data = connection.execute(text("SHOW data_directory")).scalar_one()
    return int(Path(data, "postmaster.pid").read_text(encoding="ascii").split()[0])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--patients", type=int, default=PATIENTS)
    parser.add_argument("--enrolled", type=int, default=ENROLLED, help="how many of them by the verb")
    parser.add_argument("--fill", type=int, nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--send", type=date.fromisoformat, help=argparse.SUPPRESS)
    parser.add_argument("--place", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.fill:
        print(json.dumps(fill(asked.place, *asked.fill)))
        return 0
    if asked.send:
        print(json.dumps(send(asked.place, asked.send)))
        return 0
    for figure in figures(asked.patients, asked.enrolled):
        print(figure, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
