"""`epro users` and `epro keys`: staff accounts, and the keys of an installation."""

from __future__ import annotations

import json
import secrets

import click
from cryptography.fernet import Fernet

from epro.acts import users as staff
from epro.cli.serving import COMMAND, released
from epro.opening import open_house
from epro.settings import read_settings
from epro.store.database import reading, writing


@click.group()
def users() -> None:
    """Add and list staff accounts."""


@users.command()
@click.argument("email")
@click.option("--name", required=True)
@click.option("--role", type=click.Choice(staff.ROLES), required=True)
@click.option("--site", "sites", multiple=True, help="Once for each site; none = every site.")
def add(email: str, name: str, role: str, sites: tuple[str, ...]) -> None:
    """Add an account; the password is asked for without showing it.

    Example: epro users add nurse@example.org --name "Study Nurse" --role nurse --site UME
    """
    house = released(open_house(read_settings()))
    password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    with writing(house.engine) as connection:
        staff.add(
            connection,
            house.protocol,
            email=email,
            name=name,
            role=role,
            sites=list(sites),
            password=password,
            by=COMMAND,
            now=house.clock(),
        )
    click.echo(f"{email} may sign in at {house.settings.address}/desk.")


@users.command(name="list")
@click.option("--json", "as_json", is_flag=True)
def list_(as_json: bool) -> None:
    """List the accounts.

    Example: epro users list --json
    """
    house = released(open_house(read_settings()))
    with reading(house.engine) as connection:
        rows = staff.accounts(connection)
    if as_json:
        click.echo(json.dumps([row._asdict() for row in rows], ensure_ascii=False))
        return
    for row in rows:
        click.echo(
            f"{row.email}  {row.role}  {', '.join(row.sites) or 'every site'}  {'' if row.active else 'disabled'}"
        )


@click.group()
def keys() -> None:
    """Make keys, and put everything under the newest."""


@keys.command()
def new() -> None:
    """Print fresh keys in the form of EPRO_HOME/epro.env. Keep them apart from the database's backups.

    Example: epro keys new >> var/epro.env
    """
    click.echo(f"EPRO_SECRET_KEY={secrets.token_urlsafe(48)}")
    click.echo(f"EPRO_CONTACT_KEYS={Fernet.generate_key().decode()}")


@keys.command()
@click.option("--json", "as_json", is_flag=True)
def rotate(as_json: bool) -> None:
    """Put every number and every reply under the first of EPRO_CONTACT_KEYS, so that the older keys can go.

    First set EPRO_CONTACT_KEYS=NEW,OLD and restart every process; then run this; then take OLD away. For sessions: set
    EPRO_SECRET_KEY to a new one and EPRO_OLD_SECRET_KEYS to the old one, and take that away after a working day.

    Example: epro keys rotate
    """
    from cryptography.fernet import InvalidToken

    from epro.acts.rotation import rotate as put_under_the_newest

    house = released(open_house(read_settings()))
    try:
        with writing(house.engine) as connection:
            done = put_under_the_newest(connection, house.cipher, by=COMMAND, now=house.clock())
    except InvalidToken:
        raise click.ClickException(
            "Something was written under a key that is not among EPRO_CONTACT_KEYS. Nothing was changed; add that key."
        ) from None
    if as_json:
        click.echo(json.dumps({"changed": done.changed, "rows": done.rows}))
        return
    click.echo(f"{done.changed} of {done.rows} rows were put under the first key; the others stand under it already.")
    if len(house.settings.contact_keys) > 1:
        click.echo("The older keys can be taken out of EPRO_CONTACT_KEYS. Older backups still want them.")


commands = {"users": users, "keys": keys}
