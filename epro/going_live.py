"""May real patients meet this installation? (What the trial file lacks, `protocol.what_live_lacks` says.)"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import urlsplit

from epro.backups import SUFFIX, TOO_OLD_AFTER, newest
from epro.checking import own_words
from epro.house import House
from scheduler.linting import Around, lint

LOOPBACK = ("localhost", "127.0.0.1", "::1", "0.0.0.0")


def what_installation_lacks(house: House, now: datetime) -> list[str]:
    """Each thing with its cure; empty when nothing is missing or the trial is not live."""
    if not house.protocol.trial.live:
        return []
    return [*_of_the_address(house), *_of_the_carrier(house), *_of_backups(house, now), *_of_the_site_copy(house)]


def _of_the_address(house: House) -> Iterator[str]:
    parts = urlsplit(house.settings.address)
    if parts.scheme != "https" or (parts.hostname or "") in LOOPBACK:
        yield "an https address that patients reach: set EPRO_PUBLIC_URL"
    for finding in lint({}, Around(parts.hostname or ""), own_words=own_words(house.protocol)):
        yield f"a neutral host name: {finding.what}; it stands in every text. Choose another for EPRO_PUBLIC_URL"


def _of_the_carrier(house: House) -> Iterator[str]:
    if house.settings.carrier == "console":
        yield "a carrier: EPRO_CARRIER is console, which texts nobody"


def _of_backups(house: House, now: datetime) -> Iterator[str]:
    folder = house.settings.backup_folder
    latest = newest(folder)
    if latest is None:
        yield f"a backup: there is none (*{SUFFIX}) in {folder}. Run `epro backup`, and let it run each night"
    elif now - latest[1].at > TOO_OLD_AFTER:
        yield f"a backup younger than a day: the latest in {folder} is of {latest[1].at:%Y-%m-%d %H:%M} UTC"


def _of_the_site_copy(house: House) -> Iterator[str]:
    folder = house.settings.site_copy
    if folder is None:
        yield "the sites' own copy of what patients answer: set EPRO_SITE_COPY to a folder that the sites hold"
    elif not (folder.is_dir() and os.access(folder, os.W_OK)):
        yield f"the sites' own copy: {folder} (EPRO_SITE_COPY) is not a folder that may be written"
