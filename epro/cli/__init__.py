"""The command `epro`: each command loads what it needs when it is called, and says its errors in words."""

from __future__ import annotations

import importlib
import sys

import click

COMMANDS = {  # command: (module, one line of help)
    "check": ("checking", "Read a trial file and say what it means, or what is wrong with it."),
    "doctor": ("doctoring", "Say of each part of this installation that it is well, or what to do."),
    "release": ("serving", "Bring the database to this version and take the trial file in."),
    "serve": ("serving", "Serve the patients' and the staff's pages."),
    "clock": ("serving", "Send the texts that are due, until stopped."),
    "dossier": ("dossier", "Show every screen, text and day of a trial in one file."),
    "demo": ("demo", "Show the whole job on a simulated trial."),
    "rehearse": ("rehearsing", "Play a whole trial with invented patients, before its first."),
    "enrol": ("enrolling", "Enrol one patient."),
    "import": ("importing", "Bring in a file of the trial office, all of it or nothing: first as what it would do."),
    "amend": ("amending", "Show what a changed trial file would change for each patient, and change it."),
    "stopped": ("stopping", "Prove that nothing more is sent to a patient, and list what left before."),
    "export": ("exporting", "Write the trial folder for analysis."),
    "report": ("reporting", "Analyse a trial folder and write the report."),
    "data": ("reporting", "Say what is missing or odd in a trial folder: `epro data check`."),
    "backup": ("backing", "Back up the database while it is in use."),
    "restore": ("backing", "Bring an empty database to what a backup holds, or check a backup."),
    "drill": ("backing", "Try a restore in an empty place and report what came back."),
    "validate": ("validating", "Write what can be shown of this installation, for the sponsor's quality people."),
    "score": ("scoring", "Score a file of answers; no trial and no server needed."),
    "wording": ("wording", "Write, check, import and list the words of questionnaires."),
    "verify": ("recording", "Hold the audit trail against its hashes, its anchors and the data."),
    "archive": ("recording", "Write everything that must be kept for 25 years, with the means to check it."),
    "erase": ("recording", "Take a patient's number out of everything that is live."),
    "redact": ("recording", "Empty a value of the audit trail that should never have been written."),
    "users": ("users", "Add and list staff accounts."),
    "keys": ("users", "Make keys, and put everything under the newest."),
}


class Commands(click.Group):
    """A group that imports a command's module only when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"epro.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.commands[cmd_name]
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="epro")
def cli() -> None:
    """Quality-of-life answers from patients' phones, on the right day after randomisation, through to survival by arm.

    Start with `epro demo`. Every command explains itself: `epro COMMAND --help`.
    """


def main() -> None:
    """Run a command; whatever goes wrong is said in words on stderr, with exit code 1."""
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except Exception as error:
        from epro.cli.words import in_words

        said = in_words(error)
        if said is None:
            raise
        click.echo(said, err=True)
        sys.exit(1)
