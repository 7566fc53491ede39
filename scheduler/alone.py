"""Does this process send alone? Not as part of a web server, and from a database in a file as its only sender."""

from __future__ import annotations

import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

WEB_SERVERS = ("gunicorn.arbiter", "uwsgi", "mod_wsgi")  # modules that only their own processes have loaded
LOCK = ".sending"  # beside the database's file


class InsideWebServer(RuntimeError):
    """A clock was about to run in a process that serves pages."""

    def __init__(self, server: str) -> None:
        super().__init__(
            f"This process belongs to a web server ({server.partition('.')[0]}), which runs several of them and stops "
            "them at will. Run the clock as a process of its own: `epro clock`."
        )


class AnotherSender(RuntimeError):
    """Somebody sends from this SQLite database already."""

    def __init__(self, database: Path) -> None:
        super().__init__(
            f"Another process sends from {database.name} already. SQLite takes one sender: stop the other, or use "
            "PostgreSQL, which takes any number."
        )


@contextmanager
def only_sender(engine: Engine) -> Iterator[None]:
    """Hold the right to send while inside. PostgreSQL gives it to everybody. Raises AnotherSender.

    The operating system lets go of it when the process ends, however it ends.
    """
    if engine.dialect.name != "sqlite" or not engine.url.database or engine.url.database == ":memory:":
        yield
        return
    database = Path(engine.url.database)
    with database.with_name(database.name + LOCK).open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AnotherSender(database) from None
        yield


def refuse_inside_a_web_server() -> None:
    """Raises InsideWebServer."""
    for server in WEB_SERVERS:
        if server in sys.modules:
            raise InsideWebServer(server)
