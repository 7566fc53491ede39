"""How is a text read without a phone? As a file in a folder, one for each text that was accepted."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from scheduler.ports import LINK_TOKEN, Accepted, Letter, Listed, NotFound, Refused, Trace, link_hash

UNFINISHED = ".unfinished"
NAMED = "%Y%m%dT%H%M%SZ"


class Console:
    """A carrier for demonstration and tests: what it took stands in its folder, and it knows for certain what that is.

    A file is named after the instant and the attempt: 20270401T080000Z-<token>.txt.
    """

    def __init__(self, folder: Path, clock: Callable[[], datetime]) -> None:
        self.folder, self.clock = folder, clock

    def send(self, letter: Letter, token: str) -> Accepted | Refused:
        """Written whole, on the disk, and only then accepted. A disk that is full or read-only refuses for a while."""
        at = self.clock()
        name = f"{at:{NAMED}}-{token}"
        subject = f"Subject: {letter.subject}\n" if letter.subject else ""
        text = f"To: {letter.to}\nAt: {at:%Y-%m-%d %H:%M:%S} UTC\n{subject}\n{letter.body}\n"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write(self.folder / f"{name}.txt", text)
        except OSError:
            return Refused(None, "later")
        return Accepted(token)

    def find(self, trace: Trace, token: str, since: datetime) -> Accepted | NotFound:
        found = next(self.folder.glob(f"*-{token}.txt"), None)
        return Accepted(token) if found else NotFound(sure=True)

    def sent_since(self, since: datetime) -> Sequence[Listed]:
        files = (file for file in self.folder.glob("*-*.txt") if _at(file) >= since.replace(microsecond=0))
        return [self._listed(file) for file in sorted(files, reverse=True)]

    def _listed(self, file: Path) -> Listed:
        head, _, body = file.read_text(encoding="utf-8").partition("\n\n")
        to = head.splitlines()[0].removeprefix("To: ")
        token = file.stem.partition("-")[2]
        return Listed(token, _at(file), to, frozenset(map(link_hash, LINK_TOKEN.findall(body))))

    def _write(self, path: Path, text: str) -> None:
        unfinished = path.with_suffix(UNFINISHED)
        with unfinished.open("w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)  # it holds an address and a link
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _at(file: Path) -> datetime:
    return datetime.strptime(file.name.partition("-")[0], NAMED).replace(tzinfo=UTC)
