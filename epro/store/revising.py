"""Write the migration that leads from the newest revision to the tables as they are declared.

python -m epro.store.revising "what changed"
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command

from epro.store.database import open_engine
from epro.store.migrating import config, migrate


def revise(message: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{Path(folder) / 'revising.db'}")
        migrate(engine)
        with engine.begin() as connection:
            settings = config()
            settings.attributes["connection"] = connection
            command.revision(settings, message, autogenerate=True)


if __name__ == "__main__":
    revise(sys.argv[1])
