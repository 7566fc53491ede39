"""Write everything that must be kept for 25 years into one folder that a bare Python reads, checks and recounts.

Data (CSV), trail (JSON lines), dictionary, hashes of wordings, trial files, definitions, schema, checksums, a README in
plain words, and `epro_verify.py`. No number, no word of a reply, no password, no key.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Dialect, Table, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

from epro.house import House
from epro.protocol import Protocol
from epro.queries.verification import entries
from epro.record import epro_verify
from epro.store import anchors
from epro.store.audit import UNAUDITED, canonical
from epro.store.database import reading
from epro.store.migrating import TABLES
from epro.store.models import Access, AuditValue, Base, Form, TrialVersion, table_of
from epro.store.sealing import told
from questionnaires.catalogue import file_of
from questionnaires.cells import as_csv, inert, write_csv
from scheduler.tables import attempt, message, message_event

CHECKSUMS = "checksums.sha256"
STAFF = ("id", "email", "name", "active", "sites")  # of an account; what it signs in with is nobody's record
AT_ONCE = 2000


class FolderNotEmpty(Exception):
    """An archive is written into a folder of its own; the message says which one was not."""


@dataclass(frozen=True)
class Archived:
    """What was written. sha256: of the file of checksums, which is worth keeping apart."""

    rows: dict[str, int]
    entries: int
    sha256: str
    subjects: list[str]


def archive(house: House, folder: Path, *, now: datetime) -> Archived:
    """Write the archive as it stands at `now`. Raises FolderNotEmpty, OSError."""
    if folder.exists() and any(folder.iterdir()):
        raise FolderNotEmpty(f"{folder} is not empty. Name a new folder for the archive.")
    for part in ("data", "trail", "dictionary", "trial", "instruments", "schema"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    with reading(house.engine) as connection:
        tables = {table.name: _write_table(connection, folder, table) for table in _kept()}
        counted = _write_trail(connection, folder)
        _write_lines(folder / "trail" / "anchors.jsonl", anchors.read(house.settings.anchors_folder))
        _write_lines(folder / "trail" / "heads.jsonl", anchors.heads(connection, now))
        _write_dictionary(connection, folder, house.protocol)
        for row in connection.execute(select(TrialVersion.n, TrialVersion.text)):
            (folder / "trial" / f"version-{row.n}.toml").write_text(row.text, encoding="utf-8", newline="\n")
        subjects = list(connection.execute(select(Base.metadata.tables["patient"].c.subject)).scalars())
    _write_around(house, folder, tables, counted, now)
    return Archived({name: table["rows"] for name, table in tables.items()}, counted, _seal(folder), subjects)


def _kept() -> list[Table]:
    return [*told(), Base.metadata.tables["staff_user"], table_of(Access), message, attempt, message_event]


def _columns(table: Table) -> list[str]:
    if table.name == "staff_user":
        return list(STAFF)
    return [column.name for column in table.columns if column.name not in UNAUDITED.get(table.name, ())]


def _write_table(connection: Connection, folder: Path, table: Table) -> dict[str, Any]:
    names = _columns(table)
    key = [column.name for column in table.primary_key.columns]
    statement = select(*(table.columns[name] for name in names)).order_by(*table.primary_key.columns)
    with open(folder / "data" / f"{table.name}.csv", "w", encoding="utf-8", newline="") as file:
        found = connection.execute(statement, execution_options={"yield_per": AT_ONCE})
        rows = write_csv(file, names, ([_cell(value) for value in row] for row in found))
    return {"rows": rows, "key": key, "told": "entry" in table.columns and not table.columns["entry"].nullable}


def _cell(value: Any) -> object:
    """A value as `epro_verify.as_cell` writes it, and no formula."""
    return inert(epro_verify.as_cell(json.loads(canonical(value)) if not isinstance(value, str) else value))


def _write_trail(connection: Connection, folder: Path) -> int:
    """The very text that was hashed, an entry a line; and every value."""
    counted = 0
    with open(folder / "trail" / "entries.jsonl", "w", encoding="utf-8", newline="\n") as file:
        for *_, previous, hash_, text in entries(connection):
            middle = f'{epro_verify.MIDDLE}{previous}","hash":"{hash_}'
            file.write(f"{epro_verify.BEGIN}{text}{middle}{epro_verify.END}\n")
            counted += 1
    values = select(AuditValue.digest, AuditValue.salt, AuditValue.value).order_by(AuditValue.digest)
    rows = connection.execute(values, execution_options={"yield_per": AT_ONCE})
    _write_lines(folder / "trail" / "values.jsonl", (dict(row._mapping) for row in rows))
    return counted


def _write_lines(file: Path, values: Iterator[Mapping[str, Any]] | Sequence[Mapping[str, Any]]) -> None:
    with open(file, "w", encoding="utf-8", newline="\n") as lines:
        lines.writelines(canonical(value) + "\n" for value in values)


def _write_dictionary(connection: Connection, folder: Path, protocol: Protocol) -> None:
    """Every column of every table; every item with its answers; the hash of every wording that was asked in."""
    columns = [
        (table.name, name, _kind(table, name), (_meaning(table) or "").splitlines()[0] if _meaning(table) else "")
        for table in _kept()
        for name in _columns(table)
    ]
    _write_csv(folder, "columns", ("table", "column", "type", "what a row is"), columns)
    items = [
        (code, instrument.version, item.code, item.number, ", ".join(str(o) for o in instrument.options(item.code)))
        for code, instrument in protocol.instruments.items()
        for item in instrument.items
    ]
    _write_csv(folder, "items", ("instrument", "version", "item", "number", "answers"), items)
    words = (Form.instrument, Form.version, Form.language, Form.wording_pack, Form.wording_edition, Form.wording_sha256)
    used = [tuple(row) for row in connection.execute(select(*words).distinct().order_by(*words))]
    _write_csv(folder, "wordings", ("instrument", "version", "language", "pack", "edition", "sha256"), used)


def _kind(table: Table, name: str) -> str:
    return str(table.columns[name].type.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]


def _meaning(table: Table) -> str | None:
    model = next((mapper.class_ for mapper in Base.registry.mappers if mapper.local_table is table), None)
    return model.__doc__ if model else "of the scheduler: a text, an attempt to hand it over, what happened to it"


def _write_csv(folder: Path, name: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    (folder / "dictionary" / f"{name}.csv").write_text(as_csv(header, rows), encoding="utf-8", newline="\n")


def _write_around(house: House, folder: Path, tables: dict[str, Any], counted: int, now: datetime) -> None:
    for code in house.protocol.instruments:
        file = file_of(code, beside=house.protocol.folder)
        shutil.copyfile(file, folder / "instruments" / file.name)
    dialects: dict[str, Dialect] = {"postgresql": postgresql.dialect(), "sqlite": sqlite.dialect()}  # type: ignore[no-untyped-call]
    for name, dialect in dialects.items():
        made = [
            str(CreateTable(table).compile(dialect=dialect)).strip() for each in TABLES for table in each.sorted_tables
        ]
        (folder / "schema" / f"{name}.sql").write_text(";\n\n".join(made) + ";\n", encoding="utf-8", newline="\n")
    about = {
        "trial": house.protocol.trial.code,
        "written_at": json.loads(canonical(now)),
        "epro": version("epro"),
        "entries": counted,
        "tables": tables,
    }
    (folder / "manifest.json").write_text(json.dumps(about, indent=1, sort_keys=True), encoding="utf-8", newline="\n")
    shutil.copyfile(epro_verify.__file__, folder / "epro_verify.py")
    day: date = now.astimezone(house.protocol.zone).date()
    text = README.format(trial=house.protocol.trial.code, day=day, version=version("epro"))
    (folder / "README.txt").write_text(text, encoding="utf-8", newline="\n")


def _seal(folder: Path) -> str:
    """Write the checksum of every file, and return the checksum of that list."""
    files = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    lines = [f"{epro_verify.sha256_of(folder / name)}  {name}\n" for name in files if name != CHECKSUMS]
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8", newline="\n")
    return str(epro_verify.sha256_of(folder / CHECKSUMS))


README = """The record of the trial {trial}, written on {day} by epro {version}
{rule}

What this is
  Everything that patients answered and staff recorded in this trial, and who did what, when and why. It holds no name
  and no phone number: patients are known by their subject id alone.

How to check it
  Python 3.8 or newer is enough; no network, no database and no other program is needed.
      python epro_verify.py
  says whether any file, any entry of the trail or any row of the data was changed since, and names it.
      python epro_verify.py --who SUBJECT ITEM
  says who answered or changed an item of a patient, when and why. An item is named as in dictionary/items.csv.
  Without Python: `sha256sum -c checksums.sha256` checks the files.

What is in it
  data/           one CSV file a table (UTF-8, comma, first line names). Empty = missing. Instants are UTC, days are
                  calendar days. A text that would look like a formula has an apostrophe before it.
                  answer.csv holds every version of every answer; the current one is that with the highest id.
                  answer.form leads to form.id, form.assessment to assessment.id, assessment.subject to the patient.
  trail/          entries.jsonl: the audit trail, one entry a line, chained by hash; epro_verify.py says how.
                  values.jsonl: the values that it speaks of. anchors.jsonl: its length and last hash night by night.
                  heads.jsonl: the same when this was written.
  dictionary/     columns.csv: every column. items.csv: every item and the values of its answers.
                  wordings.csv: the SHA-256 of the words that were shown. The words belong to their owners and are kept
                  apart, by the site.
  instruments/    how each questionnaire is built and scored.
  trial/          every version of the trial's own file: arms, visits, windows, reminders, analysis.
  schema/         the tables, for two databases, to load the data into.
  manifest.json   how many rows each table holds.
  checksums.sha256  the SHA-256 of every file. Its own SHA-256 was shown when this was written: keep it apart.
""".replace("{rule}", "=" * 72)
