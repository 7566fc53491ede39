"""Where does a demo leave what it made? And where is a rehearsal played, so that nothing live is touched?"""

from __future__ import annotations

import secrets
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from sqlalchemy import create_engine, make_url, text

from epro.house import House
from epro.opening import cipher_of
from epro.protocol import read_protocol
from epro.settings import Settings
from epro.store.database import open_engine
from epro.store.migrating import migrate

TRIAL_FOLDER, REPORT_FOLDER = "trial-folder", "report"
ADDRESS = "https://forms.rehearsal.example"


class Imagined(Settings):
    """Settings that are what they are given and nothing else, whatever the environment and its files say."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


@contextmanager
def throw_away_house(trial: Path, *, server: str | None = None) -> Iterator[House]:
    """A house of its own for one rehearsal, and an empty database that is gone afterwards.

    server: the URL of a PostgreSQL server on which a new database is made and dropped; None = SQLite in a temporary
    folder. Keys, account and address are made up. Raises Refused.
    """
    protocol = read_protocol(trial)
    with tempfile.TemporaryDirectory(prefix="epro-rehearsal-") as home, _database(Path(home), server) as url:
        settings = _imagined(home=Path(home), trial=trial, database_url=url)
        engine = open_engine(url, durable=False)
        try:
            migrate(engine)
            yield House(settings, protocol, engine, cipher_of(settings), lambda: datetime(2000, 1, 1, tzinfo=UTC))
        finally:
            engine.dispose()


def _imagined(**given: Any) -> Settings:
    return Imagined(
        secret_key=secrets.token_urlsafe(48),
        contact_keys=[Fernet.generate_key().decode()],
        public_url=ADDRESS,
        carrier="twilio",  # so that its webhooks are signed and heard; no text goes there
        twilio_account_sid="AC" + "0" * 32,
        twilio_auth_token=secrets.token_urlsafe(24),
        twilio_sender="rehearsal",
        twilio_base_url="http://127.0.0.1:9",  # nobody listens there
        **given,
    )


@contextmanager
def _database(home: Path, server: str | None) -> Iterator[str]:
    if server is None:
        yield f"sqlite:///{home / 'rehearsal.db'}"
        return
    address = make_url(server).set(drivername="postgresql+psycopg")
    name = f"epro_rehearsal_{uuid.uuid4().hex[:12]}"
    admin = create_engine(address, isolation_level="AUTOCOMMIT", hide_parameters=True)
    try:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        try:
            yield address.set(database=name).render_as_string(hide_password=False)
        finally:
            with admin.connect() as connection:
                connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        admin.dispose()
