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
from epro.settings import read_settings
from epro.store.database import reading, writing
from scheduler import ledger
from scheduler.ledger import Text

MAY_STILL_LEAVE = ("planned", "claimed")
PERHAPS_LEFT = ("unknown", "given_up")


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
        texts = ledger.rows(connection, subject)
    with writing(house.engine) as connection:
        looked(connection, "stopped", [subject], by=COMMAND, now=house.clock())
    pending = [text for text in texts if text.state in MAY_STILL_LEAVE]
    left = [text for text in texts if text.left_at is not None and text.state != "claimed"]
    if as_json:
        click.echo(json.dumps({"subject": subject, "pending": len(pending), "left": [_named(text) for text in left]}))
    else:
        click.echo(f"{subject}: {len(pending)} pending, {len(left)} left before")
        for text in left:
            at = text.left_at.astimezone(house.protocol.zone) if text.left_at else None
            click.echo(f"  {at:%Y-%m-%d %H:%M}  {text.visit} {text.step}  {_state(text)}")
    sys.exit(1 if pending else 0)


def _named(text: Text) -> dict[str, str | None]:
    return {"key": text.key, "left_at": _iso(text.left_at), "state": text.state}


def _state(text: Text) -> str:
    return "perhaps sent" if text.state in PERHAPS_LEFT else text.state.replace("_", " ")


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


commands = {"stopped": stopped}
