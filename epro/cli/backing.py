"""`epro backup`, `epro restore` and `epro drill`: a way back, and the proof that it is one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.console import Console

from epro.backups import Manifest, back_up, newest
from epro.backups import check as check_backup
from epro.backups import restore as restore_backup
from epro.cli.serving import COMMAND, released
from epro.drilling import drill as run_drill
from epro.opening import open_house
from epro.settings import read_settings
from scheduler.elapsed import seconds_since_boot


@click.command()
@click.argument("out", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print what the backup holds as JSON.")
def backup(out: Path | None, as_json: bool) -> None:
    """Back up the database while it is in use. OUT is a file or a folder; EPRO_BACKUPS unless given.

    Keys are not in it: keep EPRO_CONTACT_KEYS elsewhere, or no number in the backup can be read again.

    Example: epro backup /srv/backups
    """
    house = released(open_house(read_settings()))
    if out is None:
        out = house.settings.backup_folder
        out.mkdir(parents=True, exist_ok=True)
    with Console(stderr=True).status("Backing up"):
        file, manifest = back_up(house, out, house.clock())
    _tell(file, manifest, as_json, "backed up")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--check", "only_check", is_flag=True, help="Only say whether it is whole and the keys are here.")
@click.option("--json", "as_json", is_flag=True, help="Print what the backup holds as JSON.")
def restore(file: Path, only_check: bool, as_json: bool) -> None:
    """Bring an empty database to what a backup holds. Sending is off until `epro clock --after-restore`.

    Example: EPRO_DATABASE_URL=postgresql://epro@db/epro_new epro restore latest.epro-backup
    """
    settings = read_settings()
    if only_check:
        _tell(file, check_backup(file, settings), as_json, "whole")
        return
    house = open_house(settings)
    with Console(stderr=True).status("Restoring"):
        manifest = restore_backup(file, house, by=COMMAND, now=house.clock())
    _tell(file, manifest, as_json, "restored")
    click.echo("Nothing is sent from it until `epro clock --after-restore` has asked what left since then.", err=True)


@click.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--into", default="", metavar="URL", help="An empty database to restore into; made and dropped if absent."
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Where the report goes; beside the backup."
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def drill(file: Path | None, into: str, out: Path | None, as_json: bool) -> None:
    """Restore the latest backup into an empty place, compare, and write a report. Exit code 0 if all came back.

    Example: epro drill
    """
    house = released(open_house(read_settings()))
    latest = newest(house.settings.backup_folder)
    if file is None and latest is None:
        raise click.ClickException(f"There is no backup in {house.settings.backup_folder}. Run `epro backup` first.")
    chosen = file or (latest[0] if latest else Path())
    with Console(stderr=True).status("Restoring and comparing"):
        report = run_drill(chosen, house, into=into, elapsed=seconds_since_boot)
    folder = out or chosen.parent
    folder.mkdir(parents=True, exist_ok=True)
    name = f"drill-{report.drilled_at:%Y%m%dT%H%M%SZ}"
    (folder / f"{name}.json").write_text(report.written(), encoding="utf-8")
    (folder / f"{name}.txt").write_text(str(report), encoding="utf-8")
    click.echo(report.written() if as_json else str(report), nl=as_json)
    sys.exit(1 if report.faults else 0)


def _tell(file: Path, manifest: Manifest, as_json: bool, what: str) -> None:
    rows = sum(table["rows"] for table in manifest.tables.values())
    if as_json:
        click.echo(json.dumps({"file": str(file), **json.loads(manifest.written())}))
        return
    click.echo(
        f"{file}: {what}; {manifest.kind} of {manifest.at:%Y-%m-%d %H:%M} UTC, {rows} rows in "
        f"{len(manifest.tables)} tables, {sum(c['count'] for c in manifest.chains.values())} entries of the trail, "
        f"keys {', '.join(manifest.keys)} (not in it)."
    )


commands = {"backup": backup, "restore": restore, "drill": drill}
