"""`epro enrol` and `epro import`: patients in, one or many, with the plan told at once."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click

from epro.acts import imports, patients
from epro.acts.enrolment import Enrolment
from epro.cli.serving import COMMAND, released
from epro.house import House
from epro.opening import open_house
from epro.queries.timeline import planned_texts
from epro.settings import read_settings
from epro.store.database import reading, writing

DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.argument("subject")
@click.option("--site", required=True)
@click.option("--language", help="The trial's first language unless given.")
@click.option("--stratum", "strata", multiple=True, metavar="NAME=LEVEL", help="Once for each stratum of the trial.")
@click.option("--consented-on", type=DAY, required=True)
@click.option("--eligible", is_flag=True, help="Every criterion of the trial file's checklist is met.")
@click.option("--texts-allowed/--no-texts", required=True, help="The patient's permission to send her texts.")
@click.option("--phone", help="Typed as people type it; asked for without showing it when given as '-'.")
@click.option("--second-step", help="Year of birth or PIN, as the trial asks; '-' asks without showing it.")
@click.option("--email", help="Where the trial also sends mails; asked for without showing it when given as '-'.")
@click.option("--randomised-on", type=DAY)
@click.option("--arm")
@click.option("--json", "as_json", is_flag=True, help="Print the planned texts as JSON.")
def enrol(subject: str, strata: tuple[str, ...], as_json: bool, **given: object) -> None:
    """Enrol one patient, and print every text that is now planned.

    Example: epro enrol UME-001 --site UME --stratum er=pos --stratum metastases=1 --consented-on 2027-03-01
    --eligible --texts-allowed --phone -
    """
    house = released(open_house(read_settings()))
    if given["phone"] == "-":
        given["phone"] = click.prompt("Phone", hide_input=True, confirmation_prompt=True)
    if given["second_step"] == "-":
        given["second_step"] = click.prompt("Second step", hide_input=True, confirmation_prompt=True)
    if given["email"] == "-":
        given["email"] = click.prompt("E-mail", hide_input=True, confirmation_prompt=True)
    asked = Enrolment(
        subject=subject,
        site=str(given["site"]),
        language=str(given["language"] or house.protocol.language),
        strata=dict(_pair(text) for text in strata),
        consented_on=_day(given["consented_on"]),  # type: ignore[arg-type]
        eligible=bool(given["eligible"]),
        texts_allowed=bool(given["texts_allowed"]),
        phone=given["phone"] or None,  # type: ignore[arg-type]
        second_step=given["second_step"] or None,  # type: ignore[arg-type]
        email=given["email"] or None,  # type: ignore[arg-type]
        randomised_on=_day(given["randomised_on"]),  # type: ignore[arg-type]
        arm=given["arm"] or None,  # type: ignore[arg-type]
    )
    with writing(house.engine) as connection:
        patients.enrol(connection, house.protocol, house.cipher, asked, by=COMMAND, now=house.clock())
    _tell(house, subject, as_json)


@click.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the subject ids as JSON.")
def import_(file: Path, as_json: bool) -> None:
    """Enrol every patient of a CSV file, or none and every reason.

    Columns: subject, site, language, consented_on, eligible, texts_allowed, the strata of the trial, and where they are
    known phone, second_step (year of birth or PIN, as the trial asks), randomised_on, arm, zone.

    Example: epro import patients.csv
    """
    house = released(open_house(read_settings()))
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise click.ClickException(f"{file.name} is not UTF-8. Save it as CSV UTF-8 and try again.") from None
    with writing(house.engine) as connection:
        subjects = imports.enrol_all(connection, house.protocol, house.cipher, text, by=COMMAND, now=house.clock())
    click.echo(json.dumps(subjects) if as_json else f"{len(subjects)} patients enrolled.")


def _tell(house: House, subject: str, as_json: bool) -> None:
    with reading(house.engine) as connection:
        texts = planned_texts(connection, subject)
    if as_json:
        click.echo(json.dumps({"subject": subject, "texts": [{"key": key, "at": at.isoformat()} for key, at in texts]}))
        return
    click.echo(f"{subject} is enrolled. {len(texts)} texts are planned:")
    for key, at in texts:
        click.echo(f"  {at.astimezone(house.protocol.zone):%a %Y-%m-%d %H:%M}  {key.split('/', 1)[1]}")


def _pair(text: str) -> tuple[str, str]:
    name, sign, level = text.partition("=")
    if not sign:
        raise click.BadParameter(f"{text!r}: write it as NAME=LEVEL, like er=pos")
    return name, level


def _day(value: object) -> object:
    return value.date() if isinstance(value, datetime) else None


commands = {"enrol": enrol, "import": import_}
