"""`epro users` and `epro keys`: staff accounts, and the keys of an installation."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click
from cryptography.fernet import Fernet
from sqlalchemy import Connection

from epro.acts import second_step
from epro.acts import users as staff
from epro.cli.serving import COMMAND, released
from epro.house import House
from epro.opening import open_house
from epro.settings import read_settings
from epro.store.database import reading, writing

of_sites = click.option("--site", "sites", multiple=True, help="Once for each site of a nurse or an investigator.")


@click.group()
def users() -> None:
    """Add, change, close and review staff accounts."""


@users.command()
@click.argument("email")
@click.option("--name", required=True)
@click.option("--role", type=click.Choice(staff.ROLES), required=True)
@of_sites
@click.option("--link", is_flag=True, help="Print a link by which the person chooses a password, instead of asking.")
def add(email: str, name: str, role: str, sites: tuple[str, ...], link: bool) -> None:
    """Add an account; the password is asked for without showing it, or chosen by the person through a link.

    Example: epro users add nurse@example.org --name "Study Nurse" --role nurse --site UME --link
    """
    house = _house()
    password = None if link else click.prompt("Password", hide_input=True, confirmation_prompt=True)
    with writing(house.engine) as connection:
        user = staff.add(
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
        token = staff.setup_link(connection, user, by=COMMAND, now=house.clock()) if link else None
    if role in staff.AT_OWN_SITES and not sites:
        click.echo(f"{email} sees no patient before it has a site: epro users role {email} {role} --site …", err=True)
    click.echo(_link(house, token) if token else f"{email} may sign in at {house.settings.address}/desk.")


@users.command(name="list")
@click.option("--json", "as_json", is_flag=True)
def list_(as_json: bool) -> None:
    """List the accounts.

    Example: epro users list --json
    """
    house = _house()
    with reading(house.engine) as connection:
        rows = staff.accounts(connection)
    if as_json:
        click.echo(json.dumps([_told(row) for row in rows], ensure_ascii=False))
        return
    for row in rows:
        click.echo(f"{row.email}  {row.role}  {_sites(row)}  {'' if row.active else 'disabled'}".rstrip())


@users.command()
@click.argument("email")
@click.argument("role", type=click.Choice(staff.ROLES))
@of_sites
def role(email: str, role: str, sites: tuple[str, ...]) -> None:
    """Give an account a role and its sites, in place of those it has. Its open sessions end at once.

    Example: epro users role nurse@example.org investigator --site UME --site GBG
    """
    house = _house()

    def change(connection: Connection, user: int, now: datetime) -> bool:
        return staff.change_access(connection, house.protocol, user, role=role, sites=list(sites), by=COMMAND, now=now)

    changed = _change(house, email, change)
    click.echo(f"{email} is {role} now." if changed else f"{email} is {role} already; nothing was changed.")


@users.command()
@click.argument("email")
def disable(email: str) -> None:
    """Close an account. Its open sessions end at their next request; its address is not used again.

    Example: epro users disable nurse@example.org
    """
    changed = _change(_house(), email, lambda c, user, now: staff.disable(c, user, by=COMMAND, now=now))
    click.echo(f"{email} is closed." if changed else f"{email} was closed already.")


@users.command()
@click.argument("email")
def enable(email: str) -> None:
    """Open a closed account again, for the same person.

    Example: epro users enable nurse@example.org
    """
    changed = _change(_house(), email, lambda c, user, now: staff.enable(c, user, by=COMMAND, now=now))
    click.echo(f"{email} is open." if changed else f"{email} was open already.")


@users.command()
@click.argument("email")
def link(email: str) -> None:
    """Print a link by which a person chooses a new password. It works once, for three days.

    Example: epro users link nurse@example.org
    """
    house = _house()
    click.echo(_link(house, _change(house, email, lambda c, user, now: staff.setup_link(c, user, by=COMMAND, now=now))))


@users.command(name="reset-second-step")
@click.argument("email")
def reset_second_step(email: str) -> None:
    """Take authenticator, passkeys and recovery codes from an account whose owner has lost them.

    Example: epro users reset-second-step nurse@example.org
    """
    _change(_house(), email, lambda c, user, now: second_step.reset(c, user, by=COMMAND, now=now))
    click.echo(f"{email} signs in by password and sets up a new second step.")


@users.command()
@click.option("--json", "as_json", is_flag=True)
def review(as_json: bool) -> None:
    """Print every account with what a reviewer should look at, and note in the trail that it was reviewed.

    To be done every half year, and when somebody leaves.

    Example: epro users review --json > accounts-2027-06.json
    """
    house = _house()
    now = house.clock()
    with reading(house.engine) as connection:
        accounts = staff.accounts(connection)
        last = staff.last_review(connection)
    rows = [{**_told(one), "remarks": staff.remarks_on(one, now)} for one in accounts]
    report = {"reviewed_at": now.isoformat(), "last_reviewed_at": last.isoformat() if last else None, "accounts": rows}
    body = json.dumps(report, ensure_ascii=False, indent=2)
    with writing(house.engine) as connection:
        staff.reviewed(connection, hashlib.sha256(body.encode()).hexdigest(), by=COMMAND, now=now)
    if as_json:
        click.echo(body)
        return
    click.echo(f"Accounts of {house.protocol.trial.code}, {now:%Y-%m-%d %H:%M} UTC; reviewed before: {last or 'never'}")
    for one, row in zip(accounts, rows, strict=True):
        signed_in = f"{one.last_signed_in_at:%Y-%m-%d}" if one.last_signed_in_at else "never"
        remarks = "; ".join(row["remarks"]) or "nothing to remark"
        click.echo(
            f"{one.email}  {one.name}  {one.role}  {_sites(one)}  second step: {one.second_step}  "
            f"signed in: {signed_in}  {remarks}"
        )


def _house() -> House:
    return released(open_house(read_settings()))


def _change(house: House, email: str, change: Callable[[Connection, int, datetime], Any]) -> Any:
    """Do something with the account of this address. Raises ClickException where there is none."""
    try:
        with writing(house.engine) as connection:
            return change(connection, staff.id_of(connection, email), house.clock())
    except staff.NoSuchAccount:
        raise click.ClickException(f"No account has the address {email}. `epro users list` shows them.") from None


def _link(house: House, token: str) -> str:
    return f"{house.settings.address}/desk/setup/{token}\nIt works once, for three days. Hand it to nobody else."


def _told(account: staff.Account) -> dict[str, Any]:
    told = asdict(account)
    for name in ("last_signed_in_at", "added_at"):
        told[name] = told[name].isoformat() if told[name] else None
    return told


def _sites(account: staff.Account) -> str:
    if account.role not in staff.AT_OWN_SITES:
        return "every site"
    return ", ".join(account.sites) or "no site"


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
