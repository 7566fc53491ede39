"""The sites' own copy of what patients answer: appended as forms are submitted, and readable with this service gone.

One file a site, one JSON object a line, each sealed by the hash of the line before it: SHA-256(previous || the line
without its hash). What the file already holds is read from the file itself, so a copy that was interrupted goes on
where it stopped. A line is never changed: a correction is a line of its own, under the trail entry that made it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import Connection, select

from epro.house import House
from epro.store.audit import GENESIS, canonical
from epro.store.database import reading
from epro.store.models import Answer, Assessment, Form, Patient

ANSWER = ("item", "value", "text", "state", "said_at", "received_at", "by", "mode", "reason", "entry")


class CopyBent(Exception):
    """A site's copy does not follow from its own lines; the message names the file and the line."""


def bring_up_to_date(house: House) -> int:
    """Append every submitted form, and every later correction, that the copies lack. Returns how many lines were added.

    Several processes may call it at once. Raises CopyBent, OSError.
    """
    folder = house.settings.site_copy
    if folder is None:
        return 0
    return sum(_bring_site_up_to_date(house, folder, site) for site in house.protocol.sites)


def verified(file: Path) -> list[dict[str, Any]]:
    """Every line of a copy, held against its hash. Raises CopyBent."""
    previous, lines = GENESIS, []
    for n, text in enumerate(file.read_text(encoding="utf-8").splitlines() if file.exists() else (), start=1):
        try:
            line = json.loads(text)
            sealed = line.pop("hash")
        except (ValueError, KeyError, AttributeError):
            raise CopyBent(f"{file.name}, line {n}: not a line of the copy") from None
        if line.get("previous") != previous or sealed != _seal(line):
            raise CopyBent(f"{file.name}, line {n}: it does not follow from the line before it")
        previous = sealed
        lines.append({**line, "hash": sealed})
    return lines


def _bring_site_up_to_date(house: House, folder: Path, site: str) -> int:
    file = folder / f"{site}.jsonl"
    with file.open("a+b") as copy:
        fcntl.flock(copy, fcntl.LOCK_EX)
        _take_back_half_a_line(copy)
        known = verified(file)
        held = {entry for line in known for entry in line["entries"]}
        previous = known[-1]["hash"] if known else GENESIS
        with reading(house.engine) as connection:
            new = list(_lines(connection, site, held))
        for told in new:
            line = {**told, "previous": previous}
            previous = _seal(line)
            copy.write(f"{canonical({**line, 'hash': previous})}\n".encode())
        copy.flush()
        os.fsync(copy.fileno())
    return len(new)


def _lines(connection: Connection, site: str, held: set[str]) -> Iterator[dict[str, Any]]:
    """What is submitted and not held: one line a form, of the answers whose entries are new."""
    forms = connection.execute(
        select(
            Form.id,
            Form.instrument,
            Form.version,
            Form.language,
            Form.wording_sha256,
            Assessment.subject,
            Assessment.visit,
            Assessment.completed_at,
        )
        .join(Assessment, Assessment.id == Form.assessment)
        .join(Patient, Patient.subject == Assessment.subject)
        .where(Patient.site == site, Assessment.completed_at.is_not(None))
        .order_by(Assessment.completed_at, Form.id)
    ).all()
    answers = _answers(connection, [form.id for form in forms])
    for form in forms:
        new = [answer for answer in answers.get(form.id, []) if answer["entry"] not in held]
        if new:
            told = {name: value for name, value in form._mapping.items() if name != "id"}
            yield {**told, "answers": new, "entries": sorted({answer["entry"] for answer in new})}


def _answers(connection: Connection, forms: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    columns = [getattr(Answer, name) for name in ANSWER]
    rows = connection.execute(select(Answer.form, *columns).where(Answer.form.in_(forms)).order_by(Answer.id))
    for row in rows:
        told = {name: value for name, value in row._mapping.items() if name != "form"}
        found.setdefault(row.form, []).append(told)
    return found


def _take_back_half_a_line(copy: BinaryIO) -> None:
    """A process that was killed in the middle of a line left one that nobody can read; what it told comes again."""
    copy.seek(0)
    content = copy.read()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        copy.truncate(whole)
    copy.seek(0, os.SEEK_END)


def _seal(line: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(line).encode()).hexdigest()


def in_words(house: House, _now: datetime) -> str | None:
    """For the clock: what a person must know, or None."""
    try:
        bring_up_to_date(house)
    except CopyBent as bent:
        return f"the sites' copy is bent: {bent}"
    except OSError as error:
        return f"the sites' copy cannot be written: {error.strerror}"
    return None
