"""Fill an empty database with a simulated trial, once, and show a way into it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import MetaData, func, inspect, select

from epro.acts import links, users
from epro.acts.trial import adopt, holds_a_real_trial
from epro.acts.users import NURSE, TRIAL_OFFICE
from epro.house import House
from epro.opening import OUTBOX, open_house
from epro.rehearsal.carrier import LINK
from epro.rehearsal.case_report_forms import bring_in_case_report_forms
from epro.rehearsal.places import REPORT_FOLDER, TRIAL_FOLDER
from epro.rehearsal.rehearsing import Asked, player_of
from epro.settings import Settings
from epro.store.audit import TRIAL_CHAIN, Actor, entry
from epro.store.database import reading, writing
from epro.store.migrating import TABLES, migrate, revision_of
from epro.store.models import Audit, TrialVersion
from scheduler.carriers.console import Console

SIMULATED = "trial simulated"
OFFICE_EMAIL = "office@demo.example"
REHEARSAL = Actor("rehearsal", "operator", "command")
ACCRUAL_MONTHS = 36
STARTED_MONTHS_AGO = 48
DAYS_A_MONTH = 30.4375
MOST_TEXTS_LOOKED_AT = 500


def is_somebodys(settings: Settings) -> bool:
    """Whether the database holds anything that no rehearsal made: a trial that may be real, or other tables."""
    house = open_house(settings)
    try:
        tables = inspect(house.engine).get_table_names()
        if tables and TrialVersion.__tablename__ in tables:
            with reading(house.engine) as connection:
                return holds_a_real_trial(connection)
        return bool(tables)
    finally:
        house.engine.dispose()


def is_complete(settings: Settings) -> bool:
    """Whether a simulated trial stands in the database from beginning to end."""
    house = open_house(settings)
    try:
        if revision_of(house.engine) is None:
            return False
        with reading(house.engine) as connection:
            ends = select(func.count()).select_from(Audit).where(Audit.action == SIMULATED)
            return connection.execute(ends).scalar_one() > 0
    finally:
        house.engine.dispose()


def seed(
    settings: Settings, *, patients: int, seed: int, login: tuple[str, str], progress: Callable[[int, int], None]
) -> None:
    """Play a simulated trial up to now into the database. What an earlier filling left is cleared first."""
    house = open_house(settings, durable=False)
    _clear(house)
    migrate(house.engine)
    now = house.clock()
    start = now - timedelta(days=STARTED_MONTHS_AGO * DAYS_A_MONTH)
    with writing(house.engine) as connection:
        adopt(connection, house.protocol, by=REHEARSAL, now=start, simulated=True)
        email, password = login
        for one, name, role, sites in (
            (email, "Demo nurse", NURSE, list(house.protocol.sites)),
            (OFFICE_EMAIL, "Demo trial office", TRIAL_OFFICE, []),
        ):
            users.add(
                connection,
                house.protocol,
                email=one,
                name=name,
                role=role,
                sites=sites,
                password=password,
                by=REHEARSAL,
                now=start,
            )
    _play(house, patients, seed, start, now, progress)
    with (
        writing(house.engine) as connection,
        entry(connection, chain=TRIAL_CHAIN, action=SIMULATED, by=REHEARSAL, at=now, reason=f"seed {seed}"),
    ):
        pass
    house.engine.dispose()


def _play(
    house: House, patients: int, seed: int, start: datetime, now: datetime, progress: Callable[[int, int], None]
) -> None:
    """As any rehearsal, but up to now, in the demo's own database, and with an outbox to read texts in."""
    asked = Asked(patients, seed, first_day=start.date(), accrual_months=ACCRUAL_MONTHS, one_in=None)
    player = player_of(house, asked, outbox=lambda clock: Console(house.settings.home / OUTBOX, clock), until=now)
    player.play(progress)
    player.close()
    bring_in_case_report_forms(house, player.phones.simulated, seed=seed, now=now)


def _clear(house: House) -> None:
    """Our own tables and folders, and nothing else."""
    for folder in (OUTBOX, TRIAL_FOLDER, REPORT_FOLDER):
        shutil.rmtree(house.settings.home / folder, ignore_errors=True)
    there = MetaData()
    ours = {table.name for tables in TABLES for table in tables.sorted_tables} | {"alembic_version"}
    with writing(house.engine) as connection:
        there.reflect(connection, only=lambda name, _: name in ours)
        there.drop_all(connection)


def an_open_link(house: House) -> str | None:
    """The newest text in the outbox whose link still opens a form, at the address of now."""
    outbox = house.settings.home / OUTBOX
    newest_first = (
        sorted(outbox.glob("*"), key=lambda file: file.stat().st_mtime, reverse=True) if outbox.exists() else []
    )
    with reading(house.engine) as connection:
        for file in newest_first[:MOST_TEXTS_LOOKED_AT]:
            found = re.search(LINK, file.read_text(encoding="utf-8"))
            if found and links.opened(connection, links.hash_of(found[1]), house.clock()):
                return f"{house.settings.address}/p/{found[1]}"
    return None
