"""A log says what is allowed and nothing else, whoever writes to it."""

import io
import json
import logging
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from epro.logs import JsonLines, configure

pytestmark = pytest.mark.requirement("trust-40")

ROOT = Path(__file__).parents[2]
TOKEN = "abcdefghijklmnopqrstuvwxyz"
SECRETS = ["+46701740605", "070-174 06 05", "0046701740605", "070 174 06 05", "19121212-1212", TOKEN, "a.b@example.org"]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """A stream to which this process logs as the service does; put back afterwards."""
    root = logging.getLogger()
    kept = root.handlers[:], root.level, logging.raiseExceptions
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    stream = io.StringIO()
    configure(stream)
    yield stream
    logging.captureWarnings(False)
    root.handlers[:], root.level, logging.raiseExceptions = kept
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_number_a_token_and_an_address_are_masked_even_in_our_own_words(log, secret):
    logging.getLogger("epro.web").error("somebody wrote %s here", secret)

    assert lines(log)[0]["event"] == "somebody wrote … here"


def test_words_of_other_libraries_are_never_kept(log):
    logging.getLogger("sqlalchemy.engine.Engine").setLevel(logging.INFO)  # as echo=True does
    logging.getLogger("sqlalchemy.engine.Engine").info("INSERT INTO answer VALUES (%s)", "very much")
    logging.getLogger("werkzeug").error("127.0.0.1 GET /p/secret")
    logging.getLogger("sqlalchemy.engine.Engine").setLevel(logging.WARNING)

    assert "very much" not in log.getvalue()
    assert "INSERT" not in log.getvalue()
    assert "secret" not in log.getvalue()
    assert len(lines(log)) == 2


def test_an_error_is_its_kind_and_place(log):
    try:
        raise ValueError("she answered 4")
    except ValueError:
        logging.getLogger("epro").exception("a save failed")

    told = lines(log)[0]
    assert told["error"] == "ValueError"
    assert str(told["where"]).startswith("test_an_error_is_its_kind_and_place:")
    assert "answered" not in log.getvalue()


def test_only_named_fields_beside_the_words_are_kept(log):
    logging.getLogger("epro").info("request", extra={"route": "/p/<token>", "status": 200, "body": "value=4"})

    assert lines(log)[0].keys() == {"at", "level", "logger", "event", "route", "status"}


def test_a_newline_does_not_begin_a_line(log):
    logging.getLogger("epro").error('one\n{"level": "info"}\r\ntwo')

    assert len(log.getvalue().splitlines()) == 1


def test_a_record_that_cannot_be_put_together_shows_no_value(log):
    logging.getLogger("epro").error("%d answers", "070-174 06 05")

    assert "174" not in log.getvalue()
    assert str(lines(log)[0]["event"]).startswith("test_logs:")


def test_a_warning_of_a_library_keeps_its_place_alone(log):
    warnings.warn("the value was 4", stacklevel=1)

    assert "the value" not in log.getvalue()
    assert lines(log)[0]["logger"] == "py.warnings"


@pytest.mark.parametrize(
    "how", ["raise ValueError(secret)", "t = Thread(target=int, args=(secret,)); t.start(); t.join()"]
)
def test_an_error_that_nobody_caught_shows_no_value(how):
    program = (
        f"from threading import Thread\nfrom epro.logs import configure\nconfigure()\nsecret = 'her answer'\n{how}"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert "her answer" not in ran.stderr + ran.stdout
    assert json.loads(ran.stderr)["error"] == "ValueError"


def test_a_record_is_told_by_the_formatter_without_asking_the_machines_clock():
    record = logging.LogRecord("epro", logging.INFO, "file.py", 1, "said", (), None)
    record.created = 1_800_000_000.0

    assert json.loads(JsonLines().format(record))["at"] == "2027-01-15T08:00:00.000+00:00"
