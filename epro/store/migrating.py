"""Is the database's schema the one this version of epro wants, and how does it get there?"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData

from epro.store.models import Base
from scheduler import ledger

TABLES: list[MetaData] = [Base.metadata, ledger.metadata]
MIGRATIONS = Path(__file__).parents[1] / "migrations"


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest revision, in one transaction."""
    with engine.begin() as connection:
        settings = config()
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")


def revision_of(engine: Engine) -> str | None:
    """The revision the database stands at; None for an empty one."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def is_of_this_version(connection: Connection) -> bool:
    return MigrationContext.configure(connection).get_current_revision() == newest_revision()


def knows(revision: str) -> bool:
    """Whether this version can bring a database of that revision to its own."""
    return revision in {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}


def newest_revision() -> str | None:
    return ScriptDirectory.from_config(config()).get_current_head()


def config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
