"""What is scanned: a service on loopback with patients and staff of every role, and the planted application."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from epro.acts import users
from epro.store.database import writing
from tests.epro.conftest import NURSE
from tests.faults.place import ROOT, Place, place
from tests.faults.savers import CSRF
from tests.journeys.conftest import free_port
from tests.scan.crawling import Forms
from tests.web.staffing import PASSWORD

TRIES, PAUSE_SECONDS = 300, 0.2


@contextmanager
def service(home: Path, roles: list[str]) -> Iterator[Place]:
    """The pages as `epro serve` serves them, with one account for each role: ROLE@example.org."""
    here = place(f"sqlite:///{home / 'epro.db'}", home)
    protocol, now = here.house.protocol, here.house.clock()
    with writing(here.house.engine) as connection:
        for role in roles:
            sites = list(protocol.sites) if role in users.AT_OWN_SITES else []
            asked = {"email": f"{role.replace(' ', '-')}@example.org", "name": "Some One", "password": PASSWORD}
            users.add(connection, protocol, role=role, sites=sites, by=NURSE, now=now, **asked)
    here.serve()
    try:
        yield here
    finally:
        here.kill()
        here.house.engine.dispose()


@contextmanager
def planted() -> Iterator[str]:
    """The address of the application with planted flaws."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.scan.control", str(port)], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _await(address, process)
        yield address
    finally:
        process.kill()
        process.wait()


def _await(address: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(TRIES):
        try:
            requests.get(address, timeout=PAUSE_SECONDS)
        except requests.ConnectionError:
            try:
                process.wait(PAUSE_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            break
        except requests.Timeout:
            continue
        return
    raise AssertionError("the planted application did not start")


def signed_in(here: Place, role: str) -> requests.Session:
    session = requests.Session()
    page = session.get(f"{here.address}/desk/login", timeout=60)
    form = next(fields for _, action, fields in Forms(page.text).forms if "password" in fields)
    given = {**form, "email": f"{role.replace(' ', '-')}@example.org", "password": PASSWORD}
    arrived = session.post(f"{here.address}/desk/login", data=given, timeout=60)
    assert "/desk/login" not in arrived.url, f"{role} is not signed in"
    return session


def begun(here: Place, subject: str) -> requests.Session:
    """A patient's browser with her form open."""
    session = requests.Session()
    where = f"{here.address}/p/{here.tokens[subject]}"
    page = session.get(where, timeout=60)
    opened = session.post(where, data={"csrf_token": CSRF.findall(page.text)[0]}, timeout=60)
    assert opened.url.startswith(f"{here.address}/form"), "her form is not open"
    return session


def cookie_of(session: requests.Session) -> str:
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in session.cookies)
