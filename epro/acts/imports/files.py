"""A file of the trial office becomes rows of the database: all of it, or nothing and every reason by row and column.

A try does the whole and undoes it, so that what it shows is what would happen. The same file again changes nothing. A
dated copy of the cells is kept, contact data left out; the case report form stays the source, and what differs from
what was known is listed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from epro.acts.imports.cells import Cells
from epro.protocol import Protocol
from epro.refusals import N_, Refusal, Wrong, WrongCell
from epro.sheets import Sheet, sheet_of
from epro.store.audit import TRIAL_CHAIN, Actor, Entry, entry, tell_of_a_refusal
from epro.store.contacts import Cipher
from epro.store.facts import Facts
from epro.store.locks import LockedData
from epro.store.models import ImportedFile
from epro.store.people import facts_of
from questionnaires.cells import as_csv

Progress = Callable[[int, int], None]  # rows done, rows in all
NEW, CHANGED, UNCHANGED = "new", "changed", "unchanged"
CONTACT = ("phone", "email", "second_step")  # columns of which no copy is kept
ALIASES = {  # what trial offices and REDCap call them
    "subject_id": "subject",
    "record_id": "subject",
    "randomised_at": "randomised_on",
    "randomized_at": "randomised_on",
    "randomisation_date": "randomised_on",
    "consent_date": "consented_on",
    "consent_sms": "texts_allowed",
    "birth_year": "second_step",
    "surgery_date": "surgery_on",
    "progression_date": "progression_on",
    "death_date": "died_on",
    "withdrawal_date": "withdrawn_on",
    "last_alive_date": "last_alive_on",
}


@dataclass(frozen=True)
class Note:
    """What a person should know of a row: a column (or none), and a sentence with named values.

    changes: it tells of something that becomes another than it was.
    """

    column: str
    message: str
    values: Mapping[str, Any] = field(default_factory=dict)
    changes: bool = False

    def __str__(self) -> str:
        said = self.message % self.values
        return f"{self.column}: {said}" if self.column else said


@dataclass(frozen=True)
class Row:
    """What becomes of one row."""

    number: int
    subject: str
    becomes: str  # NEW | CHANGED | UNCHANGED
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Brought:
    """What a file brings, or, where anything is wrong, why it brings nothing.

    notes: on the file as a whole. kept: whether it stands in the database now.
    """

    kind: str
    rows: tuple[Row, ...] = ()
    wrongs: tuple[Wrong, ...] = ()
    notes: tuple[Note, ...] = ()
    kept: bool = False

    def count(self, becomes: str) -> int:
        return sum(row.becomes == becomes for row in self.rows)

    @property
    def changes_anything(self) -> bool:
        return any(row.becomes != UNCHANGED for row in self.rows)


@dataclass
class Bringing:
    """One file on its way in."""

    connection: Connection
    protocol: Protocol
    cipher: Cipher
    by: Actor
    now: datetime
    known: dict[str, Facts]  # the patients of the file who are enrolled
    file: int | None = None  # its copy's row
    notes: list[Note] = field(default_factory=list)
    changed_arms: list[str] = field(default_factory=list)  # subjects for whom the file names another arm

    def entry_of(self, subject: str, action: str) -> AbstractContextManager[Entry]:
        """An entry in the chain of a patient's site."""
        chain = self.known[subject].site
        return entry(self.connection, chain=chain, action=action, by=self.by, at=self.now, subject=subject)

    def refused(self, cells: Cells, refusal: Refusal) -> None:
        """What an act said no to is wrong in its row. Raises LockedData, of which the trail must be told."""
        if isinstance(refusal, LockedData):
            raise refusal
        cells.take(refusal.wrongs)

    def row(self, cells: Cells, notes: Sequence[Note]) -> Row:
        """A row of a patient who is enrolled."""
        changed = any(note.changes for note in notes)
        return Row(cells.row, cells.subject, CHANGED if changed else UNCHANGED, tuple(notes))

    def patient(self, cells: Cells) -> Facts | None:
        """The patient a row speaks of; where there is none the row is wrong."""
        if cells.subject and cells.subject not in self.known:
            cells.wrong("subject", N_("No patient is enrolled with this subject id."))
        return self.known.get(cells.subject)


@dataclass(frozen=True)
class Kind:
    """A kind of file. take: what becomes of each row; it writes faults into the rows themselves."""

    code: str
    title: str
    required: Callable[[Protocol], tuple[str, ...]]
    optional: Callable[[Protocol], tuple[str, ...]]
    take: Callable[[Bringing, Iterable[Cells]], Iterator[Row]]
    once: bool = True  # a patient has one row

    def columns(self, protocol: Protocol) -> tuple[str, ...]:
        return (*self.required(protocol), *self.optional(protocol))


def bring_in(
    connection: Connection,
    protocol: Protocol,
    cipher: Cipher,
    kind: Kind,
    raw: bytes,
    *,
    by: Actor,
    now: datetime,
    dry: bool = False,
    progress: Progress | None = None,
) -> Brought:
    """Bring a file in, in the caller's transaction, or (dry) say what that would do. Never half of it.

    progress: told of every row. That a file names another arm than was recorded, or touches locked data, is put into
    the trail, dry or not.
    """
    savepoint = connection.begin_nested()
    bringing = Bringing(connection, protocol, cipher, by, now, {})
    try:
        sheet = sheet_of(raw)
        brought = _brought(bringing, kind, sheet, progress or (lambda done, total: None))
    except LockedData as locked:
        savepoint.rollback()
        tell_of_a_refusal(connection, locked.tried)
        return Brought(kind.code, wrongs=locked.wrongs)
    except Refusal as refusal:
        savepoint.rollback()
        return Brought(kind.code, wrongs=refusal.wrongs)
    keep = not dry and not brought.wrongs and brought.changes_anything
    if keep:
        savepoint.commit()
    else:
        savepoint.rollback()
        _tell_of_changed_arms(bringing)
    return replace(brought, kept=keep)


def _brought(bringing: Bringing, kind: Kind, sheet: Sheet, progress: Progress) -> Brought:
    columns = _columns(bringing.protocol, kind, sheet)
    rows = [
        Cells(
            number,
            {name: cells.get(written, "") for written, name in columns.items()},
            bringing.protocol.trial.subject_pattern,
            bringing.protocol.zone,
            sheet.day_0,
            bringing.protocol.aliases,
        )
        for number, cells in sheet.rows
    ]
    bringing.known = facts_of(bringing.connection, {cells.subject for cells in rows})
    for cells in rows:
        cells.refuse_what_no_row_may_hold()
    if kind.once:
        _refuse_doubles(rows)
    bringing.file = _keep_copy(bringing, kind, sheet, columns, rows)
    outcomes = tuple(kind.take(bringing, _one_by_one(rows, progress)))
    wrongs = tuple(wrong for cells in rows for wrong in cells.wrongs)
    return Brought(kind.code, () if wrongs else outcomes, wrongs, tuple(bringing.notes))


def _one_by_one(rows: Sequence[Cells], progress: Progress) -> Iterator[Cells]:
    for n, cells in enumerate(rows, start=1):
        yield cells
        progress(n, len(rows))


def _columns(protocol: Protocol, kind: Kind, sheet: Sheet) -> dict[str, str]:
    """Each column of the file and what it is called here. Raises Refusal."""
    known = kind.columns(protocol)
    named = {written: written if written in known else ALIASES.get(written, written) for written in sheet.columns}
    wrongs = [
        WrongCell(name, N_("the column %(name)s is missing."), {"name": name}, row=1)
        for name in kind.required(protocol)
        if name not in named.values()
    ]
    for place, written in enumerate(sheet.columns, start=1):
        if not written:
            wrongs.append(WrongCell("", N_("column %(place)s has no name."), {"place": place}, row=1))
        elif named[written] not in known:
            what = N_("no column is called %(name)s; they are %(names)s.")
            wrongs.append(WrongCell("", what, {"name": written, "names": ", ".join(known)}, row=1))
    names = [named[written] for written in sheet.columns if written]
    for name in sorted({name for name in names if names.count(name) > 1}):
        wrongs.append(WrongCell(name, N_("the column %(name)s stands twice."), {"name": name}, row=1))
    if wrongs:
        raise Refusal(wrongs)
    return named


def _refuse_doubles(rows: Sequence[Cells]) -> None:
    first: dict[str, int] = {}
    for cells in rows:
        if cells.subject and first.setdefault(cells.subject, cells.row) != cells.row:
            cells.wrong("subject", N_("Row %(first)s is this patient's already."), first=first[cells.subject])


def _keep_copy(
    bringing: Bringing, kind: Kind, sheet: Sheet, columns: Mapping[str, str], rows: Collection[Cells]
) -> int:
    names = [name for name in columns.values() if name not in CONTACT]
    copy = as_csv(names, [[cells.written[name] for name in names] for cells in rows])
    with entry(
        bringing.connection, chain=TRIAL_CHAIN, action=f"file imported: {kind.code}", by=bringing.by, at=bringing.now
    ) as opened:
        made: int = opened.insert(
            ImportedFile, kind=kind.code, sha256=sheet.sha256, cells=copy, rows=len(rows), imported_at=bringing.now
        )
    return made


def _tell_of_changed_arms(bringing: Bringing) -> None:
    """In the trail, though nothing changed: an allocation is the last thing that may be doubted."""
    for subject in bringing.changed_arms:
        with bringing.entry_of(subject, "import refused: another arm than was recorded"):
            pass
