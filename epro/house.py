"""What does every page, command and export stand on? Handed in once, never looked up elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from epro.protocol import Protocol
from epro.settings import Settings
from epro.store.contacts import Cipher


@dataclass(frozen=True)
class House:
    settings: Settings
    protocol: Protocol
    engine: Engine
    cipher: Cipher
    clock: Callable[[], datetime]  # the one clock; aware, UTC
