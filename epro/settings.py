"""Where does this installation live, and with which keys and carrier does it run?"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Annotated, Any, Literal

from cryptography.fernet import Fernet
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PACKAGE = Path(__file__).parent
DEFAULT_HOME = Path("var")
DEFAULT_TRIAL = PACKAGE / "trials" / "breclim-2.toml"
ENV_FILE = "epro.env"  # inside EPRO_HOME; the environment wins over it


class SettingsRefused(Exception):
    """A setting is missing or makes no sense; the message names it and the cure."""


class Settings(BaseSettings):
    """Everything that differs between installations, from `EPRO_…` variables or the file epro.env in EPRO_HOME."""

    model_config = SettingsConfigDict(env_prefix="EPRO_", extra="ignore", frozen=True)

    home: Path = DEFAULT_HOME
    trial: Path = DEFAULT_TRIAL
    database_url: str = ""  # empty: SQLite in EPRO_HOME
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    workers: int = Field(default=2, ge=1)
    public_url: str = ""  # the address patients and the carrier see; empty: http://host:port

    secret_key: SecretStr
    contact_keys: Annotated[list[SecretStr], NoDecode] = Field(min_length=1)

    oidc_issuer: str = ""  # the hospital's own sign-on; empty: none
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    oidc_claim: str = "email"  # which claim is an account's e-mail address
    oidc_vouches_for: str = ""  # values of acr or amr, with spaces between, that count as both steps; empty: none does
    oidc_name: str = "Single sign-on"  # on the button

    proxies: int = Field(default=0, ge=0)  # how many reverse proxies stand in front and name the caller's address
    old_secret_keys: Annotated[list[SecretStr], NoDecode] = []  # whose sessions still hold while the key is changed
    anchors: Path | None = None  # where the trail is anchored each night, best another disk; empty: EPRO_HOME/anchors

    carrier: Literal["console", "twilio"] = "console"
    twilio_account_sid: str = ""
    twilio_auth_token: SecretStr = SecretStr("")
    twilio_sender: str = ""  # a number or an alphanumeric sender
    twilio_messaging_service_sid: str = ""
    twilio_region: str = ""
    twilio_edge: str = ""
    twilio_base_url: str = ""  # for a test double; empty: Twilio itself
    twilio_redact: bool = False  # have Twilio forget the words of a text once it has arrived

    smtp_host: str = ""  # the server that takes mails; empty: none are sent
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_sender: str = ""  # the address that mails come from

    texts_per_second: float = Field(default=5.0, gt=0)

    tick_seconds: float = Field(default=5.0, gt=0)

    backups: Path | None = None  # where backups are kept; empty: EPRO_HOME/backups
    site_copy: Path | None = None  # a folder that the sites hold: every submitted form is copied there at once

    @field_validator("contact_keys", "old_secret_keys", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Keys are separated by commas; the first writes, all of them read."""
        return [key.strip() for key in value.split(",") if key.strip()] if isinstance(value, str) else value

    @field_validator("contact_keys")
    @classmethod
    def _are_fernet_keys(cls, keys: list[SecretStr]) -> list[SecretStr]:
        for position, key in enumerate(keys, start=1):
            try:
                Fernet(key.get_secret_value())
            except ValueError:
                raise ValueError(f"key {position} is not 32 bytes in URL-safe base64") from None
        return keys

    @model_validator(mode="after")
    def _carrier_is_complete(self) -> Settings:
        if self.carrier == "twilio":
            wanted = ("twilio_account_sid", "twilio_auth_token", "public_url")
            missing = [name for name in wanted if not str_of(getattr(self, name))]
            if not (self.twilio_sender or self.twilio_messaging_service_sid):
                missing.append("twilio_sender")
            if missing:
                raise ValueError("carrier twilio also needs " + ", ".join(f"EPRO_{name.upper()}" for name in missing))
        return self

    @model_validator(mode="after")
    def _single_sign_on_is_complete(self) -> Settings:
        if self.oidc_issuer and not (self.oidc_client_id and str_of(self.oidc_client_secret)):
            raise ValueError("EPRO_OIDC_ISSUER also needs EPRO_OIDC_CLIENT_ID and EPRO_OIDC_CLIENT_SECRET")
        return self

    @model_validator(mode="after")
    def _mail_is_complete(self) -> Settings:
        if self.smtp_host and not self.smtp_sender:
            raise ValueError("EPRO_SMTP_HOST also needs EPRO_SMTP_SENDER, the address that mails come from")
        if self.smtp_user and self.smtp_security == "none":
            raise ValueError("EPRO_SMTP_USER with EPRO_SMTP_SECURITY=none would send its password for all to read")
        return self

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.home.resolve() / 'epro.db'}"

    @property
    def backup_folder(self) -> Path:
        return self.backups or self.home / "backups"

    @property
    def anchors_folder(self) -> Path:
        return self.anchors or self.home / "anchors"

    @property
    def address(self) -> str:
        """The public address without a trailing slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")


def str_of(value: Any) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def read_settings(**overrides: Any) -> Settings:
    """Settings of this process. Raises SettingsRefused, which names every variable that is missing or wrong."""
    home = Path(overrides.get("home") or os.environ.get("EPRO_HOME") or DEFAULT_HOME)
    try:
        return Settings(_env_file=home / ENV_FILE, **overrides)
    except ValidationError as error:
        raise SettingsRefused(_in_words(error, home)) from None


def write_fresh_keys(home: Path) -> None:
    """Give a new installation its own keys, in a file that only its owner can read. An existing file is kept."""
    home.mkdir(parents=True, exist_ok=True)
    lines = f"EPRO_SECRET_KEY={secrets.token_urlsafe(48)}\nEPRO_CONTACT_KEYS={Fernet.generate_key().decode()}\n"
    try:
        descriptor = os.open(home / ENV_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(lines)


CURES = {
    "secret_key": "a long random text; `epro keys new` prints one",
    "contact_keys": "one or more keys, the newest first, with commas between; `epro keys new` prints one",
}


def _in_words(error: ValidationError, home: Path) -> str:
    lines = []
    for fault in error.errors(include_url=False, include_input=False):
        name = str(fault["loc"][0]) if fault["loc"] else ""
        what = "is missing" if fault["type"] == "missing" else fault["msg"].removeprefix("Value error, ")
        lines.append(f"EPRO_{name.upper()}: {what}" if name else what)
        if name in CURES:
            lines.append(f"  It wants {CURES[name]}.")
    lines.append(f"Set it in the environment or in {home / ENV_FILE}.")
    return "\n".join(lines)
