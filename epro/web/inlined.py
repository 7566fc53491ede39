"""Which files of ours stand inside a patient's page, and how does the policy of the page know them?

On a slow network a file of its own costs a round trip of two seconds. A style or script inside the page is let through
by the hash of its bytes, so that the policy never says `unsafe-inline`.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from functools import cache
from pathlib import Path

from flask import Response, request
from markupsafe import Markup

STATIC = Path(__file__).parent / "static"
STYLE, SCRIPTS = "patient.css", ("start.js", "phone.js")
PACKED_FROM_BYTES = 600  # below a network packet there is nothing to gain
PACKABLE = ("text/html", "text/css", "text/javascript", "application/javascript")


@cache
def inlined(name: str) -> Markup:
    """The text of a file, to stand between <style> or <script> and its end with nothing beside it."""
    return Markup((STATIC / name).read_text("utf-8"))


@cache
def content_security_policy() -> str:
    scripts = " ".join(map(_source, SCRIPTS))
    return (
        f"default-src 'none'; style-src 'self' {_source(STYLE)}; script-src 'self' {scripts}; "
        "img-src 'self' data:; connect-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


def _source(name: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(inlined(name).encode()).digest()).decode()}'"


def pack(response: Response) -> Response:
    """Send a page compressed. Only what repeats nothing that a stranger can make a browser send may pass through here:
    the length of a packed page would tell him about the rest of it."""
    if (
        response.status_code == 200
        and response.mimetype in PACKABLE
        and request.accept_encodings.quality("gzip") > 0
        and "Content-Encoding" not in response.headers
        and not response.is_streamed
        and len(response.get_data()) >= PACKED_FROM_BYTES
    ):
        response.set_data(gzip.compress(response.get_data(), 6, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    return response
