"""`epro stopped`: proof that nothing more is sent to a patient, and what had left before."""

from __future__ import annotations

import json
import sys
from datetime import datetime

import click

from epro.acts.looking import looked
from epro.acts.patients import known_patient
from epro.cli.serving import COMMAND, released
from epro.opening import open_house
from epro.queries.stopped import PERHAPS_LEFT, proof
from epro.settings import read_settings
from epro.store.database import reading, writing
from scheduler.ledger import Text


@click.command()
@click.argument("subject")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def stopped(subject: str, as_json: bool) -> None:
    """Say how many texts are still pending for a patient, and list every text that has left.

    Exit code 0 only when none is pending.

    Example: epro stopped UME-001
    """
    house = released(open_house(read_settings()))
    with reading(house.engine) as connection:
        known_patient(connection, subject)
        found = proof(connection, subject)
    with writing(house.engine) as connection:
        looked(connection, "stopped", [subject], by=COMMAND, now=house.clock())
    if as_json:
        left = [_named(text) for text in found.left]
        click.echo(json.dumps({"subject": subject, "pending": found.pending, "left": left}))
    else:
        click.echo(f"{subject}: {found.pending} pending, {len(found.left)} left before")
        for text in found.left:
            at = text.left_at.astimezone(house.protocol.zone) if text.left_at else None
            click.echo(f"  {at:%Y-%m-%d %H:%M}  {text.visit} {text.step}  {_state(text)}")
    sys.exit(1 if found.pending else 0)


def _named(text: Text) -> dict[str, str | None]:
    return {"key": text.key, "left_at": _iso(text.left_at), "state": text.state}


def _state(text: Text) -> str:
    return "perhaps sent" if text.state in PERHAPS_LEFT else text.state.replace("_", " ")


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


commands = {"stopped": stopped}
