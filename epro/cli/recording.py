"""`epro verify`, `epro archive`, `epro erase`, `epro redact`: the record, and what is rightly taken out of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.console import Console

from epro.cli.serving import COMMAND, released
from epro.house import House
from epro.opening import OUTBOX, carrier_of, open_house
from epro.settings import read_settings
from epro.store import anchors
from epro.store.audit import Actor
from epro.store.database import reading, writing
from scheduler.carriers.twilio import Twilio


@click.command()
@click.option(
    "--anchors",
    "elsewhere",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    multiple=True,
    help="A copy of anchors.jsonl that was kept elsewhere; more than one may be given.",
)
@click.option("--go-on", metavar="NAME", help="Who has looked into a broken trail and lets the service start again.")
@click.option("--reason", default="", help="With --go-on: what was found, and why the trial goes on.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def verify(elsewhere: tuple[Path, ...], go_on: str | None, reason: str, as_json: bool) -> None:
    """Hold the audit trail against its hashes and its anchors, and every row of the data against the trail.

    Exit code 0 only when everything agrees; otherwise the first bad row of each chain is named. `epro serve` and
    `epro clock` do not start on a trail that is broken; --go-on lets them, and the trail keeps who decided it and why.

    Example: epro verify --anchors /media/site/anchors.jsonl
    """
    from epro.queries import verification

    house = released(open_house(read_settings()))
    known = anchors.read(house.settings.anchors_folder)
    for file in elsewhere:
        known += anchors.read_file(file)
    with Console(stderr=True).status("Verifying"), reading(house.engine) as connection:
        found = verification.verify(connection, known)
    if as_json:
        click.echo(json.dumps({"ok": not found.faults, **found.__dict__}, ensure_ascii=False))
    else:
        click.echo(
            f"{found.entries} entries, {found.values} values ({found.redacted} redacted), {found.rows} rows, "
            f"{found.anchors} anchors"
        )
        if not known:
            click.echo("No anchors yet: a tail that was cut off or a history written anew cannot be seen.")
        click.echo("\n".join(found.faults) if found.faults else "Everything agrees.")
    if go_on and found.faults:
        from epro.acts.going_on import go_on as decide

        with writing(house.engine) as connection:
            decide(connection, reason=reason, by=Actor(go_on, "operator", "command"), now=house.clock())
        click.echo("It is in the trail that you go on: `epro serve` and `epro clock` start again.", err=True)
    sys.exit(1 if found.faults else 0)


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print counts and checksum as JSON.")
def archive(out: Path, as_json: bool) -> None:
    """Write data, trail, dictionary, hashes of wordings, schema and checksums into a new folder OUT.

    A bare Python checks and recounts it: python OUT/epro_verify.py

    Example: epro archive archive-2027-03-01
    """
    from epro.queries import archive as archives

    house = released(open_house(read_settings()))
    try:
        with Console(stderr=True).status("Archiving"):
            done = archives.archive(house, out, now=house.clock())
    except archives.FolderNotEmpty as error:
        raise click.ClickException(str(error)) from None
    _keep_look(house, "archive", done.subjects, {"rows": done.rows, "sha256": done.sha256})
    if as_json:
        click.echo(json.dumps({"rows": done.rows, "entries": done.entries, "sha256": done.sha256}))
        return
    click.echo(f"{out}: {done.entries} entries, {sum(done.rows.values())} rows in {len(done.rows)} tables")
    click.echo(f"SHA-256 of checksums.sha256, to be kept apart: {done.sha256}")


@click.command()
@click.argument("subject")
@click.option("--reason", required=True, help="Why, in a few words without names.")
@click.option("--yes", is_flag=True, help="Do not ask whether this is meant.")
def erase(subject: str, reason: str, yes: bool) -> None:
    """Take a patient's number and replies out of every table and file here, and ask the carrier to forget her texts.

    Her answers are kept, and the audit trail says that it was done. Backups keep the number until they are thrown away.

    Example: epro erase UME-001 --reason "withdrawal with erasure"
    """
    from epro.acts import erasure

    house = released(open_house(read_settings()))
    if not yes:
        click.confirm(f"Erase number and replies of {subject}? This cannot be undone", abort=True)
    with reading(house.engine) as connection:
        addresses = erasure.addresses_of(connection, house.cipher, subject)
    with writing(house.engine) as connection:
        refs = erasure.erase_contact(connection, house.protocol, subject, reason=reason, by=COMMAND, now=house.clock())
    files = erasure.erase_files(house.settings.home / OUTBOX, addresses)
    click.echo(f"{subject}: number and replies are erased; {files} files of texts removed.")
    carrier = carrier_of(house)
    if isinstance(carrier, Twilio) and refs:
        gone = sum(carrier.redact(ref) for ref in refs)
        click.echo(f"The carrier has forgotten the words of {gone} of {len(refs)} texts.")
        if gone < len(refs):
            click.echo("Run this again in a day for the others; a carrier may hold a text for up to 14 days.")
    click.echo("Backups still hold the number until they are thrown away.")


@click.command()
@click.argument("chain")
@click.argument("entry", type=int)
@click.argument("field")
@click.option("--reason", required=True, help="Why, in a few words without names.")
def redact(chain: str, entry: int, field: str, reason: str) -> None:
    """Empty what an entry of the trail tells of FIELD, such as reason or text, and the words themselves.

    The chain still verifies.

    For the rare case that somebody's identity was written where it does not belong.

    Example: epro redact UME 17 reason --reason "a name stood in it"
    """
    from epro.acts import erasure

    house = released(open_house(read_settings()))
    with writing(house.engine) as connection:
        emptied = erasure.redact(connection, chain, entry, field, reason=reason, by=COMMAND, now=house.clock())
    click.echo(f"{chain}, entry {entry}: {emptied} values of {field} are redacted.")


def _keep_look(house: House, what: str, subjects: list[str], detail: dict[str, object]) -> None:
    from epro.acts.looking import looked

    with writing(house.engine) as connection:
        looked(connection, what, subjects, by=COMMAND, now=house.clock(), detail=detail)


commands = {"verify": verify, "archive": archive, "erase": erase, "redact": redact}
