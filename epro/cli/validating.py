"""`epro validate`: the pack that a sponsor's quality people read before a trial goes live."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from epro.cli.serving import released
from epro.opening import open_house, sending_clock
from epro.settings import read_settings
from epro.validating import ROOT, validate

KNOWN_ISSUES = ROOT / "docs" / "known-issues.md"


@click.command(name="validate")
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--results",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="What the tests said: written by `pytest --results FILE`.",
)
@click.option(
    "--known-issues", type=click.Path(path_type=Path), default=KNOWN_ISSUES, help="Defects and why they stay."
)
@click.option("--json", "as_json", is_flag=True, help="Print what is wrong as JSON.")
def validate_(out: Path, results: Path, known_issues: Path, as_json: bool) -> None:
    """Write what can be shown of this installation: installation, operation, performance, known issues.

    Exit code 0 only when the files here are those that were tested, no test failed, and every requirement has one.

    Example: epro validate pack --results results.json
    """
    house = released(open_house(read_settings()))
    try:
        pack = validate(house, out, results, known_issues, now=house.clock(), database=sending_clock(house.engine)())
    except (ValueError, KeyError, TypeError):
        raise click.ClickException(f"{results.name} is not a file of `pytest --results`.") from None
    if as_json:
        click.echo(json.dumps({"folder": str(pack.folder), "ok": not pack.faults, "faults": pack.faults}))
    else:
        click.echo(f"{pack.folder}: " + ("nothing was found wrong" if not pack.faults else "this is wrong:"))
        for fault in pack.faults:
            click.echo(f"  - {fault}")
    sys.exit(1 if pack.faults else 0)


commands = {"validate": validate_}
