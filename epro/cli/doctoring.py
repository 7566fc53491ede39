"""`epro doctor`: is everything in place, and if not, what is to be done?"""

from __future__ import annotations

import json
import sys
from time import sleep

import click

from epro.doctor import Line, examine, send_test_text
from epro.opening import open_house, system_clock
from epro.settings import Settings, read_settings
from epro.store.contacts import NotAMobile


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the lines as JSON.")
@click.option("--text", "to", metavar="NUMBER", help="Also send one test text there, and wait for its receipt.")
def doctor(as_json: bool, to: str | None) -> None:
    """Look at every part of this installation. Exit code 0 only when all is well.

    Example: epro doctor --text "070-174 06 05"
    """
    settings = read_settings()
    lines = list(examine(settings, system_clock()))
    if to is not None:
        lines.append(_test_text(settings, to))
    if as_json:
        told = [{"what": line.what, "ok": line.is_well, "found": line.found, "cure": line.cure} for line in lines]
        click.echo(json.dumps(told, ensure_ascii=False))
    else:
        for line in lines:
            click.echo(f"{'ok ' if line.is_well else 'NOT'}  {line.what}: {line.found}")
            if line.cure:
                click.echo(f"     {line.cure}")
    sys.exit(0 if all(line.is_well for line in lines) else 1)


def _test_text(settings: Settings, to: str) -> Line:
    try:
        return send_test_text(open_house(settings), to, sleep)
    except NotAMobile as error:
        raise click.BadParameter(error.message % error.values, param_hint="--text") from None


commands = {"doctor": doctor}
