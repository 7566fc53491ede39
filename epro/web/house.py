"""What do the pages stand on? Handed to the application once, never looked up elsewhere."""

from __future__ import annotations

from contextlib import AbstractContextManager
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


def staff() -> Actor:
    """The signed-in member of staff as the audit trail names her."""
    role = current_user.roles[0].name if current_user.roles else "staff"
    return Actor(current_user.email, role, "desk", g.get("request_id"))
