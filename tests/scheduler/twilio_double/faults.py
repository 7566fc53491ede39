"""How does a carrier fail? Each fault answers one request to the double."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.scheduler.twilio_double.serving import Handler


def says(status: int, code: int | None = None, **headers: str) -> Callable[[Handler], None]:
    """An error as Twilio words it; a header's name has underscores."""
    return lambda handler: handler.refuse(status, code, **headers)


def resets(handler: Handler) -> None:
    """Takes nothing, and the connection breaks: the sender cannot know."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def accepts_slowly(handler: Handler) -> None:
    """Takes the text; its reply comes after the client has given up."""
    handler.double.take(handler.form)
    handler.double.released.wait(30)
    handler.close_connection = True


def accepts_and_resets(handler: Handler) -> None:
    """Takes the text, and the connection breaks before the reply."""
    handler.double.take(handler.form)
    resets(handler)


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
