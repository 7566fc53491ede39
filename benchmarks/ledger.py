"""How many due texts leave in a second, among many that wait, beside APScheduler's job store and procrastinate?

PostgreSQL with every commit on the disk, the result of each text committed by itself, a carrier that answers at once.
What waits is stored first and what is due added after it, as in a trial's life. Each run in a process and a database of
its own, in turns: on the disk as it is, and with each write of the log delayed as on a slow disk.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from statistics import median
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, insert, text

import scheduler
from benchmarks.measuring import ABSENT, Figure, in_turns, report
from scheduler import ledger
from scheduler.ports import Accepted, Claimed, Letter, NotFound, Outcome, Trace, Withheld
from scheduler.tables import message
from tests import databases

DUE, HANDS, BATCH = 1000, 16, 500
SLOW_MS = 7  # a commit on the network disk of a small virtual machine
NOW = datetime(2027, 4, 1, 8, tzinfo=UTC)
PEERS = ("apscheduler", "procrastinate")
LARGE, SMALL, COMMON = 1_000_000, 10_000, 100_000


class Post:
    """Writer and carrier that cost nothing."""

    def write(self, messages: Sequence[Claimed], now: datetime) -> list[Letter | Withheld]:
        return [Letter("+46701740605", "Hej!", claimed.expires_at) for claimed in messages]

    def trace(self, message: Claimed) -> Trace | None:
        return None

    def settled(self, connection: Connection, message: Claimed, outcome: Outcome, now: datetime) -> None:
        pass

    def send(self, letter: Letter, token: str) -> Outcome:
        return Accepted(token)

    def find(self, trace: Trace, token: str, since: datetime) -> NotFound:
        return NotFound()


def fill(engine: Engine, waiting: int) -> None:
    """So many texts that wait for their day, one a patient, and after them DUE that are due."""
    ledger.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(message), _row(DUE, NOW + timedelta(days=1)))
        _copy_later(connection, waiting - 1)
        connection.execute(insert(message), [_row(n, NOW) for n in range(DUE)])
    _settle(engine, "message")


def _settle(engine: Engine, table: str) -> None:
    """What the database would do by itself in time, lest it write down while it is measured what the filling left."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"VACUUM ANALYZE {table}"))
        connection.execute(text("CHECKPOINT"))


def _row(n: int, at: datetime) -> dict[str, Any]:
    return {
        "key": f"D{n}/M1/invite/sms/1",
        "subject": f"D{n}",
        "visit": "M1",
        "step": "invite",
        "position": 0,
        "channel": "sms",
        "schedule_version": 1,
        "send_at": at,
        "send_on": date(2027, 4, 1),
        "send_time": clock_time(10),
        "zone": "Europe/Stockholm",
        "closes_at": at + timedelta(days=14),
        "expires_at": at + timedelta(days=2),
        "state": "planned",
        "next_try_at": at,
        "attempts": 0,
    }


def _copy_later(connection: Connection, waiting: int) -> None:
    """The first row again and again, each on a later day of the next years."""
    shifted = {"send_at", "closes_at", "expires_at", "next_try_at"}
    changed = {"key": "'W' || n || '/M1/invite/sms/1'", "subject": "'W' || n"}
    changed |= {name: f"{name} + make_interval(days => 1 + n % 1000)" for name in shifted}
    columns = [column.name for column in message.columns if column.name != "id"]
    picked = ", ".join(changed.get(name, name) for name in columns)
    source = "(SELECT * FROM message ORDER BY id LIMIT 1) AS one, generate_series(1, :waiting) AS n"
    statement = f"INSERT INTO message ({', '.join(columns)}) SELECT {picked} FROM {source}"  # noqa: S608
    connection.execute(text(statement), {"waiting": waiting})


def ours(url: str, waiting: int) -> dict[str, float]:
    engine = create_engine(url, pool_size=HANDS + 2)
    fill(engine, waiting)
    post, left = Post(), 0
    scheduler.tick(engine, NOW - timedelta(days=1), post, post)  # imports and first calls are not measured
    began = time.perf_counter()
    while left < DUE:
        left += scheduler.tick(engine, NOW, post, post, limit=BATCH, hands=HANDS).accepted
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    for _ in range(20):
        scheduler.tick(engine, NOW, post, post)
    return {"seconds": seconds, "idle": (time.perf_counter() - began) / 20}


def apscheduler(url: str, waiting: int) -> dict[str, float]:
    """Its SQL job store, one scheduler: jobs that wait are copies of the first, far ahead."""
    from threading import Semaphore

    from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
    from apscheduler.schedulers.background import BackgroundScheduler

    engine = create_engine(url)
    store = SQLAlchemyJobStore(engine=engine)
    jobs = BackgroundScheduler(jobstores={"default": store}, timezone=UTC, job_defaults={"misfire_grace_time": None})
    jobs.start(paused=True)
    globals()["_RUN"] = run = Semaphore(0)
    jobs.add_job(job, "date", run_date=datetime(2090, 1, 1, tzinfo=UTC), id="W0")
    copies = (
        "INSERT INTO apscheduler_jobs SELECT 'W' || n, next_run_time + n, job_state FROM "
        "(SELECT * FROM apscheduler_jobs LIMIT 1) AS one, generate_series(1, :more) AS n"
    )
    with engine.begin() as connection:
        connection.execute(text(copies), {"more": waiting - 1})
    at = datetime(2020, 1, 1, tzinfo=UTC)
    for n in range(DUE):
        jobs.add_job(job, "date", run_date=at, id=f"D{n}")
    _settle(engine, "apscheduler_jobs")
    began = time.perf_counter()
    jobs.resume()
    for _ in range(DUE):
        run.acquire()
    seconds = time.perf_counter() - began
    jobs.shutdown(wait=False)
    return {"seconds": seconds, "idle": 0.0}


def job() -> None:
    """What a job of the peer does."""
    globals()["_RUN"].release()


def procrastinate(url: str, waiting: int) -> dict[str, float]:
    """One worker, ten jobs at once."""
    import asyncio

    import procrastinate as peer

    address = url.replace("postgresql+psycopg", "postgresql")
    app = peer.App(connector=peer.PsycopgConnector(conninfo=address))

    @app.task(name="text")
    async def send(n: int) -> None:
        pass

    async def run() -> float:
        async with app.open_async():
            await app.schema_manager.apply_schema_async()
            engine = create_engine(url)
            with engine.begin() as connection:
                later = (
                    "INSERT INTO procrastinate_jobs (queue_name, task_name, args, scheduled_at) "
                    "SELECT 'default', 'text', '{\"n\": 0}', now() + make_interval(days => 1 + n % 1000) "
                    "FROM generate_series(1, :waiting) AS n"
                )
                connection.execute(text(later), {"waiting": waiting})
            await send.batch_defer_async(*({"n": n} for n in range(DUE)))
            _settle(engine, "procrastinate_jobs")
            began = time.perf_counter()
            await app.run_worker_async(wait=False, concurrency=10, install_signal_handlers=False)
            return time.perf_counter() - began

    return {"seconds": asyncio.run(run()), "idle": 0.0}


WAYS: dict[str, Callable[[str, int], dict[str, float]]] = {
    "ours": ours,
    "apscheduler": apscheduler,
    "procrastinate": procrastinate,
}


def measure(way: str, server: str, waiting: int) -> dict[str, Any]:
    try:
        with databases.empty_database(server) as url:
            return WAYS[way](url, waiting)
    except ImportError:
        return {ABSENT: True}


@contextmanager
def slow_disk(server: str) -> Iterator[None]:
    """Every write of the log waits so long first, as a slow disk does; who comes meanwhile is written with it."""
    engine = create_engine(server, isolation_level="AUTOCOMMIT")

    def alter(*settings: str) -> None:
        with engine.connect() as connection:
            for setting in settings:
                connection.execute(text(f"ALTER SYSTEM {setting}"))
            connection.execute(text("SELECT pg_reload_conf()"))

    alter(f"SET commit_delay = {SLOW_MS * 1000}", "SET commit_siblings = 0")
    try:
        yield
    finally:
        alter("RESET commit_delay", "RESET commit_siblings")
        engine.dispose()


def commit_ms(server: str) -> float:
    """What one commit costs, as the median of some."""
    engine = create_engine(server)
    took = []
    with engine.connect() as connection:
        for _ in range(50):
            connection.execute(text("CREATE TABLE IF NOT EXISTS committed (n integer)"))
            connection.execute(text("INSERT INTO committed VALUES (1)"))
            began = time.perf_counter()
            connection.commit()
            took.append((time.perf_counter() - began) * 1000)
        connection.execute(text("DROP TABLE committed"))
        connection.commit()
    engine.dispose()
    return median(took)


def figures(waiting: int, runs: int) -> list[Figure]:
    with databases.postgresql_server(durable=True) as server:
        rates = _rates("ledger.rate", "the disk as it is", server, waiting, runs)
        with slow_disk(server):
            how = f"each write of the log delayed by {SLOW_MS} ms (commit_delay) for every engine alike"
            rates += _rates("ledger.rate_slow_disk", how, server, waiting, runs)
        sizes = in_turns({str(rows): _command("ours", server, rows) for rows in (SMALL, LARGE)}, runs)
    small, large = (DUE / sizes[str(rows)]["seconds"] for rows in (SMALL, LARGE))
    how = f"texts a second among {LARGE} planned, as a share of the rate among {SMALL}; {runs} runs in turns"
    idle = sizes[str(LARGE)]["idle"] * 1000
    return [
        *rates,
        Figure("ledger.size", round(large / small, 3), "share", "itself", None, ">= 0.8", how),
        Figure("ledger.idle", round(idle, 2), "ms a tick", "none", None, "<= 5", f"nothing due, {LARGE} rows"),
    ]


def _rates(name: str, disk: str, server: str, waiting: int, runs: int) -> list[Figure]:
    """Our rate beside that of each peer."""
    costs = f"{disk}: {commit_ms(server):.1f} ms a commit"
    found = in_turns({way: _command(way, server, waiting) for way in WAYS}, runs)
    how = f"{DUE} due among {waiting} planned, PostgreSQL, fsync on, {costs}; {HANDS} hands, median of {runs} in turns"
    rate = DUE / found["ours"]["seconds"]
    made = []
    for peer, times in zip(PEERS, (5, 30), strict=True):
        theirs = DUE / found[peer]["seconds"] if peer in found else None
        goal = f">= {times * theirs:.1f}" if theirs else None
        label = peer if theirs else f"{peer} ({ABSENT})"
        peer_value = round(theirs, 1) if theirs else None
        made.append(Figure(name, round(rate, 1), "texts a second", label, peer_value, goal, how))
    return made


def _command(way: str, server: str, waiting: int) -> list[str]:
    return ["-m", "benchmarks.ledger", "--way", way, "--waiting", str(waiting), "--server", server]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger", description=__doc__)
    parser.add_argument("--waiting", type=int, default=COMMON)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--check", action="store_true", help="exit with 1 when a goal is missed")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--server", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.way:
        print(json.dumps(measure(asked.way, asked.server, asked.waiting)))
        return 0
    return report(figures(asked.waiting, asked.runs), check=asked.check)


if __name__ == "__main__":
    sys.exit(main())
