"""`epro export`: from stored answers to the folder that `epro report` reads."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console

from epro.acts.looking import looked
from epro.cli.serving import COMMAND, released
from epro.opening import open_house
from epro.settings import read_settings
from epro.store.database import writing


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print row counts as JSON.")
@click.option("--at", type=datetime.fromisoformat, hidden=True, help="The instant at which what is open is judged.")
def export(folder: Path, as_json: bool, at: datetime | None) -> None:
    """Write the trial folder for analysis: subjects, forms, answers, plan, manifest. No contact data, ever.

    Example: epro export trial-folder
    """
    from analysis.manifest import MANIFEST
    from epro.queries.export import export as write
    from epro.record.epro_verify import sha256_of

    house = released(open_house(read_settings()))
    with Console(stderr=True).status("Exporting"):
        trial = write(house, folder, now=at or house.clock())
    counts = {"subjects": len(trial.subjects), "forms": len(trial.forms), "answers": len(trial.answers)}
    detail = {"rows": counts, "sha256": sha256_of(folder / MANIFEST)}
    with writing(house.engine) as connection:
        looked(connection, "export", list(trial.subjects["subject"]), by=COMMAND, now=house.clock(), detail=detail)
    click.echo(
        json.dumps(counts) if as_json else f"{folder}: " + ", ".join(f"{n} {name}" for name, n in counts.items())
    )


commands = {"export": export}
