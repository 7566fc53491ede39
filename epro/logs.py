"""What may a log say? One JSON object a line, of named fields alone, whatever is logged and with which settings.

Words of our own (`epro`, `scheduler`, and gunicorn's of its own life) are kept, with anything like a number, a token or
an address masked. Of other libraries only place and kind are kept: their words may quote a statement, a body, a header.
An exception is its type and the place it came from; its text may hold a value. Standard library alone.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, TextIO

FIELDS = ("request", "route", "method", "status", "ms", "actor")  # what a record may carry beside its words
OURS = ("epro", "scheduler", "gunicorn")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MASKED = "…"
MOST_CHARACTERS = 500
SECRETS = re.compile(
    r"(?:\+|\b00)\d[\d\s()-]{6,}\d"  # a number with its country
    r"|\b0\d[\d\s-]{6,}\d"  # one without
    r"|\b(?:19|20)?\d{6}[-+]?\d{4}\b"  # a personal identity number
    r"|\b[a-z2-7]{26}\b"  # the token of a link
    r"|[\w.+-]+@[\w-]+\.\w[\w.-]*",  # an address
    re.IGNORECASE,
)


class JsonLines(logging.Formatter):
    """One line a record; a newline in it is written as \\n."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "at": (EPOCH + timedelta(seconds=record.created)).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": self._words(record),
        }
        told |= {name: getattr(record, name) for name in FIELDS if getattr(record, name, None) is not None}
        if record.exc_info and record.exc_info[0]:
            told |= {"error": record.exc_info[0].__name__, "where": place_of(record.exc_info[2])}
        return json.dumps(told, ensure_ascii=False, default=lambda _: MASKED)

    def _words(self, record: logging.LogRecord) -> str:
        if record.name.split(".")[0] not in OURS:
            return f"{record.module}:{record.lineno}"
        try:
            return SECRETS.sub(MASKED, record.getMessage())[:MOST_CHARACTERS]
        except Exception:  # words that do not fit their values; neither is shown
            return f"{record.module}:{record.lineno}"


def configure(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Everything that this process logs, and every error that nobody caught, becomes such a line on stderr."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("apscheduler", "alembic", "sqlalchemy", "urllib3", "twilio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a record that cannot be formatted would be printed with its values
    sys.excepthook = _uncaught
    threading.excepthook = lambda failed: _uncaught(failed.exc_type, failed.exc_value, failed.exc_traceback)
    sys.unraisablehook = lambda failed: _uncaught(failed.exc_type, failed.exc_value, failed.exc_traceback)


def place_of(trace: TracebackType | None) -> str:
    """function:line where an error was raised."""
    place = ""
    while trace:
        place, trace = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}", trace.tb_next
    return place


def _uncaught(kind: type[BaseException], _error: BaseException | None, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    record: Any = (kind, None, trace)  # without the error itself: its text may hold a value
    logging.getLogger("epro").critical("uncaught", exc_info=record)
