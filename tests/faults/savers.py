"""Phones that save one answer after another, note what they were told, and send again what failed."""

from __future__ import annotations

import random
import re
from threading import Event, Thread
from uuid import uuid4

import requests

from tests.faults.place import Place

CSRF = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
ITEMS = 28  # of the C30's: those that take 1 to 4
PATIENCE_SECONDS = 0.1  # between two tries


class Saver(Thread):
    """One patient's phone. told: key of a save to (subject, value), once the server said that it is kept."""

    def __init__(self, address: str, subject: str, token: str, stopping: Event, most: int = 1_000_000) -> None:
        super().__init__(daemon=True)
        self.address, self.subject, self.token, self.stopping, self.most = address, subject, token, stopping, most
        self.told: dict[str, tuple[str, int]] = {}
        self.tried: dict[str, tuple[str, int]] = {}
        self.statuses: list[int] = []
        self.session = requests.Session()
        self.csrf = ""
        self.chance = random.Random(subject)

    def begin(self) -> None:
        """Open the link and start the form, again and again until it is open."""
        while not self.csrf and not self.stopping.is_set():
            try:
                page = self.session.get(f"{self.address}/p/{self.token}", timeout=10)
                data = {"csrf_token": CSRF.findall(page.text)[0]}
                opened = self.session.post(f"{self.address}/p/{self.token}", data=data, timeout=10)
                self.csrf = CSRF.findall(opened.text)[0]
            except (requests.RequestException, IndexError):
                self.stopping.wait(PATIENCE_SECONDS)

    def run(self) -> None:
        self.begin()
        for n in range(self.most):
            if self.stopping.is_set():
                return
            self.save(n % ITEMS + 1)

    def save(self, item: int, *, tries: int = 1_000_000) -> None:
        """Send one answer until it is told to be kept."""
        key, value = uuid4().hex, self.chance.randint(1, 4)
        self.tried[key] = (self.subject, value)
        for _ in range(tries):
            try:
                data = {"csrf_token": self.csrf, "key": key, "value": str(value)}
                address = f"{self.address}/form/{item}"
                answered = self.session.post(address, data=data, timeout=15, allow_redirects=False)
            except requests.RequestException:
                self.statuses.append(0)
            else:
                self.statuses.append(answered.status_code)
                if answered.status_code == 303 and "/form" in answered.headers["Location"]:
                    self.told[key] = (self.subject, value)
                    return
            if self.stopping.wait(PATIENCE_SECONDS):
                return


def savers(place: Place, stopping: Event, *, address: str = "", most: int = 1_000_000) -> list[Saver]:
    """A phone for every patient; not started."""
    return [Saver(address or place.address, *each, stopping, most) for each in place.tokens.items()]


def told_by(phones: list[Saver]) -> dict[str, tuple[str, int]]:
    return {key: said for phone in phones for key, said in phone.told.items()}
