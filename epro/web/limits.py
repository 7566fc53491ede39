"""How much may one request ask for, before any page of ours looks at it?

A body's size and its number of fields are Flask's own settings, in `app`. Here: 414 for a long address, 431 for large
headers, 400 for what no form of ours can have sent, 404 for a number that no page can have; each with a page in words.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, abort, request
from werkzeug.routing import IntegerConverter, ValidationError

MAX_ADDRESS_CHARACTERS = 2_000
MAX_HEADER_BYTES = 16 * 1024
MAX_NUMBER = 2**31 - 1
MAX_DEPTH = 20
NUL = "\0"  # no person types it, and PostgreSQL cannot keep it


class Number(IntegerConverter):
    """A number in an address that the database can hold."""

    def to_python(self, value: str) -> Any:
        if len(value) > len(str(MAX_NUMBER)) or int(value) > MAX_NUMBER:
            raise ValidationError
        return super().to_python(value)


def depth_of(text: str) -> int:
    """How many brackets stand open at once, at most; those inside strings count too, which only makes us stricter."""
    depth = deepest = 0
    for character in text:
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def init_app(app: Flask) -> None:
    app.url_map.converters["int"] = Number
    _read_shallow_json_alone(app)
    app.before_request(_refuse_what_is_too_much)


def _refuse_what_is_too_much() -> None:
    query = request.query_string
    if len(request.path) + len(query) > MAX_ADDRESS_CHARACTERS:
        abort(414)
    if sum(len(name) + len(value) for name, value in request.headers.items()) > MAX_HEADER_BYTES:
        abort(431)
    if NUL in request.path or any(NUL in value for _, value in request.args.items(multi=True)):
        abort(400)
    if request.method == "POST" and any(NUL in name + value for name, value in request.form.items(multi=True)):
        abort(400)


def _read_shallow_json_alone(app: Flask) -> None:
    """Whoever reads a body as JSON, a library included, gets a ValueError for one that would exhaust the stack."""
    read = app.json.loads

    def loads(text: str | bytes, **options: Any) -> Any:
        if depth_of(text if isinstance(text, str) else text.decode(errors="replace")) > MAX_DEPTH:
            raise ValueError("nested too deeply")
        return read(text, **options)

    app.json.loads = loads  # type: ignore[method-assign, assignment]
