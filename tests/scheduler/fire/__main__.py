"""The trial by fire as a command: python -m tests.scheduler.fire [--seeds 1 2 3] [--texts 1000]

One JSON object a line for each run; exit code 1 when a text was never sent, sent twice or left undecided.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

from sqlalchemy import Engine

from tests import databases
from tests.scheduler import twilio_double as double_of
from tests.scheduler.fire.trial import Verdict, by_chance, by_fire, by_many
from tests.scheduler.house import open_engine
from tests.scheduler.twilio_double import Double

Run = Callable[[Engine, Double], Verdict]


def runs(seeds: list[int], texts: int) -> Iterator[tuple[str, str, Run]]:
    """Name, kind of database, and what is done to it."""
    for kind in ("sqlite", "postgresql"):
        for seed in seeds:
            yield (
                f"fire, seed {seed}",
                kind,
                partial(by_fire, seed=seed, texts=texts, kills_a_point=max(1, texts // 100)),
            )
        yield "4 points x 50 kills", kind, partial(by_fire, seed=4, texts=400, kills_a_point=50, calm=True)
        yield "200 kills at random", kind, partial(by_chance, seed=5, texts=400, kills=200)
    for clocks in (2, 5):
        yield f"{clocks} clocks", "postgresql", partial(by_many, texts=texts, clocks=clocks)


@contextmanager
def database(kind: str, server: str) -> Iterator[Engine]:
    with tempfile.TemporaryDirectory() as folder:
        if kind == "sqlite":
            yield open_engine(f"sqlite:///{Path(folder) / 'fire.db'}")
            return
        with databases.empty_database(server) as url:
            engine = open_engine(url)
            yield engine
            engine.dispose()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.scheduler.fire")
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3])
    parser.add_argument("--texts", type=int, default=1000)
    asked = parser.parse_args()
    os.environ["NO_PROXY"] = "127.0.0.1"
    bad = 0
    with databases.postgresql_server() as server:
        for name, kind, run in runs(asked.seeds, asked.texts):
            with database(kind, server) as engine, double_of.running() as double:
                result = run(engine, double)
            bad += result.never + result.twice + result.undecided
            print(json.dumps({"run": name, "database": kind, **asdict(result)}), flush=True)  # noqa: T201
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
