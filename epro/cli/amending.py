"""`epro amend`: a changed trial file, first as what it would do to each patient, then in force."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from rich.progress import track

from epro.acts.amendments import RULES, Amendment, Effect, amend, earliest_day, effects
from epro.cli.serving import COMMAND, NotReleased
from epro.house import House
from epro.opening import open_house, system_clock
from epro.protocol import read_protocol
from epro.settings import read_settings
from epro.store.database import reading, writing
from epro.store.migrating import newest_revision, revision_of
from epro.versions import BY_AMENDMENT
from scheduler.changes import Changes

DAY = click.DateTime(["%Y-%m-%d"])


@click.command(name="amend")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--rule",
    type=click.Choice(RULES),
    default=BY_AMENDMENT,
    show_default=True,
    help="amendment: for every patient; consent: for those who consent from that day on, the others once they do anew.",
)
@click.option("--from", "from_day", type=DAY, help="The day from which it holds; tomorrow unless given.")
@click.option("--reason", help="Why, for the audit trail: the amendment's number, say.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON; without --yes nothing is changed.")
def amend_(file: Path, rule: str, from_day: datetime | None, reason: str | None, yes: bool, as_json: bool) -> None:
    """Show for each patient what a changed trial file would move, add and take away; asked, put it in force.

    Visits that are open or over, and texts that have left, keep the version they were made under.

    Example: epro amend breclim-2-amended.toml --rule consent --from 2027-09-01
    """
    house = _opened()
    protocol = read_protocol(file, on=system_clock().date())
    now = house.clock()
    with reading(house.engine) as connection:
        from_on = from_day.date() if from_day else earliest_day(connection, protocol, now)
        amendment = Amendment(protocol, rule, from_on)
        found = effects(connection, amendment, now)
    if not as_json:
        for line in _lines(found, amendment, protocol.zone):
            click.echo(line)
    if as_json and not yes:
        click.echo(json.dumps(_as_json(found, amendment, None)))
        return
    if not yes:
        click.confirm("Put it in force?", abort=True)
    n = _put_in_force(house, amendment, reason, now)
    if as_json:
        click.echo(json.dumps(_as_json(found, amendment, n)))
        return
    click.echo(f"Version {n} is in force from {from_on}.")
    if file.resolve() != house.settings.trial.resolve():
        click.echo(f"Let EPRO_TRIAL name {file} before the service is started again.")


def _opened() -> House:
    """The house on the file that its settings name; it may be the very file that was edited."""
    house = open_house(read_settings())
    if revision_of(house.engine) != newest_revision():
        raise NotReleased("The database is empty or not of this version. Run `epro release` first.")
    return house


def _put_in_force(house: House, amendment: Amendment, reason: str | None, now: datetime) -> int:
    bar = None

    def show(done: int, total: int) -> None:
        nonlocal bar
        if bar is None and sys.stderr.isatty():
            from rich.console import Console

            bar = iter(track(range(total), "Planning anew", console=Console(stderr=True)))
        if bar is not None:
            next(bar, None)

    with writing(house.engine) as connection:
        return amend(connection, amendment, by=COMMAND, now=now, reason=reason, progress=show)


def _lines(found: Sequence[Effect], amendment: Amendment, zone: ZoneInfo) -> Iterator[str]:
    """Each patient whose plan would change, and a line that sums up."""
    for effect in found:
        if effect.changes:
            yield effect.subject
            yield from (f"  {line}" for line in _of_patient(effect.changes, zone))
    counts = _summary(found)
    yield (
        f"{counts['patients']} patients, {counts['unchanged']} unchanged. "
        f"Texts: {counts['moved']} would move, {counts['added']} be added, {counts['dropped']} fall away."
    )
    whom = "every patient" if amendment.rule == BY_AMENDMENT else "those who consent from then on, or anew"
    yield f"In force from {amendment.from_on}, for {whom}; what is open, over or sent stays as it is."


def _of_patient(changes: Changes, zone: ZoneInfo) -> Iterator[str]:
    for visit in changes.visits:
        yield f"visit {visit.code}: due {_day(visit.was)} -> {_day(visit.now)}"
    for code in changes.reshaped:
        yield f"visit {code}: another window or other questionnaires"
    for move in changes.moved:
        yield f"text  {_named(move.key)}: {_at(move.was, zone)} -> {_at(move.now, zone)}"
    for key in changes.added:
        yield f"text  {_named(key)}: added"
    for key in changes.dropped:
        yield f"text  {_named(key)}: falls away"


def _summary(found: Sequence[Effect]) -> dict[str, int]:
    return {
        "patients": len(found),
        "unchanged": sum(not effect.changes for effect in found),
        "moved": sum(len(effect.changes.moved) for effect in found),
        "added": sum(len(effect.changes.added) for effect in found),
        "dropped": sum(len(effect.changes.dropped) for effect in found),
    }


def _as_json(found: Sequence[Effect], amendment: Amendment, n: int | None) -> dict[str, object]:
    return {
        "in_force_as": n,
        "rule": amendment.rule,
        "from_on": amendment.from_on.isoformat(),
        "summary": _summary(found),
        "patients": [
            {
                "subject": effect.subject,
                "visits": [
                    {"visit": one.code, "was": one.was and one.was.isoformat(), "now": one.now and one.now.isoformat()}
                    for one in effect.changes.visits
                ],
                "reshaped": list(effect.changes.reshaped),
                "moved": [
                    {"key": move.key, "was": move.was.isoformat(), "now": move.now.isoformat()}
                    for move in effect.changes.moved
                ],
                "added": list(effect.changes.added),
                "dropped": list(effect.changes.dropped),
            }
            for effect in found
            if effect.changes
        ],
    }


def _named(key: str) -> str:
    visit, step = key.split("/")[-4:-2]
    return f"{visit} {step}"


def _day(on: date | None) -> str:
    return on.isoformat() if on else "none"


def _at(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%a %Y-%m-%d %H:%M}"


commands = {"amend": amend_}
