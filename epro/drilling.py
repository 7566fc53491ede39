"""Would the latest backup bring everything back, and how long would it take? Tried in an empty place, and reported."""

from __future__ import annotations

import dataclasses
import json
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from epro.backups import BackupRefused, check, compare, fill, sha256_of
from epro.house import House
from epro.queries.verification import verify
from epro.store.anchors import Anchor
from epro.store.copying import stray_keys
from epro.store.database import open_engine, reading

MOST_MINUTES = 60


@dataclass(frozen=True)
class Drill:
    """What was restored, what was compared, what was wrong. faults is empty when all came back."""

    backup: str
    sha256: str
    backup_at: datetime
    drilled_at: datetime
    minutes: float
    tables: int
    rows: int
    chains: int
    entries: int
    patients: int
    faults: tuple[str, ...]

    def written(self) -> str:
        told = dataclasses.asdict(self)
        return json.dumps({**told, "passed": not self.faults}, default=lambda at: at.isoformat(), indent=1)

    def __str__(self) -> str:
        lines = [
            f"Restore drill of {self.drilled_at:%Y-%m-%d %H:%M} UTC: {'FAILED' if self.faults else 'passed'}",
            f"backup     {self.backup}, of {self.backup_at:%Y-%m-%d %H:%M} UTC",
            f"sha256     {self.sha256}",
            f"compared   {self.rows} rows of {self.tables} tables, {self.entries} entries of {self.chains} chains, "
            f"the whole record of {self.patients} patients",
            f"took       {self.minutes:.2f} minutes (may take {MOST_MINUTES})",
            *(f"wrong      {fault}" for fault in self.faults),
            "",
            "Seen by (name, date): ",
        ]
        return "\n".join(lines) + "\n"


def drill(file: Path, house: House, *, into: str, elapsed: Callable[[], float]) -> Drill:
    """Restore `file` into an empty place, compare, and take the place away again.

    into: URL of an empty database, or empty for a place of our own. elapsed: seconds that nobody can set.
    Raises BackupRefused when the backup is not whole, or no place can be made.
    """
    began, now = elapsed(), house.clock()
    manifest = check(file, house.settings)
    with _empty_place(house, into) as engine:
        fill(file, manifest, engine)
        faults = compare(engine, house.protocol, manifest)
        with reading(engine) as connection:
            anchors: list[Anchor] = [
                {"chain": chain, "at": manifest.at.isoformat(), **head} for chain, head in manifest.chains.items()
            ]
            faults += verify(connection, anchors).faults
            faults += stray_keys(connection)
    minutes = (elapsed() - began) / 60
    if minutes > MOST_MINUTES:
        faults.append(f"it took {minutes:.0f} minutes; {MOST_MINUTES} are allowed")
    return Drill(
        backup=file.name,
        sha256=sha256_of(file),
        backup_at=manifest.at,
        drilled_at=now,
        minutes=minutes,
        tables=len(manifest.tables),
        rows=sum(table["rows"] for table in manifest.tables.values()),
        chains=len(manifest.chains),
        entries=sum(chain["count"] for chain in manifest.chains.values()),
        patients=len(manifest.records),
        faults=tuple(faults),
    )


@contextmanager
def _empty_place(house: House, into: str) -> Iterator[Engine]:
    if into:
        engine = open_engine(into)
        try:
            yield engine
        finally:
            engine.dispose()
    elif house.engine.dialect.name == "sqlite":
        with tempfile.TemporaryDirectory(dir=house.settings.home, prefix=".drill-") as folder:
            engine = open_engine(f"sqlite:///{Path(folder).resolve() / 'epro.db'}")
            try:
                yield engine
            finally:
                engine.dispose()
    else:
        yield from _scratch_database(house)


def _scratch_database(house: House) -> Iterator[Engine]:
    name = f"epro_drill_{uuid.uuid4().hex[:8]}"
    server = house.engine.execution_options(isolation_level="AUTOCOMMIT")
    try:
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except SQLAlchemyError:
        raise BackupRefused(
            "The database's account may not create a database to restore into. "
            "Make an empty one, and name it: `epro drill --into postgresql://…`."
        ) from None
    url = make_url(house.engine.url).set(database=name).render_as_string(hide_password=False)
    engine = open_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name}"))
