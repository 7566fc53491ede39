"""Two web processes, the clock and the desk on one database: nobody meets a lock."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from epro.acts import links
from epro.store.database import reading, writing
from epro.store.models import Assessment
from tests.epro.conftest import NURSE
from tests.journeys.conftest import ROOT, Phone

PHONES = 6
SUBJECT_IDS = 900  # UME-100 to UME-999


def clock_of(service, tick_seconds):
    """The Procfile's clock beside the service's web processes, in a hurry."""
    keys = service.house.settings
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("EPRO_")},
        "EPRO_HOME": str(keys.home),
        "EPRO_DATABASE_URL": keys.database_url,
        "EPRO_SECRET_KEY": keys.secret_key.get_secret_value(),
        "EPRO_CONTACT_KEYS": keys.contact_keys[0].get_secret_value(),
        "EPRO_TICK_SECONDS": str(tick_seconds),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "epro", "clock"], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    )


def answer_once(service, subject):
    """One patient answers her form on the clinic's tablet. Returns every status she met."""
    now = service.house.clock()
    with writing(service.house.engine) as connection:
        token = links.hand_over(connection, subject, "BL", by=NURSE, now=now)
    phone = Phone(service.address)
    page = phone.press(phone.open(f"/p/{token}"))
    statuses = [page.status]
    while page.path.startswith("/form/") and page.path not in ("/form/review", "/form/done"):
        page = phone.press(page, value=page.options[0])
        statuses.append(page.status)
    page = phone.press(page, "/form/submit")
    return [*statuses, page.status]


def played(service, seconds):
    """Enrol and answer for a while, with the clock ticking. Returns all statuses and what was logged."""
    clock = clock_of(service, tick_seconds=0.2)
    ends_at, statuses, n = time.monotonic() + seconds, [], 0
    try:
        with ThreadPoolExecutor(PHONES) as phones:
            while n == 0 or (time.monotonic() < ends_at and n + PHONES <= SUBJECT_IDS):
                subjects = [service.enrol(f"UME-{100 + n + k:03d}") for k in range(PHONES)]
                n += PHONES
                for met in phones.map(lambda subject: answer_once(service, subject), subjects):
                    statuses += met
    finally:
        clock.send_signal(signal.SIGTERM)
        _, clock_said = clock.communicate(timeout=60)
    return statuses, "".join(service.lines) + clock_said, n


def hold(service, seconds):
    statuses, said, enrolled = played(service, seconds)
    assert set(statuses) == {200}
    assert "lock" not in said.lower()
    assert "failed" not in said.lower()
    done = select(func.count()).select_from(Assessment).where(Assessment.completed_at.is_not(None))
    with reading(service.house.engine) as connection:
        assert connection.execute(done).scalar_one() >= enrolled


def test_web_clock_and_desk_work_together_without_a_lock_error(service):
    hold(service, seconds=0)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_they_do_so_for_five_minutes(service):
    hold(service, seconds=300)
