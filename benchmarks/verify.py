"""How many CPU seconds and how much memory does it take to verify a trail of a million entries?

`epro verify` on a database (chains, values, anchors) and `epro_verify.py` on an archive of it, beside a loop that does
nothing but hash the same text: what no verifier can go below. And eight writers at once, into one chain on PostgreSQL,
of whom none may be refused.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from benchmarks.measuring import Figure, in_turns, peak_bytes, report
from epro.queries.verification import entries, verify
from epro.record import epro_verify
from epro.store import anchors, audit
from epro.store.database import open_engine, reading, writing
from epro.store.migrating import migrate
from epro.store.sealing import unseal
from tests import databases

ENTRIES, CHAINS, RUNS = 1_000_000, 10, 3
WRITERS, EACH = 8, 150
MEGABYTE = 1e6
NIGHT = datetime(2027, 3, 2, 1, 30, tzinfo=UTC)
ENTRY = {"chain": "S00", "action": "written", "by": audit.CARRIER, "at": NIGHT}
AT = "2027-03-01T12:00:00.000000"


def made(count: int) -> Iterator[tuple[tuple[object, ...], tuple[str, str, str]]]:
    """Entries as saving one answer gives them, and the value that each speaks of."""
    heads = {f"S{n:02}": epro_verify.GENESIS for n in range(CHAINS)}
    for n in range(count):
        chain, seq = f"S{n % CHAINS:02}", n // CHAINS + 1
        salt, subject = f"{n:032x}", f"{chain}-{seq % 200:03}"
        value = f'{{"form":{n},"item":"q12","key":"{n:032x}","mode":"self","state":"answered","value":3}}'
        digest = hashlib.sha256((salt + value).encode()).hexdigest()
        changes = f'[["answer","{n}","*",null,"{digest}"]]'
        told = f'["{chain}",{seq},"{n:032x}","{AT}+00:00","{subject}","patient","phone","{n:016x}","{subject}"'
        text = f'{told},"answers saved",null,{changes}]'
        hash_ = hashlib.sha256((heads[chain] + text).encode()).hexdigest()
        who = (subject, "patient", "phone", f"{n:016x}", subject, "answers saved", None)
        yield (chain, seq, f"{n:032x}", f"{AT}Z", *who, changes, heads[chain], hash_), (digest, salt, value)
        heads[chain] = hash_


def write_database(file: Path, count: int) -> None:
    engine = open_engine(f"sqlite:///{file}", durable=False)
    migrate(engine)
    with engine.begin() as connection:
        unseal(connection)  # so that a million rows are written in seconds
    engine.dispose()
    database = sqlite3.connect(file)
    columns = "chain, seq, id, at, actor, role, channel, request, subject, action, reason, changes, previous, hash"
    for entry, value in made(count):
        database.execute(f"INSERT INTO audit ({columns}) VALUES ({','.join('?' * 14)})", entry)  # noqa: S608
        database.execute("INSERT INTO audit_value (digest, salt, value) VALUES (?, ?, ?)", value)
    database.commit()
    database.close()


def write_archive(file: Path, folder: Path) -> None:
    """The trail as an archive holds it."""
    (folder / "trail").mkdir()
    (folder / "manifest.json").write_text('{"tables": {}}')
    with (
        reading(open_engine(f"sqlite:///{file}")) as connection,
        open(folder / "trail" / "entries.jsonl", "w") as lines,
        open(folder / "trail" / "values.jsonl", "w") as values,
    ):
        for *_, previous, hash_, text in entries(connection):
            middle = f'{epro_verify.MIDDLE}{previous}","hash":"{hash_}'
            lines.write(f"{epro_verify.BEGIN}{text}{middle}{epro_verify.END}\n")
        for row in connection.exec_driver_sql("SELECT digest, salt, value FROM audit_value"):
            values.write(json.dumps(dict(row._mapping), separators=(",", ":")) + "\n")


def measure(way: str, place: Path) -> dict[str, float]:
    began = time.process_time()
    if way == "database":
        with reading(open_engine(f"sqlite:///{place / 'epro.db'}")) as connection:
            known = anchors.heads(connection, NIGHT)
            found = verify(connection, known, rows=False)
        faults, counted = found.faults, found.entries
    elif way == "archive":
        chains = epro_verify.Chains()
        epro_verify.follow(place, chains, None)
        values = epro_verify.Values(chains)
        epro_verify.hold(place, values, None)
        faults, counted = chains.finish() + values.faults + [""] * (not values.agree()), chains.counted
    else:
        faults, counted = [], sum(1 for line in _hashed(place))
    seconds = time.process_time() - began
    assert not faults, faults[:3]
    return {"seconds": seconds, "peak": peak_bytes() / MEGABYTE, "entries": counted}


def _hashed(place: Path) -> Iterator[str]:
    with open(place / "trail" / "entries.jsonl", "rb") as lines:
        for line in lines:
            yield hashlib.sha256(line).hexdigest()


def figures(count: int, runs: int) -> list[Figure]:
    ways = ("database", "archive", "hashing")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_database(place / "epro.db", count)
        write_archive(place / "epro.db", place)
        found = in_turns({way: ["-m", "benchmarks.verify", "--way", way, folder] for way in ways}, runs)
    bare = round(found["hashing"]["seconds"], 2)
    how = f"{count} entries and as many values in {CHAINS} chains on SQLite, median of {runs} runs in turns"
    made = []
    for way in ("database", "archive"):
        seconds, peak = round(found[way]["seconds"], 2), round(found[way]["peak"], 1)
        goal = "<= 15" if count == ENTRIES else None
        made.append(Figure(f"verify.{way}", seconds, "CPU s", "hashing alone", bare, goal, how))
        made.append(Figure(f"verify.{way}.memory", peak, "MB", "hashing alone", None, "<= 200", how))
    return made


def writing_figures() -> list[Figure]:
    with databases.postgresql_server(durable=True) as server, databases.empty_database(server) as url:
        engine = open_engine(url)
        migrate(engine)
        began = time.monotonic()
        with ThreadPoolExecutor(WRITERS) as pool:
            refused = sum(pool.map(lambda writer: _write(engine, writer), range(WRITERS)))
        rate = round(WRITERS * EACH / (time.monotonic() - began), 1)
        with reading(engine) as connection:
            kept = anchors.heads(connection, NIGHT)[0]["count"]
            broken = verify(connection, []).faults
        engine.dispose()
    how = f"{WRITERS} writers at once, {EACH} entries each, into one chain on PostgreSQL with every commit on the disk"
    missing = WRITERS * EACH - kept + len(broken)
    return [
        Figure("verify.refused", refused + missing, "entries", "none", 0, "<= 0", how),
        Figure("verify.written", rate, "entries/s", "none", None, None, how),
    ]


def _write(engine: Engine, writer: int) -> int:
    """How many entries of a writer were refused."""
    refused = 0
    for n in range(EACH):
        try:
            with writing(engine) as connection, audit.entry(connection, **ENTRY) as opened:
                opened.note("sheet", str(writer), "line", n)
        except SQLAlchemyError:
            refused += 1
    return refused


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verify", description=__doc__)
    parser.add_argument("--entries", type=int, default=ENTRIES)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--check", action="store_true", help="exit with 1 when a goal is missed")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("place", nargs="?", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.way:
        print(json.dumps(measure(asked.way, asked.place)))
        return 0
    return report([*figures(asked.entries, asked.runs), *writing_figures()], check=asked.check)


if __name__ == "__main__":
    sys.exit(main())
