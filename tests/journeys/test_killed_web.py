"""Web processes that are killed in the middle of saving: what was acknowledged is there, and nothing by halves."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import func, select

from epro.store.database import reading
from epro.store.models import Answer, Audit
from tests.journeys.conftest import ROOT, Phone

CLIENTS, SAVES, SECONDS_APART = 8, 30, 0.05


def workers_of(service) -> list[int]:
    """The web processes under the one that watches over them."""
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children")
    return [int(pid) for pid in children.read_text().split()]


def ticket_of(service, link: str) -> str:
    phone = Phone(service.address)
    return phone.press(phone.open(link)).html.split('"ticket": "')[1].split('"')[0]


def killed_while_saving(service, first: int, times: int) -> list[str]:
    """Eight phones save while the web processes are killed so many times. Returns the keys that were acknowledged."""
    subjects = [service.enrol(f"UME-{first + n:03d}") for n in range(CLIENTS)]
    tickets = [ticket_of(service, link) for link in service.tick(service.first_text_is_due_at(subjects[0]))]
    asked = [sys.executable, "-m", "benchmarks.crowd", service.address, str(SECONDS_APART), str(SAVES)]
    crowd = subprocess.Popen(asked, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert crowd.stdin is not None
    crowd.stdin.write(json.dumps(tickets))
    crowd.stdin.close()
    before = answers(service)
    for _ in range(times):
        while (now := answers(service)) < before + CLIENTS and crowd.poll() is None:
            pass  # until they have saved some more
        before = now
        for pid in workers_of(service):
            os.kill(pid, signal.SIGKILL)
    assert crowd.stdout is not None
    kept: list[str] = json.loads(crowd.stdout.read())["kept"]
    crowd.wait(60)
    return kept


def answers(service) -> int:
    with reading(service.house.engine) as connection:
        return connection.execute(select(func.count()).select_from(Answer)).scalar_one()


def hold(service, first: int, times: int) -> None:
    kept = killed_while_saving(service, first, times)

    with reading(service.house.engine) as connection:
        stored = set(connection.execute(select(Answer.key)).scalars())
        without_entry = connection.execute(
            select(func.count()).select_from(Answer).where(~Answer.entry.in_(select(Audit.id)))
        ).scalar_one()
    assert kept
    assert set(kept) <= stored
    assert without_entry == 0


def test_what_was_acknowledged_outlives_three_kills(service):
    hold(service, 1, 3)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_what_was_acknowledged_outlives_two_hundred_kills(service):
    for each in range(8):
        hold(service, 101 + each * CLIENTS, 25)
