"""A double of Twilio's Messages API on loopback: create and list, with faults on request.

Shapes after Twilio's public OpenAPI document for the 2010-04-01 API.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Double:
    """What the double took, and how it answers next. `faults` are played one a request to create, then it accepts."""

    url: str = ""
    taken: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    faults: list[Callable[[Handler], None]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)  # ends a slow reply
    now: datetime = datetime(2027, 4, 1, 8, tzinfo=UTC)

    def take(self, form: dict[str, str]) -> dict[str, Any]:
        self.taken.append(
            {
                "sid": f"SM{len(self.taken):032x}",
                "to": form["To"],
                "from": form.get("From"),
                "body": form["Body"],
                "status": "queued",
                "date_created": format_datetime(self.now),
                "date_sent": None,
                "error_code": None,
            }
        )
        return self.taken[-1]


class Handler(BaseHTTPRequestHandler):
    double: Double
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.form = {name: values[0] for name, values in parse_qs(body).items()}
        self.double.asked.append(self.form)
        if self.double.faults:
            self.double.faults.pop(0)(self)
        else:
            self.reply(201, self.double.take(self.form))

    def do_GET(self) -> None:
        to = parse_qs(urlsplit(self.path).query)["To"][0]
        if self.double.faults:
            self.double.faults.pop(0)(self)
            return
        found = [text for text in reversed(self.double.taken) if text["to"] == to]
        self.reply(200, {"messages": found, "page": 0, "page_size": 50, "next_page_uri": None})

    def reply(self, status: int, content: Any, **headers: str) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        pass


def says(status: int, code: int | None = None, **headers: str) -> Callable[[Handler], None]:
    """An error as Twilio words it."""
    content = {
        "code": code,
        "message": "…",
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return lambda handler: handler.reply(status, content, **headers)


def accepts_slowly(handler: Handler) -> None:
    """Takes the text; its reply comes after the client has given up."""
    handler.double.take(handler.form)
    handler.double.released.wait(30)
    handler.close_connection = True


def accepts_and_resets(handler: Handler) -> None:
    """Takes the text, and the connection breaks before the reply."""
    handler.double.take(handler.form)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def accepts_by_half(handler: Handler) -> None:
    """Takes the text; the reply is cut in two."""
    content = json.dumps(handler.double.take(handler.form)).encode()
    handler.send_response(201)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content[: len(content) // 2])
    handler.close_connection = True


def accepts_with_a_page(handler: Handler) -> None:
    """Takes the text; something on the way answers with a page of its own."""
    handler.double.take(handler.form)
    handler.send_response(200)
    handler.send_header("Content-Length", "6")
    handler.end_headers()
    handler.wfile.write(b"<html>")


@contextmanager
def running() -> Iterator[Double]:
    double = Double()
    handler = type("Bound", (Handler,), {"double": double})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    double.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield double
    finally:
        double.released.set()
        server.shutdown()
        server.server_close()
