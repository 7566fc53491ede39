"""`epro release`, `epro serve` and `epro clock`: the three lines of the Procfile."""

from __future__ import annotations

import socket

import click

from epro.acts.trial import refuse_changed_words
from epro.house import House
from epro.opening import (
    carrier_of,
    chores_of,
    hands_of,
    letters_of,
    open_house,
    pace_of,
    sending_clock,
    system_clock,
)
from epro.settings import Settings, read_settings
from epro.store.audit import Actor
from epro.store.database import reading, writing
from epro.store.migrating import migrate, newest_revision, revision_of

COMMAND = Actor("command line", "operator", "command")


class NotReleased(click.ClickException):
    """The database does not have the schema of this version."""


@click.command()
def release() -> None:
    """Bring the database to this version and take the trial file in.

    Example: EPRO_DATABASE_URL=postgresql://epro@db/epro epro release
    """
    from epro.acts.trial import adopt
    from epro.checking import check

    settings = read_settings()
    check(settings.trial, on=system_clock().date())
    house = open_house(settings)
    migrate(house.engine)
    with writing(house.engine) as connection:
        refuse_changed_words(connection, house.protocol)
        n = adopt(connection, house.protocol, by=COMMAND, now=house.clock())
    click.echo(f"The database is ready: schema {newest_revision()}, {house.protocol.trial.code} version {n}.")


@click.command()
def serve() -> None:
    """Serve the patients' and the staff's pages on EPRO_HOST:EPRO_PORT (127.0.0.1:8000).

    Example: EPRO_PORT=8080 epro serve
    """
    from epro.web import serving

    settings = read_settings()
    refuse_a_busy_port(settings)
    released(open_house(settings)).engine.dispose()
    serving.serve()


@click.command()
def clock() -> None:
    """Send the texts that are due, until stopped. One process on SQLite; any number on PostgreSQL.

    Example: epro clock
    """
    from scheduler.clock import run

    house = released(open_house(read_settings()))
    carrier = carrier_of(house)
    run(
        house.engine,
        sending_clock(house.engine),
        letters_of(house),
        carrier,
        every_seconds=house.settings.tick_seconds,
        pace=pace_of(house),
        hands=hands_of(house),
        chores=chores_of(house, carrier),
    )


def refuse_a_busy_port(settings: Settings) -> None:
    """Raises OSError when another program listens there already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((settings.host, settings.port))


def released(house: House) -> House:
    """The house, if its database has this version's schema and its forms the words of now.

    Raises NotReleased, PackIsLocked.
    """
    if revision_of(house.engine) != newest_revision():
        raise NotReleased("The database is empty or not of this version. Run `epro release` first.")
    with reading(house.engine) as connection:
        refuse_changed_words(connection, house.protocol)
    return house


commands = {"release": release, "serve": serve, "clock": clock}
