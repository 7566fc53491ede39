"""What is a backup, is it whole, and how does a database come back from it?

One file: a zip of the database's own copy and `manifest.json`, which says what must come back: rows and a hash of every
table, the head of every chain of the trail, and the record of some patients. Keys are never in it; the manifest names
their fingerprints, so that one knows which keys to look for. The zip's comment, the last bytes of the file, is the
SHA-256 of all before it: a zip alone does not notice every altered byte of its own headers.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import Connection, Engine, select

from epro.acts.restoring import restored
from epro.house import House
from epro.protocol import Protocol
from epro.queries.timeline import timeline
from epro.settings import Settings
from epro.store.audit import Actor
from epro.store.contents import differences, heads_of, tables_of
from epro.store.copying import copy_sqlite, dump_postgresql, is_empty, is_readable, load_postgresql
from epro.store.database import open_engine, reading, writing
from epro.store.migrating import is_of_this_version, knows, migrate, revision_of
from epro.store.models import Answer, Assessment, Form, Patient

DATABASE, MANIFEST, SUFFIX = "database", "manifest.json", ".epro-backup"
PATIENTS_COMPARED = 20
TOO_OLD_AFTER = timedelta(days=1)
CHUNK = 1 << 20
SEAL_BYTES = 64
DAMAGED = (  # what a zip with an altered byte may raise, RuntimeError when it then looks encrypted
    *(zipfile.BadZipFile, zlib.error, KeyError, TypeError, ValueError, EOFError),
    *(NotImplementedError, RuntimeError),
)


class BackupRefused(Exception):
    """A file is no whole backup, or does not fit where it should go; the message says which, and the cure."""


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself. tables, chains: as `store.contents`; records: subject to hash."""

    at: datetime
    epro: str
    trial: str
    kind: str  # sqlite | postgresql
    revision: str
    sha256: str  # of the database's copy
    keys: list[str]  # fingerprints
    tables: dict[str, Any]
    chains: dict[str, Any]
    records: dict[str, str]

    @classmethod
    def read(cls, text: str) -> Manifest:
        told = json.loads(text)
        return cls(**{**told, "at": datetime.fromisoformat(told["at"])})

    def written(self) -> str:
        told = {**dataclasses.asdict(self), "at": self.at.isoformat()}
        return json.dumps(told, ensure_ascii=False, indent=1, sort_keys=True)


def back_up(house: House, out: Path, now: datetime) -> tuple[Path, Manifest]:
    """Write a backup to the file `out`, or into the folder `out` under a name with the instant. Others may go on.

    The file appears when it is whole, readable by its owner alone. Raises CopyFailed, OSError.
    """
    target = out / f"epro-{now:%Y%m%dT%H%M%SZ}{SUFFIX}" if out.is_dir() else out
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".backup-") as folder:
        copy, whole = Path(folder) / DATABASE, Path(folder) / "whole"
        held = _copied(house, copy, now)
        manifest = Manifest(
            at=now,
            epro=version("epro"),
            trial=house.protocol.trial.code,
            kind=house.engine.dialect.name,
            revision=revision_of(house.engine) or "",
            sha256=sha256_of(copy),
            keys=fingerprints(house.settings),
            **held,
        )
        pack(whole, copy, manifest)
        os.replace(whole, target)
    return target, manifest


def pack(file: Path, copy: Path, manifest: Manifest) -> None:
    """Write copy and manifest to a new file, sealed and on the disk, readable by its owner alone."""
    with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b") as opened:
        with zipfile.ZipFile(opened, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.comment = b"0" * SEAL_BYTES  # the place of the seal
            archive.write(copy, DATABASE)
            archive.writestr(MANIFEST, manifest.written())
        seal, _ = _seal(opened)
        opened.seek(-SEAL_BYTES, os.SEEK_END)
        opened.write(seal)
        opened.flush()
        os.fsync(opened.fileno())


def _copied(house: House, copy: Path, now: datetime) -> dict[str, Any]:
    """Copy the database, and say what the copy holds: read from the same moment."""
    if house.engine.dialect.name == "postgresql":
        with reading(house.engine) as connection:
            dump_postgresql(connection, copy)
            return held(connection, house.protocol, now)
    copy_sqlite(Path(house.engine.url.database or ""), copy)
    engine = open_engine(f"sqlite:///{copy}")
    try:
        with reading(engine) as connection:
            return held(connection, house.protocol, now)
    finally:
        engine.dispose()


def held(connection: Connection, protocol: Protocol, at: datetime, subjects: Sequence[str] = ()) -> dict[str, Any]:
    """Tables, chains and the records of these patients, or else of twenty that the instant picks.

    Records only where the schema is this version's, which knows how to show them.
    """
    known = is_of_this_version(connection)
    everyone = connection.execute(select(Patient.subject)).scalars().all() if known else []
    chosen = subjects or sorted(everyone, key=lambda s: hashlib.sha256(f"{s} {at}".encode()).digest())
    return {
        "tables": tables_of(connection),
        "chains": heads_of(connection),
        "records": {
            subject: record_of(connection, protocol, subject, at)
            for subject in sorted(set(chosen[:PATIENTS_COMPARED]) & set(everyone))
        },
    }


def record_of(connection: Connection, protocol: Protocol, subject: str, at: datetime) -> str:
    """The hash of what the desk shows of a patient at an instant, and of every answer she ever gave."""
    shown = dataclasses.asdict(timeline(connection, protocol, subject, at))
    said = connection.execute(
        select(Assessment.visit, Form.instrument, *Answer.__table__.columns)
        .join(Form, Form.id == Answer.form)
        .join(Assessment, Assessment.id == Form.assessment)
        .where(Assessment.subject == subject)
        .order_by(Answer.id)
    )
    text = json.dumps([shown, [list(row) for row in said]], sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def read_manifest(file: Path) -> Manifest:
    """Raises BackupRefused when the file is no backup of ours, or not as it was written."""
    damaged = BackupRefused(f"{file.name} is not a backup of epro, or was damaged. Take another one.")
    with file.open("rb") as opened:
        seal, there = _seal(opened)
    if seal != there:
        raise damaged
    try:
        with zipfile.ZipFile(file) as archive:
            return Manifest.read(archive.read(MANIFEST).decode())
    except DAMAGED:
        raise damaged from None


def check(file: Path, settings: Settings) -> Manifest:
    """Whether a backup is whole and this installation has its keys. Raises BackupRefused, FileNotFoundError."""
    manifest = read_manifest(file)
    with tempfile.TemporaryDirectory() as folder:
        _unpacked(file, manifest, Path(folder))
    _refuse_without_keys(manifest, settings)
    return manifest


def restore(file: Path, house: House, *, by: Actor, now: datetime) -> Manifest:
    """Bring an empty database to what the backup holds, hold it against the manifest, and switch sending off.

    Raises BackupRefused: not whole, keys of another installation, another kind of database, or one that is not empty.
    """
    manifest = read_manifest(file)
    _refuse_without_keys(manifest, house.settings)
    fill(file, manifest, house.engine)
    faults = compare(house.engine, house.protocol, manifest)
    if faults:
        raise BackupRefused("The database came back, but not as it was:\n" + "\n".join(f"  - {f}" for f in faults))
    migrate(house.engine)
    with writing(house.engine) as connection:
        restored(connection, manifest.at, by=by, now=now)
    return manifest


def fill(file: Path, manifest: Manifest, engine: Engine) -> None:
    """Load a backup into an empty database. Raises BackupRefused, CopyFailed."""
    if not knows(manifest.revision):
        raise BackupRefused(f"The backup has a schema that this epro does not know; epro {manifest.epro} wrote it.")
    if engine.dialect.name != manifest.kind:
        raise BackupRefused(f"The backup is of {manifest.kind}, and EPRO_DATABASE_URL names {engine.dialect.name}.")
    if not is_empty(engine):
        raise BackupRefused("The database is not empty. Nothing was changed. Name an empty one in EPRO_DATABASE_URL.")
    with tempfile.TemporaryDirectory() as folder:
        copy = _unpacked(file, manifest, Path(folder))
        if manifest.kind == "postgresql":
            load_postgresql(engine, copy)
        else:
            engine.dispose()
            target = Path(engine.url.database or "")
            half = target.with_name(f"{target.name}.restoring")
            half.unlink(missing_ok=True)
            copy_sqlite(copy, half)
            os.replace(half, target)


def compare(engine: Engine, protocol: Protocol, manifest: Manifest) -> list[str]:
    """What a database holds otherwise than a manifest says; empty when nothing."""
    with reading(engine) as connection:
        now_held = held(connection, protocol, manifest.at, list(manifest.records))
    return [
        *differences(manifest.tables, now_held["tables"], "table"),
        *differences(manifest.chains, now_held["chains"], "chain"),
        *(differences(manifest.records, now_held["records"], "record of") if now_held["records"] else ()),
    ]


def newest(folder: Path) -> tuple[Path, Manifest] | None:
    """The latest backup in a folder, by what it says of itself."""
    known = []
    for file in folder.glob(f"*{SUFFIX}"):
        try:
            known.append((file, read_manifest(file)))
        except BackupRefused:
            continue
    return max(known, key=lambda each: each[1].at, default=None)


def fingerprints(settings: Settings) -> list[str]:
    """What tells keys apart and gives none of them away: they are 32 random bytes."""
    keys = (key.get_secret_value() for key in settings.contact_keys)
    return [hashlib.sha256(b"epro contact key " + key.encode()).hexdigest()[:16] for key in keys]


def sha256_of(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _seal(file: BinaryIO) -> tuple[bytes, bytes]:
    """The seal that a file ought to bear, and what stands in its place."""
    digest, left = hashlib.sha256(), max(file.seek(0, os.SEEK_END) - SEAL_BYTES, 0)
    file.seek(0)
    while chunk := file.read(min(CHUNK, left)):
        digest.update(chunk)
        left -= len(chunk)
    return digest.hexdigest().encode(), file.read()


def _unpacked(file: Path, manifest: Manifest, folder: Path) -> Path:
    copy = folder / DATABASE
    damaged = BackupRefused(f"{file.name} was damaged: its database is not what its manifest says. Take another one.")
    try:
        with zipfile.ZipFile(file) as archive, archive.open(DATABASE) as packed, copy.open("wb") as plain:
            while chunk := packed.read(CHUNK):
                plain.write(chunk)
    except DAMAGED:
        raise damaged from None
    if sha256_of(copy) != manifest.sha256 or not is_readable(copy, manifest.kind):
        raise damaged
    return copy


def _refuse_without_keys(manifest: Manifest, settings: Settings) -> None:
    if not set(manifest.keys) & set(fingerprints(settings)):
        raise BackupRefused(
            f"The backup was written under the keys {', '.join(manifest.keys)}, and EPRO_CONTACT_KEYS holds "
            f"{', '.join(fingerprints(settings))}. Without its keys no patient can be reached. Bring them first."
        )


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, (set, frozenset)) else str(value)
