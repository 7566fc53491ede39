"""What does the log keep of a request? Its id, its route as a rule and never its address, and how it went."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from flask import Flask, Response, current_app, g, request

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def init_app(app: Flask) -> None:
    app.before_request(_begin)
    app.after_request(_tell)


def _begin() -> None:
    g.began = perf_counter()


def _tell(response: Response) -> Response:
    if "request_id" not in g:  # what never became a request: the server's own line tells of it
        return response
    user: Any = g.get("_login_user")  # set when a page has asked who it is; asking here would read the database
    told = {
        "request": g.request_id,
        "route": request.url_rule.rule if request.url_rule else None,  # `/p/<token>`, without the token
        "method": request.method if request.method in METHODS else "other",
        "status": response.status_code,
        "ms": round((perf_counter() - g.began) * 1000) if "began" in g else None,
        "actor": getattr(user, "id", None),
    }
    current_app.logger.info("request", extra=told)
    return response
