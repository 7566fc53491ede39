"""Who changed what, when and why: the trail, written in the transaction of the change itself.

An act opens one entry and makes every change through it, so that a change without its entry cannot be written:

    with audit.entry(connection, chain=site, action="death recorded", by=nurse, at=now) as entry:
        entry.insert(PatientEvent, subject=subject, kind="death", ...)

The entry is the last row of its transaction. Values are named by SHA-256(salt || value); salt and value stand apart, so
that a value can be redacted and the chain still verifies. Each site has its own chain:
hash = SHA-256(previous hash || the entry as a canonical JSON array).
"""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert, select, text, tuple_, update
from sqlalchemy.exc import NoResultFound

from epro.personal import PERSONAL, holds_personal_number
from epro.refusals import Refusal, Wrong
from epro.store import locks
from epro.store.models import Assessment, Audit, AuditValue, Base, Form, ImportedFile, TrialVersion, table_of

TRIAL_CHAIN = "trial"  # the chain of what belongs to no site
ACCOUNTS_CHAIN = "accounts"  # the chain of who may sign in, and who did
GENESIS = "0" * 64
PATIENT = "patient"
OWNERS = ("subject", "form", "assessment")  # columns by which a row belongs to a patient, the shortest way first
UNAUDITED = {
    "code_word": {"word"},
    "contact": {"address", "address_hash"},
    "reply": {"body", "address_hash"},
    "staff_user": {"password", "fs_uniquifier", "totp_secret", "totp_counter"},
    "staff_passkey": {"credential", "public_key", "sign_count"},
    "staff_recovery_code": {"code_hash"},
    "second_step": {"hash"},
    "card": {"code", "code_hash"},
}
BY_STAFF = ("desk", "command", "import")
WRITTEN_ELSEWHERE = (TrialVersion, ImportedFile)  # a file as it is; its cells were looked at one by one


@dataclass(frozen=True)
class Actor:
    """Who acts, in which role, by which channel, in which request."""

    name: str
    role: str
    channel: str
    request: str | None = None


CARRIER = Actor("carrier", "system", "carrier")


@dataclass
class Entry:
    """The changes of one act, gathered as they are made."""

    connection: Connection
    chain: str
    action: str
    by: Actor
    at: datetime
    reason: str | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    changes: list[list[str | None]] = field(default_factory=list)
    values: list[dict[str, str]] = field(default_factory=list)
    owners: dict[str, set[Any]] = field(default_factory=dict)  # by subject, form or assessment: whose rows it touched

    def __post_init__(self) -> None:
        self._refuse_personal_numbers({"reason": self.reason})

    def insert(self, model: type[Base], **values: Any) -> Any:
        """Add one row and tell of it. Returns its primary key (a tuple when it has several columns)."""
        return self.insert_all(model, [values])[0]

    def insert_all(self, model: type[Base], rows: Sequence[dict[str, Any]]) -> list[Any]:
        """Add several rows in one statement and tell of each. Returns their primary keys in the same order."""
        locks.refuse_to_add(self, model, rows)
        if model not in WRITTEN_ELSEWHERE:
            for row in rows:
                self._refuse_personal_numbers(row)
        table = table_of(model)
        statement = insert(table).returning(*table.primary_key.columns, sort_by_parameter_order=True)
        keys = [tuple(key) for key in self.connection.execute(statement, [{**row, "entry": self.id} for row in rows])]
        hidden = UNAUDITED.get(model.__tablename__, set())
        for key, row in zip(keys, rows, strict=True):
            self._belongs(row)
            told = {column: value for column, value in row.items() if column not in hidden}
            self._tell(model, key, "*", None, told)
        return [key[0] if len(key) == 1 else key for key in keys]

    def update(self, model: type[Base], key: Any, **values: Any) -> bool:
        """Change the columns of one row that differ, and tell of each. Returns whether anything differed.

        Of a column that the trail may not hold it is told that it changed, and not from what to what.
        """
        return self.update_all(model, {key: values}) == 1

    def update_all(self, model: type[Base], rows: Mapping[Any, Mapping[str, Any]]) -> int:
        """The same for several rows, by their primary keys, in a few statements. Returns how many differed."""
        changes: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
        there = self._there(model, {name for values in rows.values() for name in values}, rows)
        for key, values in rows.items():
            keys = key if isinstance(key, tuple) else (key,)
            before = there[keys]
            changed = {name: value for name, value in values.items() if before[name] != value}
            if changed:
                locks.refuse_to_change(self, model, key, changed)
                self._refuse_personal_numbers(changed)
                self._belongs(before)
                hidden = UNAUDITED.get(model.__tablename__, set())
                for name, value in changed.items():
                    self._tell(model, keys, name, *((None, None) if name in hidden else (before[name], value)))
                changes[tuple(changed)].append({**changed, **{f"key_{n}": part for n, part in enumerate(keys)}})
        self._change(model, changes)
        return sum(map(len, changes.values()))

    def _there(
        self, model: type[Base], names: Collection[str], keys: Collection[Any]
    ) -> dict[tuple[Any, ...], Mapping[str, Any]]:
        """These rows as they are, by primary key. Raises NoResultFound."""
        table = table_of(model)
        primary = list(table.primary_key.columns)
        wanted = primary[0].in_(keys) if len(primary) == 1 else tuple_(*primary).in_(keys)
        columns = {column.name: column for column in primary}
        columns |= {name: table.c[name] for name in (*names, *_owning(table))}
        rows = self.connection.execute(select(*columns.values()).where(wanted)).mappings().all()
        if len(rows) < len(keys):
            raise NoResultFound(f"{len(keys) - len(rows)} rows of {table.name} are not there")
        return {tuple(row[column.name] for column in primary): dict(row) for row in rows}

    def _change(self, model: type[Base], changes: Mapping[tuple[str, ...], Sequence[dict[str, Any]]]) -> None:
        table = table_of(model)
        here = [column == bindparam(f"key_{n}") for n, column in enumerate(table.primary_key.columns)]
        for columns, rows in changes.items():
            values = {name: bindparam(name, type_=table.c[name].type) for name in columns}
            changing = update(table).where(*here).values({**values, "entry": self.id})
            self.connection.execute(changing, list(rows))

    def note(self, table: str, row: str, column: str, value: Any) -> None:
        """Tell of something that stands in no row of its own."""
        self.changes.append([table, row, column, None, self._digest(value)])

    def _refuse_personal_numbers(self, values: Mapping[str, Any]) -> None:
        """Whatever staff typed, by whichever page or command: the trial does without. Raises Refusal."""
        if self.by.channel in BY_STAFF:
            held = [name for name, value in values.items() if isinstance(value, str) and holds_personal_number(value)]
            if held:
                raise Refusal([Wrong(name, PERSONAL) for name in held])

    def _belongs(self, row: Mapping[str, Any]) -> None:
        for owner in OWNERS:
            if row.get(owner) is not None:
                self.owners.setdefault(owner, set()).add(row[owner])
                return

    def _tell(self, model: type[Base], key: tuple[Any, ...], column: str, old: Any, new: Any) -> None:
        row = "/".join(str(part) for part in key)
        self.changes.append([model.__tablename__, row, column, self._digest(old), self._digest(new)])

    def _digest(self, value: Any) -> str | None:
        if value is None:
            return None
        salt, plain = secrets.token_hex(16), canonical(value)
        digest = hashlib.sha256((salt + plain).encode()).hexdigest()
        self.values.append({"digest": digest, "salt": salt, "value": plain})
        return digest


@contextmanager
def entry(
    connection: Connection,
    *,
    chain: str,
    action: str,
    by: Actor,
    at: datetime,
    reason: str | None = None,
    subject: str | None = None,
) -> Iterator[Entry]:
    """Open an entry for one act. It is written when the block ends without an error, and tells what it changed.

    subject: the patient it concerns; None = the one whose rows it changed.
    """
    opened = Entry(connection, chain, action, by, at, reason)
    yield opened
    _close(opened, subject or _subject_of(opened))


def _owning(table: Table) -> list[str]:
    """The columns of a table by which its rows belong to a patient."""
    return [name for name in OWNERS if name in table.columns]


def _subject_of(entry: Entry) -> str | None:
    """The one patient whose rows an entry changed; None = nobody, or several."""
    if entry.by.role == PATIENT:
        return entry.by.name
    found: set[str] = set(entry.owners.get("subject", ()))
    assessments = select(Assessment.subject).distinct()
    if forms := entry.owners.get("form"):
        of_forms = assessments.join(Form, Form.assessment == Assessment.id).where(Form.id.in_(forms))
        found |= set(entry.connection.execute(of_forms).scalars())
    if ids := entry.owners.get("assessment"):
        found |= set(entry.connection.execute(assessments.where(Assessment.id.in_(ids))).scalars())
    return found.pop() if len(found) == 1 else None


LAST = select(Audit.seq, Audit.hash).where(Audit.chain == bindparam("of")).order_by(Audit.seq.desc()).limit(1)


def _close(entry: Entry, subject: str | None) -> None:
    """Written last. What can be written before its turn in the chain is: until the commit all others wait for it."""
    connection, chain = entry.connection, entry.chain
    why = entry._digest(entry.reason)
    if entry.values:
        connection.execute(insert(AuditValue), entry.values)
    if connection.dialect.name == "postgresql":  # SQLite's transaction already holds the only write lock
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:chain))"), {"chain": f"epro audit {chain}"})
    last = connection.execute(LAST, {"of": chain}).one_or_none()
    row = {
        "chain": chain,
        "seq": last.seq + 1 if last else 1,
        "id": entry.id,
        "at": entry.at,
        "actor": entry.by.name,
        "role": entry.by.role,
        "channel": entry.by.channel,
        "request": entry.by.request,
        "subject": subject,
        "action": entry.action,
        "reason": entry.reason,
        "why": why,
        "changes": entry.changes,
        "previous": last.hash if last else GENESIS,
    }
    connection.execute(insert(Audit), {**row, "hash": hash_of(row)})


def tell_of_a_refusal(connection: Connection, tried: Entry) -> None:
    """Put into the trail that an act was refused because its data are locked; nothing of what it would have written."""
    action = f"refused, data are locked: {tried.action}"
    subject = tried.by.name if tried.by.role == PATIENT else None
    with entry(connection, chain=tried.chain, action=action, by=tried.by, at=tried.at, subject=subject):
        pass


HASHED = ("chain", "seq", "id", "at", "actor", "role", "channel", "request", "subject", "action", "why", "changes")


def hash_of(row: Any) -> str:
    """The hash of an entry, from the hash before it and its fields in a fixed order."""
    return hashlib.sha256((row["previous"] + canonical([row[name] for name in HASHED])).encode()).hexdigest()


def canonical(value: Any) -> str:
    """The one way a value is written down: JSON without spaces, dates and instants as ISO 8601."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, default=_written)


def _written(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, (date, time)):
        return value.isoformat()
    raise TypeError(f"the audit trail cannot hold a {type(value).__name__}")
