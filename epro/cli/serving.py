"""`epro release`, `epro serve` and `epro clock`: the three lines of the Procfile."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import click

from epro import logs
from epro.acts.restoring import refuse_sending, release, settle, unsettled
from epro.acts.trial import refuse_another_file, refuse_changed_words
from epro.house import House
from epro.opening import (
    NotReadyForLive,
    carrier_of,
    chores_of,
    every_carrier_of,
    hands_of,
    in_force,
    letters_of,
    open_house,
    pace_of,
    refuse_a_broken_trail,
    sending_clock,
    system_clock,
)
from epro.settings import Settings, read_settings
from epro.store.audit import Actor
from epro.store.database import reading, writing
from epro.store.migrating import migrate, newest_revision, revision_of
from epro.store.sealing import grant
from scheduler.ports import CannotTell, Carrier, Inbox, Listed, Listing, Received
from scheduler.restoring import CLOCKS_DIFFER_BY

COMMAND = Actor("command line", "operator", "command")


class NotReleased(click.ClickException):
    """The database does not have the schema of this version."""


@click.command(name="release")
@click.option("--role", help="A PostgreSQL role that owns nothing: it is given what the service needs and no more.")
def release_(role: str | None) -> None:
    """Bring the database to this version and take the trial file in.

    On PostgreSQL run this as the owner of the tables, and the service under a ROLE of its own. That one can add to the
    record, and can neither change nor remove what stands there, nor take away the triggers that hold it to that.

    Example: EPRO_DATABASE_URL=postgresql://epro@db/epro epro release
    """
    from epro.acts.trial import adopt
    from epro.checking import check

    settings = read_settings()
    check(settings.trial, on=system_clock().date())
    house = open_house(settings)
    if role and house.engine.dialect.name != "postgresql":
        raise click.BadParameter("SQLite has no roles; leave this out.", param_hint="--role")
    _back_up_before_migrating(house)
    migrate(house.engine)
    with writing(house.engine) as connection:
        refuse_changed_words(connection, house.protocol)
        n = adopt(connection, house.protocol, by=COMMAND, now=house.clock())
        if role:
            grant(connection, role)
    click.echo(f"The database is ready: schema {newest_revision()}, {house.protocol.trial.code} version {n}.")


def _back_up_before_migrating(house: House) -> None:
    """A release that fails half way, or turns out wrong, must have a way back."""
    if revision_of(house.engine) not in (None, newest_revision()):
        from epro.backups import back_up

        folder = house.settings.backup_folder
        folder.mkdir(parents=True, exist_ok=True)
        file, _ = back_up(house, folder, house.clock())
        click.echo(f"Backed up to {file} before the schema changes.")


@click.command()
def serve() -> None:
    """Serve the patients' and the staff's pages on EPRO_HOST:EPRO_PORT (127.0.0.1:8000).

    Example: EPRO_PORT=8080 epro serve
    """
    from epro.web import serving

    settings = read_settings()
    refuse_a_busy_port(settings)
    house = released(open_house(settings))
    refuse_unless_ready(house)
    house.engine.dispose()
    serving.serve()


@click.command()
@click.option("--after-restore", is_flag=True, help="Ask the carrier what left since the backup; then stop.")
@click.option("--decided-by", metavar="NAME", help="With --after-restore: who decides where the carrier cannot tell.")
def clock(after_restore: bool, decided_by: str | None) -> None:
    """Send the texts that are due, until stopped. One process on SQLite; any number on PostgreSQL.

    Example: epro clock
    """
    from scheduler.clock import run

    house = released(open_house(read_settings()))
    carrier = carrier_of(house)
    if after_restore or decided_by:
        _after_restore(house, carrier, decided_by)
        return
    with reading(house.engine) as connection:
        refuse_sending(connection)
    refuse_unless_ready(house)
    logs.configure()
    run(
        house.engine,
        sending_clock(house.engine),
        letters_of(house),
        every_carrier_of(house, carrier),
        every_seconds=house.settings.tick_seconds,
        pace=pace_of(house),
        hands=hands_of(house),
        chores=chores_of(house, carrier),
    )


def _after_restore(house: House, carrier: Carrier, decided_by: str | None) -> None:
    """Sending is on again when every text that left since the backup has its place, or when a person decides."""
    with reading(house.engine) as connection:
        row = unsettled(connection)
    listed: Sequence[Listed] | CannotTell = CannotTell()
    received: Sequence[Received] | CannotTell = ()  # a carrier without an inbox has taken nothing for us
    if row is not None and isinstance(carrier, Listing):
        listed = carrier.sent_since(row.backup_at - CLOCKS_DIFFER_BY)
    if row is not None and isinstance(carrier, Inbox):
        received = carrier.received_since(row.backup_at - CLOCKS_DIFFER_BY)
    now = house.clock()
    with writing(house.engine) as connection:
        settled = settle(connection, house.protocol, house.cipher, listed, received, by=COMMAND, now=now)
    if settled.could_tell:
        click.echo(f"The carrier took {len(settled.recorded)} texts that the backup does not hold; they are recorded.")
        if not isinstance(received, CannotTell) and received:
            click.echo(f"Patients sent {len(received)} texts since then; each STOP and START among them is obeyed.")
    if settled.all_placed:
        click.echo("Sending is on again: start `epro clock`.")
        return
    why = f"{len(settled.unplaced)} texts belong to no text of ours: {', '.join(settled.unplaced)}."
    click.echo(why if settled.could_tell else "The carrier cannot tell what it took since the backup.")
    if decided_by is None:
        raise click.ClickException(
            "Sending stays off. Look into it, and decide: `epro clock --after-restore --decided-by NAME`. Texts of "
            "which nobody can tell are then not sent by themselves; the desk names the patients to call."
        )
    with writing(house.engine) as connection:
        by = Actor(decided_by, "operator", "command")
        reason = f"decided by {decided_by}"
        untold = release(connection, house.protocol, could_tell=settled.could_tell, reason=reason, by=by, now=now)
    click.echo(f"Sending is on again: start `epro clock`. Of {len(untold)} texts nobody can tell; see the desk.")


def refuse_unless_ready(house: House) -> None:
    """Nobody is served or texted on a broken record, and a live trial meets patients only from what has everything.

    Raises TrailDoesNotHold, NotReadyForLive.
    """
    refuse_a_broken_trail(house)
    if not house.protocol.trial.live:
        return
    from epro.going_live import what_installation_lacks

    lacks = what_installation_lacks(house, house.clock())
    if lacks:
        raise NotReadyForLive.naming(house.settings.trial.name, lacks)


def refuse_a_busy_port(settings: Settings) -> None:
    """Raises OSError when another program listens there already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((settings.host, settings.port))


def released(house: House) -> House:
    """The house, if its database has this version's schema, this trial file in force, and its forms the words of now.

    It knows every version of the trial. Raises NotReleased, NotAmended, PackIsLocked.
    """
    if revision_of(house.engine) != newest_revision():
        raise NotReleased("The database is empty or not of this version. Run `epro release` first.")
    with reading(house.engine) as connection:
        if not refuse_another_file(connection, house.protocol):
            raise NotReleased("The database has no trial file yet. Run `epro release` first.")
        refuse_changed_words(connection, house.protocol)
    return in_force(house)


commands = {"release": release_, "serve": serve, "clock": clock}
