"""`epro doctor`: is everything in place, and if not, what is to be done?"""

from __future__ import annotations

import json
import sys

import click

from epro.doctor import examine
from epro.opening import system_clock
from epro.settings import read_settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the lines as JSON.")
def doctor(as_json: bool) -> None:
    """Look at every part of this installation. Exit code 0 only when all is well.

    Example: epro doctor
    """
    lines = list(examine(read_settings(), system_clock()))
    if as_json:
        told = [{"what": line.what, "ok": line.is_well, "found": line.found, "cure": line.cure} for line in lines]
        click.echo(json.dumps(told, ensure_ascii=False))
    else:
        for line in lines:
            click.echo(f"{'ok ' if line.is_well else 'NOT'}  {line.what}: {line.found}")
            if line.cure:
                click.echo(f"     {line.cure}")
    sys.exit(0 if all(line.is_well for line in lines) else 1)


commands = {"doctor": doctor}
