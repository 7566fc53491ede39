"""Which rows are only ever added, and how does the database itself hold every program to that?

Triggers on both databases, set anew after every migration:

- a row of an append-only table is never changed or removed;
- a row that carries `entry` is written before that entry is: its foreign key, held back until commit, then wants the
  entry, so that every change of a row brings a new entry of the trail with it;
- a value of the trail may be redacted (salt and value emptied together) and nothing else; so may the words that
  somebody wrote in a row (EMPTIED).

SQLite's INSERT OR REPLACE removes rows without asking the delete triggers of a connection that has not set
`recursive_triggers`: rows that would be replaced are therefore looked for before an insert. On PostgreSQL the service
may run under a role that owns nothing (`grant`); an owner can take triggers away, which `epro verify` then finds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, PrimaryKeyConstraint, Table, UniqueConstraint, event, text

from epro.store.models import (
    Access,
    AdverseEvent,
    Answer,
    Audit,
    AuditValue,
    Base,
    CovariateValue,
    DataLock,
    ImportedFile,
    PatientEvent,
    SecondStep,
    Signature,
    TrialVersion,
    table_of,
)
from scheduler.tables import message_event
from scheduler.tables import metadata as ledger

ADDED_TO = (
    Audit,
    TrialVersion,
    PatientEvent,
    Answer,
    Access,
    Signature,
    DataLock,
    SecondStep,
    ImportedFile,
    CovariateValue,
    AdverseEvent,
)
APPEND_ONLY: tuple[Table, ...] = (*map(table_of, ADDED_TO), message_event)
REDACTABLE = table_of(AuditValue)
EMPTIED = {  # words somebody wrote, and what a patient who has her contact data erased showed besides her link
    "audit": ("reason",),
    "patient_event": ("reason",),
    "answer": ("reason", "text"),
    "second_step": ("hash",),
    "imported_file": ("cells",),
    "adverse_event": ("term",),
}
FUNCTIONS = {  # PostgreSQL: name → body
    "epro_sealed": "RAISE EXCEPTION 'epro: rows of % are only added', TG_TABLE_NAME USING ERRCODE = '23001';",
    "epro_emptied": (
        "FOREACH name IN ARRAY TG_ARGV LOOP"
        " IF later->>name IS NOT NULL AND later->name <> earlier->name THEN"
        " RAISE EXCEPTION 'epro: words of % can be emptied and nothing else', TG_TABLE_NAME USING ERRCODE = '23001';"
        " END IF; later := later - name; earlier := earlier - name; END LOOP;"
        " IF later - 'entry' <> earlier - 'entry' THEN"
        " RAISE EXCEPTION 'epro: rows of % are only added', TG_TABLE_NAME USING ERRCODE = '23001'; END IF; RETURN NEW;"
    ),
    "epro_told": (
        "IF EXISTS (SELECT 1 FROM audit WHERE id = NEW.entry) THEN"
        " RAISE EXCEPTION 'epro: a row of % is written under a new entry only', TG_TABLE_NAME"
        " USING ERRCODE = '23001'; END IF; RETURN NEW;"
    ),
    "epro_redacted": (
        "IF NEW.digest <> OLD.digest OR NEW.salt IS NOT NULL OR NEW.value IS NOT NULL THEN"
        " RAISE EXCEPTION 'epro: a value of the trail can be redacted and nothing else'"
        " USING ERRCODE = '23001'; END IF; RETURN NEW;"
    ),
}


def told() -> list[Table]:
    """The tables whose every row is written under an entry of the trail."""
    return [table for table in Base.metadata.sorted_tables if "entry" in table.columns]


def seal(connection: Connection) -> None:
    """Set every trigger, in place of those that are there. All tables must exist."""
    unseal(connection)
    for statement in _statements(connection.dialect.name, [*Base.metadata.sorted_tables, *ledger.sorted_tables]):
        connection.execute(text(statement))


def unseal(connection: Connection) -> None:
    """Take every trigger of ours away: before a migration."""
    if connection.dialect.name == "postgresql":
        ours = "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE tgname LIKE 'epro\\_%'"
        for name, table in connection.execute(text(ours)).all():
            connection.execute(text(f"DROP TRIGGER {name} ON {table}"))
    else:
        ours = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'epro\\_%' ESCAPE '\\'"
        for name in connection.execute(text(ours)).scalars().all():
            connection.execute(text(f"DROP TRIGGER {name}"))


def grant(connection: Connection, role: str) -> None:
    """Give a PostgreSQL role that owns nothing what the service needs, and no way to change what was recorded."""
    name = connection.dialect.identifier_preparer.quote(role)
    for table in [*Base.metadata.sorted_tables, *ledger.sorted_tables]:
        rights = "SELECT, INSERT" if table in APPEND_ONLY else "SELECT, INSERT, UPDATE"
        if table is REDACTABLE:
            rights = "SELECT, INSERT, UPDATE (salt, value)"
        if words := EMPTIED.get(table.name):
            kept = (*words, "entry") if "entry" in table.columns else words
            rights = f"SELECT, INSERT, UPDATE ({', '.join(kept)})"
        if table in ledger.sorted_tables and table not in APPEND_ONLY:
            rights += ", DELETE"
        connection.execute(text(f'REVOKE ALL ON "{table.name}" FROM {name}'))
        connection.execute(text(f'GRANT {rights} ON "{table.name}" TO {name}'))
    connection.execute(text(f"GRANT SELECT ON alembic_version TO {name}"))
    connection.execute(text(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {name}"))


def _statements(dialect: str, tables: Iterable[Table]) -> Iterator[str]:
    written_as = _on_postgresql if dialect == "postgresql" else _on_sqlite
    if dialect == "postgresql":
        for name, body in FUNCTIONS.items():
            head = f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ "
            kept = "DECLARE name text; later jsonb := to_jsonb(NEW); earlier jsonb := to_jsonb(OLD); "
            yield f"{head}{kept if name == 'epro_emptied' else ''}BEGIN {body} END $$"
    under_an_entry = set(told())
    for table in tables:
        if table in under_an_entry or table in APPEND_ONLY or table is REDACTABLE:
            yield from written_as(table, table in under_an_entry)


def _on_postgresql(table: Table, under_an_entry: bool) -> Iterator[str]:
    words = EMPTIED.get(table.name, ())
    for act in ("DELETE", "TRUNCATE", *(("UPDATE",) if table in APPEND_ONLY and not words else ())):
        each = "STATEMENT" if act == "TRUNCATE" else "ROW"
        yield _trigger(table, act) + f" FOR EACH {each} EXECUTE FUNCTION epro_sealed()"
    if words:
        names = ", ".join(f"'{name}'" for name in words)
        yield _trigger(table, "UPDATE") + f" FOR EACH ROW EXECUTE FUNCTION epro_emptied({names})"
    if table is REDACTABLE:
        yield _trigger(table, "UPDATE") + " FOR EACH ROW EXECUTE FUNCTION epro_redacted()"
    if under_an_entry:
        acts = "INSERT" if table in APPEND_ONLY and not words else "INSERT OR UPDATE"
        yield _trigger(table, acts, "told") + " FOR EACH ROW EXECUTE FUNCTION epro_told()"


def _on_sqlite(table: Table, under_an_entry: bool) -> Iterator[str]:
    only_added = f"BEGIN SELECT RAISE(ABORT, 'epro: rows of {table.name} are only added'); END"
    yield f"{_trigger(table, 'DELETE')} {only_added}"
    replaced = " OR ".join(_is_there(table, names) for names in _unique(table))
    yield f"{_trigger(table, 'INSERT', 'replaced')} WHEN {replaced} {only_added}"
    words = EMPTIED.get(table.name, ())
    if table in APPEND_ONLY:
        when = f" WHEN {_more_than_emptied(table, words)}" if words else ""
        yield f"{_trigger(table, 'UPDATE')}{when} {only_added}"
    if table is REDACTABLE:
        other = "NEW.digest <> OLD.digest OR NEW.salt IS NOT NULL OR NEW.value IS NOT NULL"
        said = "BEGIN SELECT RAISE(ABORT, 'epro: a value of the trail can be redacted and nothing else'); END"
        yield f"{_trigger(table, 'UPDATE')} WHEN {other} {said}"
    if under_an_entry:
        known = "EXISTS (SELECT 1 FROM audit WHERE id = NEW.entry)"
        said = f"BEGIN SELECT RAISE(ABORT, 'epro: a row of {table.name} is written under a new entry only'); END"
        for act in ("INSERT",) if table in APPEND_ONLY and not words else ("INSERT", "UPDATE"):
            yield f"{_trigger(table, act, 'told')} WHEN {known} {said}"


def _trigger(table: Table, acts: str, rule: str = "sealed") -> str:
    name = f"epro_{table.name}_{acts.lower().replace(' ', '_')}_{rule}"
    return f'CREATE TRIGGER {name} BEFORE {acts} ON "{table.name}"'


def _more_than_emptied(table: Table, words: Iterable[str]) -> str:
    """That an update does more than empty these columns."""
    other = [f'NEW."{c.name}" IS NOT OLD."{c.name}"' for c in table.columns if c.name not in (*words, "entry")]
    filled = [f'(NEW."{name}" IS NOT NULL AND NEW."{name}" IS NOT OLD."{name}")' for name in words]
    return " OR ".join((*other, *filled))


def _is_there(table: Table, names: Iterable[str]) -> str:
    same = " AND ".join(f'"{name}" = NEW."{name}"' for name in names)
    return f'EXISTS (SELECT 1 FROM "{table.name}" WHERE {same})'  # noqa: S608 - names of our own tables


def _unique(table: Table) -> list[list[str]]:
    """The sets of columns of which no two rows share the values."""
    rules = [rule for rule in table.constraints if isinstance(rule, (PrimaryKeyConstraint, UniqueConstraint))]
    indexes = [index for index in table.indexes if index.unique]
    return [[column.name for column in key.columns] for key in (*rules, *indexes)]


@event.listens_for(Base.metadata, "after_create")
def _seal_what_was_created(_metadata: object, connection: Connection, **_: object) -> None:
    """A database that is made without migrations is sealed alike, once the ledger's tables are there too."""
    if connection.dialect.has_table(connection, message_event.name):
        seal(connection)
