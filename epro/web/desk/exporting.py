"""The analyst's page: the trial folder as one file, without contact data, and a line in the trail for each.

The folder is written by `epro export` in a process of its own, for this one holds no statistics. One at a time: it
takes seconds of the processor that phones and nurses wait for.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from io import BytesIO
from pathlib import Path

from flask import Response, render_template

from epro.refusals import Refusal, Wrong
from epro.settings import Settings
from epro.store.audit import TRIAL_CHAIN, entry
from epro.web.desk.gate import allowed, pages
from epro.web.house import house, now, staff, writing

MANIFEST = "manifest.json"
LOCK = "export.lock"
RETRY_SECONDS = "60"
SAID_IN_WORDS = 1  # the exit code of a command that says why it did nothing


class AnotherExport(RuntimeError):
    """One is being written now."""


class NotExported(RuntimeError):
    """The export ended without its folder; its own words stand in the service's log."""


@pages.get("/export")
@allowed("data.export")
def export_page() -> str:
    return render_template("desk/export.html", waits=False)


@pages.post("/export")
@allowed("data.export")
def export_data() -> Response | tuple[str, int, dict[str, str]]:
    try:
        return _exported()
    except AnotherExport:
        return render_template("desk/export.html", waits=True), 429, {"Retry-After": RETRY_SECONDS}


def _exported() -> Response:
    """Raises AnotherExport."""
    with _alone(house().settings.home), tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "trial"
        counts = _export(house().settings, folder, now())
        sha256 = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
        body = _zipped(folder)
    told = ", ".join(f"{n} {name}" for name, n in counts.items()) + f", manifest sha256 {sha256}"
    with (
        writing() as connection,
        entry(connection, chain=TRIAL_CHAIN, action="data exported", by=staff(), at=now(), reason=told),
    ):
        pass
    name = f"{house().protocol.trial.code.lower()}-{now():%Y%m%dT%H%M%SZ}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Manifest-SHA256": sha256}
    return Response(body, mimetype="application/zip", headers=headers)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """The operating system lets go of it when the process ends, however it ends."""
    with (home / LOCK).open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AnotherExport from None
        yield


def _export(settings: Settings, folder: Path, at: datetime) -> dict[str, int]:
    """Row counts of the folder that was written. Raises NotExported, and Refusal with what the export itself says."""
    environment = {
        **os.environ,
        "EPRO_HOME": str(settings.home.resolve()),
        "EPRO_TRIAL": str(settings.trial.resolve()),
        "EPRO_DATABASE_URL": settings.database,
        "EPRO_SECRET_KEY": settings.secret_key.get_secret_value(),
        "EPRO_CONTACT_KEYS": ",".join(key.get_secret_value() for key in settings.contact_keys),
    }
    command = [sys.executable, "-m", "epro", "export", str(folder), "--json", "--at", at.isoformat()]
    ended = subprocess.run(command, env=environment, capture_output=True, check=False)
    if ended.returncode == SAID_IN_WORDS and b"Traceback" not in ended.stderr:
        raise Refusal([Wrong("", "%(said)s", {"said": ended.stderr.decode().strip()})])
    if ended.returncode:
        sys.stderr.buffer.write(ended.stderr)
        raise NotExported(f"epro export ended with {ended.returncode}")
    counts: dict[str, int] = json.loads(ended.stdout)
    return counts


def _zipped(folder: Path) -> bytes:
    body = BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder.parent))
    return body.getvalue()
