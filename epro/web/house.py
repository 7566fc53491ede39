"""What do the pages stand on? Handed to the application once, never looked up elsewhere."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from flask import current_app, g
from flask_login import current_user
from sqlalchemy import Connection

from epro.house import House as House
from epro.store import database
from epro.store.audit import Actor


def house() -> House:
    """The house of the running application."""
    return cast(House, current_app.extensions["epro"])


def now() -> datetime:
    """The instant of this request: asked of the clock once, so that a page agrees with itself."""
    if "now" not in g:
        g.now = house().clock()
    return cast(datetime, g.now)


def writing() -> AbstractContextManager[Connection]:
    """A transaction for this request's act."""
    return database.writing(house().engine)


def reading() -> AbstractContextManager[Connection]:
    """A look for this request's page."""
    return database.reading(house().engine)


@dataclass(frozen=True)
class StaffActor(Actor):
    """The signed-in member of staff, as an act and the trail name her."""

    id: int = 0
    sites: tuple[str, ...] = ()
    session: int = 0


def current_actor() -> StaffActor:
    """Who acts in this request: account, role and sites as they are now, and the session."""
    one = current_user
    return StaffActor(one.email, one.role, "desk", g.get("request_id"), one.id, one.sites, one.session.id)


def staff() -> StaffActor:
    """The signed-in member of staff as the audit trail names her."""
    return current_actor()
