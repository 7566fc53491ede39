"""`epro report` and `epro data check`: what a trial folder says, from this service or from any other system."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

if TYPE_CHECKING:
    from analysis.trial import Trial

FOLDER = click.Path(file_okay=False, exists=True, path_type=Path)


@click.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Where to write; FOLDER/report unless given."
)
@click.option("--data-cut", type=click.DateTime(["%Y-%m-%d"]), help="The trial as it stood at the end of this day.")
@click.option("--only", multiple=True, help="A section's or estimand's id; may be given again.")
@click.option("--masked", is_flag=True, help="Arms as A and B, by a key kept apart; for a data monitoring committee.")
@click.option("--key", type=click.Path(dir_okay=False, path_type=Path), help="The key; FOLDER-key.json unless given.")
@click.option("--r-check", "r_check", is_flag=True, help="Also write an R script that computes the headlines anew.")
@click.option("--json", "as_json", is_flag=True, help="Print the report's path as JSON.")
def report(
    folder: Path,
    out: Path | None,
    data_cut: datetime | None,
    only: tuple[str, ...],
    masked: bool,
    key: Path | None,
    r_check: bool,
    as_json: bool,
) -> None:
    """Analyse a trial folder and write the report: one HTML file, and every number and figure beside it.

    Works without a service: any folder with the documented columns will do.

    Example: epro report trial-folder --out report --data-cut 2027-06-30
    """
    import analysis

    day = data_cut.date() if data_cut else None
    out = out or folder / ("report-masked" if masked else "report")
    with _progress() as tell:
        tell("the trial folder")
        trial = _as_asked(folder, day, key or folder.absolute().parent / f"{folder.absolute().name}-key.json", masked)
        command = _command(day, only, masked)
        path = analysis.report(trial, trial.plan, out, only=only, command=command, progress=tell)
        if r_check:
            from analysis.rcheck import write_r_check

            tell("the check in R")
            write_r_check(trial, out)
    click.echo(json.dumps({"report": str(path)}) if as_json else str(path))


def _as_asked(folder: Path, day: date | None, key: Path, masked: bool) -> Trial:
    from analysis.cutting import cut
    from analysis.masking import masked as mask
    from analysis.masking import read_key
    from analysis.trial import read_trial

    trial = read_trial(folder)
    trial = cut(trial, day) if day else trial
    return mask(trial, read_key(key, list(trial.plan.arms))) if masked else trial


def _command(day: date | None, only: tuple[str, ...], masked: bool) -> str:
    """What was asked, without the paths of this machine."""
    parts = ["epro report FOLDER", *([f"--data-cut {day}"] if day else []), *(f"--only {each}" for each in only)]
    return " ".join([*parts, *(["--masked"] if masked else [])])


@contextmanager
def _progress() -> Iterator[Any]:
    """A line on stderr that names what is being made."""
    with Console(stderr=True).status("Analysing") as status:
        yield lambda title: status.update(f"Analysing: {title}")


@click.group()
def data() -> None:
    """Look into a trial folder, also one that came from another system.

    Example: epro data check trial-folder
    """


@data.command("check")
@click.argument("folder", type=FOLDER)
@click.option("--json", "as_json", is_flag=True, help="Print faults and oddities as JSON.")
def data_check(folder: Path, as_json: bool) -> None:
    """Say what is missing in a trial folder, what is odd, and where. Exit code 1 when it cannot be analysed.

    Example: epro data check trial-folder
    """
    from analysis.columns import BadTrial
    from analysis.trial import read_trial

    try:
        trial = read_trial(folder)
    except BadTrial as bad:
        if as_json:
            click.echo(json.dumps({"ok": False, "faults": [asdict(fault) for fault in bad.faults]}))
        else:
            click.echo(str(bad), err=True)
        raise SystemExit(1) from None
    odd = trial.oddities
    counts = {"subjects": len(trial.subjects), "forms": len(trial.forms), "answers": len(trial.answers)}
    if as_json:
        said = [{"code": o.code, "table": o.table, "rows": o.rows, "patients": o.subjects, "what": o.what} for o in odd]
        click.echo(json.dumps({"ok": True, "rows": counts, "odd": said}))
        return
    for each in odd:
        click.echo(f"odd: {each}")
    whole = ", ".join(f"{n} {name}" for name, n in counts.items())
    click.echo(
        f"{folder}: {whole}; nothing is missing, {len(odd)} kinds of odd rows, all kept and counted in the report."
    )


commands = {"report": report, "data": data}
