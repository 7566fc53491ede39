"""How is the double reached? By HTTP on loopback, at the paths of Twilio's API."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.scheduler.twilio_double.messages import ACCOUNT, AUTH_TOKEN, BALANCE, HOME, Double, Refusal

ONE = re.compile(re.escape(HOME) + r"/((?:SM|MM)[0-9a-f]{32})\.json")
LET_IN = "Basic " + base64.b64encode(f"{ACCOUNT}:{AUTH_TOKEN}".encode()).decode()


class Handler(BaseHTTPRequestHandler):
    double: Double
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes
    form: dict[str, str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.form = {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}
        if self._is_list():
            with self.double.lock:
                self.double.asked.append(self.form)
        self._answer()

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        self.form = {name: values[0] for name, values in query.items()}
        self._answer()

    def do_DELETE(self) -> None:
        self.form = {}
        self._answer()

    def reply(self, status: int, content: Any = None, **headers: str) -> None:
        body = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status: int, code: int | None, **headers: str) -> None:
        more_info = f"https://www.twilio.com/docs/errors/{code}"
        self.reply(status, {"code": code, "message": "…", "more_info": more_info, "status": status}, **headers)

    def log_message(self, *_args: Any) -> None:
        pass

    def _answer(self) -> None:
        fault = self._fault()
        try:
            if fault is not None:
                fault(self)
            elif self.headers.get("Authorization") != LET_IN:
                self.refuse(401, 20003)
            else:
                self._route()
        except Refusal as refusal:
            self.refuse(refusal.status, refusal.code)

    def _fault(self) -> Any:
        with self.double.lock:
            if self.double.faults:
                return self.double.faults.pop(0)
            return self.double.choose(self.form) if self.command == "POST" and self._is_list() else None

    def _route(self) -> None:
        one = ONE.fullmatch(urlsplit(self.path).path)
        if self.command == "GET" and urlsplit(self.path).path == BALANCE:
            self.reply(200, self.double.balance())
        elif self._is_list() and self.command == "POST":
            self.reply(201, self.double.take(self.form))
        elif self._is_list() and self.command == "GET":
            size, page = int(self.form.get("PageSize", "50")), int(self.form.get("Page", "0"))
            self.reply(200, self.double.listed(self.form.get("To"), size, page))
        elif one and self.command == "POST":
            self.reply(200, self.double.update(one[1], self.form))
        elif one and self.command == "GET":
            self.reply(200, self.double.fetch(one[1]))
        elif one and self.command == "DELETE":
            self.double.delete(one[1])
            self.reply(204)
        else:
            raise Refusal(404, 20404)

    def _is_list(self) -> bool:
        return urlsplit(self.path).path == f"{HOME}.json"


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed on the way is no error of ours."""


@contextmanager
def running() -> Iterator[Double]:
    double = Double()
    server = Server(("127.0.0.1", 0), type("Bound", (Handler,), {"double": double}))
    double.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield double
    finally:
        double.released.set()
        server.shutdown()
        server.server_close()
