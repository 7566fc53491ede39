"""`epro demo`: the whole job on a simulated trial, from the first enrolment to the report, then served here."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from epro.cli.serving import refuse_a_busy_port, released
from epro.house import House
from epro.opening import OUTBOX, open_house
from epro.rehearsal.places import REPORT_FOLDER, TRIAL_FOLDER
from epro.settings import DEFAULT_TRIAL, Settings, read_settings, write_fresh_keys

DEMO_EMAIL = "nurse@demo.example"
LOGIN_FILE = "demo-login"
CARRIER_ONLY_CONSOLE = {"carrier": "console", "twilio_base_url": "", "smtp_host": ""}


@click.command()
@click.option("--patients", default=200, show_default=True, type=click.IntRange(1, 2000))
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same trial.")
@click.option("--serve/--no-serve", default=True, help="Start web and clock afterwards.")
def demo(patients: int, seed: int, serve: bool) -> None:
    """Simulate a trial, write its report, start web and clock, and say where to look. Ctrl-C stops everything.

    A second start keeps the database that the first one made. Only numbers set aside for fiction are used, and the
    texts stay on this machine, whatever the environment says.

    Example: EPRO_HOME=elsewhere EPRO_PORT=8080 epro demo
    """
    settings = _settings()
    if serve:
        refuse_a_busy_port(settings)
    _refuse_a_real_trial(settings)
    login = _login(settings.home)
    _simulate_once(settings, patients, seed, login)
    report = _report_once(settings)
    house = released(open_house(settings))
    _say_where_to_look(house, login, report)
    house.engine.dispose()
    if serve:
        sys.exit(_run_web_and_clock(settings))


def _settings() -> Settings:
    home = Path(os.environ.get("EPRO_HOME") or "var")
    write_fresh_keys(home)
    return read_settings(trial=DEFAULT_TRIAL, **CARRIER_ONLY_CONSOLE)


def _refuse_a_real_trial(settings: Settings) -> None:
    from epro.rehearsal import seeding

    if seeding.is_somebodys(settings):
        raise click.ClickException(
            "This database holds something that is not a demo, and stays as it is. "
            "Set EPRO_HOME or EPRO_DATABASE_URL to another place."
        )


def _login(home: Path) -> str:
    """The demo's password: made once, kept beside the demo's keys."""
    file = home / LOGIN_FILE
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(9))
    return file.read_text()


def _simulate_once(settings: Settings, patients: int, seed: int, password: str) -> None:
    from epro.rehearsal import seeding

    if seeding.is_complete(settings):
        return
    with _bar() as progress:
        bar = progress.add_task(f"Simulating {patients} patients, day by day", total=None)

        def show(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)

        seeding.seed(settings, patients=patients, seed=seed, login=(DEMO_EMAIL, password), progress=show)


def _report_once(settings: Settings) -> Path:
    report = settings.home / REPORT_FOLDER / "report.html"
    if not report.exists():
        import analysis
        from epro.queries.export import export

        with _bar() as progress:
            bar = progress.add_task("Exporting and analysing", total=2)
            house = open_house(settings)
            trial = export(house, settings.home / TRIAL_FOLDER, now=house.clock())
            progress.advance(bar)
            report = analysis.report(trial, trial.plan, settings.home / REPORT_FOLDER)
            progress.advance(bar)
            house.engine.dispose()
    return report


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn()
    )


def _say_where_to_look(house: House, password: str, report: Path) -> None:
    import segno

    from epro.rehearsal.seeding import OFFICE_EMAIL, an_open_link

    settings = house.settings
    click.echo(
        f"\nThe desk        {settings.address}/desk\n                sign in as {DEMO_EMAIL}, password {password}\n"
        f"                or as {OFFICE_EMAIL}, the trial office, by the same password"
    )
    link = an_open_link(house)
    if link:
        click.echo(f"A patient       {link}\n")
        segno.make(link, error="l").terminal(compact=True)
    else:
        click.echo("A patient       no form is open today; enrol one at the desk, and look in the outbox")
    click.echo(f"\nThe outbox      {(settings.home / OUTBOX).resolve()}")
    click.echo(f"The report      {report.resolve()}")
    click.echo("\nCtrl-C stops everything.\n", nl=True)


def _run_web_and_clock(settings: Settings) -> int:
    """The Procfile's web and clock under one roof: when one ends, or on Ctrl-C, both are stopped."""
    from honcho.manager import Manager
    from honcho.printer import Printer

    environment = {
        **os.environ,
        "EPRO_HOME": str(settings.home.resolve()),
        "EPRO_TRIAL": str(settings.trial),
        "EPRO_CARRIER": "console",
        "EPRO_SMTP_HOST": "",
    }
    manager = Manager(Printer(sys.stdout))
    for name in ("serve", "clock"):
        manager.add_process(name, f"exec {sys.executable} -m epro {name}", env=environment)
    manager.loop()
    return 0 if manager.returncode in (None, 0, 130, -2, -15) else 1


commands = {"demo": demo}
