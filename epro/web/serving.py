"""How is the application served? gunicorn: a few processes over one database, each with many requests at once.

Its gevent workers wait for a thousand phones that are slow, idle or half gone while others save; a thread for each
would run out of threads.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any

import gevent
from flask import Flask, Response
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from gunicorn.http.errors import (  # type: ignore[import-untyped]
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)
from gunicorn.util import write_nonblock  # type: ignore[import-untyped]
from gunicorn.workers.ggevent import GeventWorker  # type: ignore[import-untyped]

from epro import logs
from epro.opening import in_force, open_house
from epro.settings import Settings
from epro.web import errors
from epro.web.app import create_app

CODES: dict[type[BaseException], int] = {  # the first that fits
    LimitRequestLine: 414,
    LimitRequestHeaders: 431,
    ParseException: 400,
}
IDLE_SECONDS = 5  # between two requests of one connection, and for the head of a request to arrive
REQUEST_SECONDS = 30  # for a request's body to arrive and be answered
GRACE_SECONDS = 20  # what a request under way may take when the service stops


def serve() -> None:
    """Become the server's own process: gevent must come before any module that opens sockets."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "epro.web"])


def run(settings: Settings) -> None:
    """Serve on the settings' host and port until stopped by SIGTERM or SIGINT."""
    Server(settings).run()


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn without its command line. Each worker opens its own house after the fork: no connection is shared."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        options: dict[str, Any] = {
            "bind": f"{self.settings.host}:{self.settings.port}",
            "workers": self.settings.workers,
            "worker_class": PatientWorker,
            "keepalive": IDLE_SECONDS,
            "graceful_timeout": GRACE_SECONDS,
            "accesslog": None,  # an address may hold a token
            "logger_class": SilentOnRequests,
            "control_socket_disable": True,
            "proc_name": "epro",
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return create_app(in_force(open_house(self.settings)))


class PatientWorker(GeventWorker):  # type: ignore[misc]
    """Waits for slow phones, but not for ever: what comes in drops gives its place back."""

    def handle_request(self, *request: Any) -> Any:
        patience = gevent.Timeout(REQUEST_SECONDS)
        try:
            with patience:
                return super().handle_request(*request)
        except gevent.Timeout as over:
            if over is not patience:
                raise
            raise StopIteration from None  # gunicorn's word for: close this connection

    def handle_error(self, _request: Any, client: Any, _address: Any, error: BaseException) -> None:
        """What is no HTTP is answered by a page of ours, and never by its own words."""
        if isinstance(error, ParseException):
            self.log.warning("Invalid request")
        else:
            self.log.exception("Error handling request")
        code = next((code for kind, code in CODES.items() if isinstance(error, kind)), 500)
        with suppress(OSError):  # who sends such a thing seldom waits for an answer
            write_nonblock(client, as_bytes(errors.reply(self.wsgi, code)))


def as_bytes(response: Response) -> bytes:
    """A response as it goes over the wire; the connection ends with it."""
    lines = [f"HTTP/1.1 {response.status}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in response.headers if name != "Set-Cookie"]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + response.get_data()


class SilentOnRequests(Logger):  # type: ignore[misc]
    """gunicorn's log without what a request said: its address may hold a token, its sender is somebody."""

    def setup(self, cfg: Any) -> None:
        """Its words go where everything goes, in one shape; it keeps no log of requests whatever it is told."""
        super().setup(cfg)
        logs.configure()
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.access_log.handlers.clear()
        self.access_log.propagate = False

    def access(self, *request: Any) -> None:
        """`epro.web.logged` says what may be said."""

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        kind = sys.exc_info()[0]
        self.error("a request failed outside the application: %s", kind.__name__ if kind else "unknown")

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        if str(msg).startswith("Invalid request"):
            msg, args = "a request that is not HTTP was refused", ()
        super().warning(msg, *args, **kwargs)
