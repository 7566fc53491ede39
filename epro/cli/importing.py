"""`epro import`: a file of the trial office, first as what each row would become, then in the database."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from epro.acts.imports.files import CHANGED, NEW, UNCHANGED, Brought, bring_in
from epro.acts.imports.kinds import KINDS
from epro.cli.serving import COMMAND, released
from epro.opening import open_house
from epro.refusals import Refusal
from epro.settings import read_settings
from epro.store.database import writing

PATIENTS = "patients"


@click.command(name="import")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--what", type=click.Choice(list(KINDS)), default=PATIENTS, show_default=True, help="What is in it.")
@click.option("--dry-run", is_flag=True, help="Show what it would do, and stop.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.option("--columns", is_flag=True, help="Show the columns of such a file, and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON; without --yes nothing is changed.")
def import_(file: Path | None, what: str, dry_run: bool, yes: bool, columns: bool, as_json: bool) -> None:
    """Show what each row of a file would become and, asked, bring it in: all of it, or nothing and every reason.

    FILE is CSV (commas or semicolons, UTF-8 or Windows) or an Excel workbook. The same file again changes nothing.
    A dated copy is kept, contact data left out.

    Example: epro import patients.xlsx

    Example: epro import events.csv --what adverse_events --dry-run
    """
    house = released(open_house(read_settings()))
    kind = KINDS[what]
    if columns:
        click.echo(f"needed: {', '.join(kind.required(house.protocol))}")
        click.echo(f"may be left out: {', '.join(kind.optional(house.protocol))}")
        return
    if file is None:
        raise click.UsageError("Name a file, or --columns.")
    raw = file.read_bytes()

    def bring(dry: bool) -> Brought:
        with writing(house.engine) as connection, _bar() as show:
            act: dict[str, Any] = {"by": COMMAND, "now": house.clock(), "progress": show}
            return bring_in(connection, house.protocol, house.cipher, kind, raw, dry=dry, **act)

    brought = bring(dry=dry_run or not yes)
    _tell(brought, as_json)
    if brought.wrongs:
        raise SystemExit(1)
    if as_json or dry_run or yes or not brought.changes_anything:
        return
    click.confirm("Import all of it?", abort=True)
    brought = bring(dry=False)
    if brought.wrongs:
        raise Refusal(brought.wrongs)
    click.echo("Imported.")


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    """A bar on the terminal, where there is one."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    with Progress(console=Console(stderr=True), transient=True) as progress:
        rows = progress.add_task("Reading row by row", total=None)
        yield lambda done, total: progress.update(rows, completed=done, total=total)


def _tell(brought: Brought, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_as_json(brought), ensure_ascii=False))
        return
    for wrong in brought.wrongs:
        click.echo(str(wrong), err=True)
    if brought.wrongs:
        click.echo(f"Nothing was imported: {len(brought.wrongs)} things are wrong.", err=True)
        return
    for line in _lines(brought):
        click.echo(line)


def _lines(brought: Brought) -> Iterator[str]:
    for row in brought.rows:
        if row.becomes != UNCHANGED or row.notes:
            yield f"row {row.number}, {row.subject}: {row.becomes}"
            yield from (f"  {note}" for note in row.notes)
    yield from map(str, brought.notes)
    counts = ", ".join(f"{brought.count(each)} {each}" for each in (NEW, CHANGED, UNCHANGED))
    yield f"{counts}. {'Imported.' if brought.kept else 'Nothing is saved yet.'}"


def _as_json(brought: Brought) -> dict[str, object]:
    return {
        "kind": brought.kind,
        "imported": brought.kept,
        "rows": [
            {
                "row": row.number,
                "subject": row.subject,
                "becomes": row.becomes,
                "notes": [str(note) for note in row.notes],
            }
            for row in brought.rows
        ],
        "notes": [str(note) for note in brought.notes],
        "wrongs": [
            {"row": getattr(wrong, "row", None), "column": wrong.field, "what": wrong.message % wrong.values}
            for wrong in brought.wrongs
        ],
    }


commands = {"import": import_}
