"""`epro enrol`: a patient in, with her plan told at once."""

from __future__ import annotations

import json
from datetime import datetime

import click

from epro.acts import patients
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


commands = {"enrol": enrol}
