"""`epro rehearse`: play a trial of years in minutes, through the real code, before its first patient."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from epro.rehearsal.player import Progress as Told
    from epro.rehearsal.rehearsed import Rehearsed
    from epro.rehearsal.rehearsing import Asked

NAMES = (
    "as expected",
    "no effect",
    "effect comes late",
    "many silent",
    "health foretells death",
    "poor reach",
    "late reports",
    "outages",
)
SHOWN = 20
DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.argument("trial", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--patients", default=200, show_default=True, type=click.IntRange(1, 5000))
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same rehearsal.")
@click.option("--scenario", default=NAMES[0], show_default=True, type=click.Choice(NAMES))
@click.option("--from", "first_day", type=DAY, default="2027-01-04", show_default=True, help="The first enrolment.")
@click.option(
    "--accrual", default=24.0, show_default=True, type=click.FloatRange(0.1, 240), help="Months of enrolment."
)
@click.option("--http", default="10", show_default=True, metavar="N", help="One in N through the pages; all, or none.")
@click.option("--amend", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The file in mid-trial.")
@click.option("--server", metavar="URL", help="A PostgreSQL server; a database of its own is made and dropped there.")
@click.option("--golden", type=click.Path(dir_okay=False, path_type=Path), help="Keep the texts here, or compare.")
@click.option("--out", default="rehearsal", show_default=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the numbers, for a program.")
def rehearse(
    trial: Path,
    patients: int,
    seed: int,
    scenario: str,
    first_day: datetime,
    accrual: float,
    http: str,
    amend: Path | None,
    server: str | None,
    golden: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    """Play the whole TRIAL file with invented patients, from the first enrolment to the last visit, and report.

    Everything is real but the carrier and the clock: plans, texts, links, forms, receipts, what nurses do, outages. The
    database is made for this and thrown away; nothing live is read or written, and no text leaves this machine,
    whatever the environment says. Exit code 1 when a rule was broken, or a text goes otherwise than --golden has it.

    Example: epro rehearse breclim-2.toml --patients 50 --scenario "poor reach"
    """
    from epro.protocol import read_protocol
    from epro.rehearsal.rehearsing import Asked
    from epro.rehearsal.scenarios import SCENARIOS

    asked = Asked(
        patients=patients,
        seed=seed,
        scenario=SCENARIOS[scenario],
        first_day=first_day.date(),
        accrual_months=accrual,
        one_in=_one_in(http),
        amended=read_protocol(amend) if amend else None,
    )
    _refuse_another(golden, asked)
    found = _played(trial, server, asked)
    _say(found, out, as_json)
    if (golden is not None and _compare(found, golden)) or found.breaches:
        sys.exit(1)


def _played(trial: Path, server: str | None, asked: Asked) -> Rehearsed:
    from epro.rehearsal.places import throw_away_house
    from epro.rehearsal.rehearsed import rehearse

    with throw_away_house(trial, server=server) as house, _shown(asked.patients) as (told, tell):
        return rehearse(house, asked, told, tell)


def _one_in(http: str) -> int | None:
    if http in ("all", "none"):
        return 1 if http == "all" else None
    if http.isdecimal() and int(http) > 0:
        return int(http)
    raise click.BadParameter("Say a number of patients, or all, or none.", param_hint="--http")


@contextmanager
def _shown(patients: int) -> Iterator[tuple[Told, Callable[[str], None]]]:
    """A bar of the days played."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn()) as progress:
        bar = progress.add_task(f"Rehearsing with {patients} patients, day by day", total=None)

        def told(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)

        def tell(what: str) -> None:
            progress.update(bar, description=what)

        yield told, tell


def _refuse_another(golden: Path | None, asked: Asked) -> None:
    from epro.rehearsal import golden as kept
    from epro.rehearsal.rehearsed import as_asked

    if golden is not None and golden.exists():
        try:
            kept.refuse_another_rehearsal(kept.read(golden), as_asked(asked))
        except kept.NoGolden as refused:
            raise click.ClickException(str(refused)) from None


def _say(found: Rehearsed, out: Path, as_json: bool) -> None:
    """Write the report into its folder, and the sum of it here."""
    from epro.rehearsal.report import as_json as in_json
    from epro.rehearsal.report import write_report

    page = write_report(found, out)
    if as_json:
        numbers = json.loads(in_json(found))
        click.echo(json.dumps({name: numbers[name] for name in numbers if name != "patients"}, ensure_ascii=False))
        return
    texts, calls = found.texts, found.calls
    cost = "" if texts.cost is None else f", {texts.cost:.0f} {texts.currency}"
    click.echo(f"\n{found.trial['code']} from {found.first_on} to {found.last_on}, {found.asked['scenario']}:")
    click.echo(f"  {texts.left} texts{cost}; {texts.average:.1f} to a patient, at most {texts.worst}")
    click.echo(f"  {calls.total} calls by nurses, {calls.per_nurse_and_week:.2f} a nurse and week")
    for one in found.advice:
        click.echo(f"  {one.where}: {one.seen}")
    rules = len(found.rules)
    click.echo(f"  {found.steps} steps held to {rules} rules: " + _of(len(found.breaches), "breach", "breaches"))
    for breach in found.breaches[:SHOWN]:
        click.echo(f"  BROKEN  {breach.invariant}: {breach.sentence} ({breach.at:%Y-%m-%d %H:%M} UTC)", err=True)
    click.echo(f"The report: {page.resolve()}")


def _compare(found: Rehearsed, file: Path) -> bool:
    """Whether any text goes otherwise than it was kept; what is not there yet is kept now."""
    from epro.rehearsal import golden

    if not file.exists():
        golden.keep(found, file)
        click.echo(f"The plan of {sum(len(page.texts) for page in found.patients)} texts is kept in {file}.", err=True)
        return False
    kept = golden.read(file)
    changes = list(golden.changes(kept, golden.plan_of(found)))
    if not changes:
        click.echo("Every text goes as it was kept.", err=True)
        return False
    was, now = kept["trial"], found.trial
    click.echo(f"{_of(len(changes), 'text goes', 'texts go')} otherwise than with epro {was['epro']}", err=True)
    click.echo(f"and trial file {was['sha256'][:12]} (now epro {now['epro']}, {now['sha256'][:12]}):", err=True)
    for change in changes[:SHOWN]:
        click.echo(f"  {change}", err=True)
    if len(changes) > SHOWN:
        click.echo(f"  … and {len(changes) - SHOWN} more", err=True)
    click.echo(f"Delete {file.name} to keep the new plan instead.", err=True)
    return True


def _of(n: int, one: str, many: str) -> str:
    return f"{n or 'no'} {one if n == 1 else many}"


commands = {"rehearse": rehearse}
