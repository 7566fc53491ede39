"""`epro dossier`: every screen, text and day of a trial in one file, for those who judge it."""

from __future__ import annotations

from pathlib import Path

import click

from epro.opening import system_clock


@click.command()
@click.argument("trial", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default=Path("dossier.html"), show_default=True)
@click.option("--language", help="In which the dossier is written; the trial's first unless given.")
def dossier(trial: Path, out: Path, language: str | None) -> None:
    """Write what a patient of this trial sees and is sent: screens in every language and width, texts, a sample
    calendar, where the data go and how long they are kept.

    Example: epro dossier breclim-2.toml --out dossier.html
    """
    from epro.rehearsal.dossier import write_dossier

    out.write_text(write_dossier(trial, language, system_clock()), encoding="utf-8")
    click.echo(f"{out}: {out.stat().st_size // 1024} kB. Open it in a browser; it asks nothing of the network.")


commands = {"dossier": dossier}
