"""A database comes back from a backup: nothing is sent twice, and nothing is forgotten.

The double of Twilio, over HTTP, holds the truth of what left.
"""

from collections import Counter
from datetime import date, timedelta

import pytest
from sqlalchemy import select

import scheduler
from epro.acts.letters import Letters
from epro.acts.replanning import differing
from epro.acts.restoring import SendingIsOff, release, restored, settle, unsettled
from epro.queries.lost import possibly_lost
from epro.queries.worklist import worklist
from epro.store.database import reading, writing
from epro.store.migrating import TABLES
from epro.store.models import Reply
from scheduler import ledger
from scheduler.carriers.console import Console
from scheduler.carriers.twilio import Twilio
from scheduler.ports import CannotTell, Listing
from tests import databases
from tests.epro.conftest import NOW, NURSE
from tests.scheduler import twilio_double as double_of

SUBJECTS = [f"UME-{n:03}" for n in range(1, 7)]
RANDOMISED = date(2027, 3, 1)
DAY = timedelta(days=1)


class Trial:
    """A few patients, a clock, and a carrier that is the real client before the double."""

    def __init__(self, house, desk, double):
        self.house, self.double, self.now = house, double, NOW
        for n, subject in enumerate(SUBJECTS):
            phone = f"070-174 06 {10 + n // 2}"  # two patients share each phone
            desk.enrol(subject, arm="surgery", randomised_on=RANDOMISED, phone=phone)
        self.carrier = Twilio(
            double_of.ACCOUNT,
            double_of.AUTH_TOKEN,
            sender="epro",
            status_callback="https://epro.example/webhooks/twilio/receipt",
            clock=lambda: self.now,
            base_url=double.url,
        )
        self.letters = Letters(house.engine, house.protocol, house.cipher, "https://forms.example.org")

    def play(self, until, carrier=None):
        """Send all that is due, up to an instant; the clock looks every hour."""
        while self.now < until:
            self.now += timedelta(hours=1)
            self.double.now = self.now
            scheduler.tick(self.house.engine, self.now, self.letters, carrier or self.carrier)
            scheduler.reconcile(self.house.engine, self.now, self.letters, carrier or self.carrier)

    def saved(self):
        """Every row of every table, as a backup holds them."""
        with reading(self.house.engine) as connection:
            tables = [table for metadata in TABLES for table in metadata.sorted_tables]
            return [(table, [dict(row._mapping) for row in connection.execute(select(table))]) for table in tables]

    def come_back(self, backup, backup_at):
        databases.fill(self.house.engine, backup)
        with writing(self.house.engine) as connection:
            restored(connection, backup_at, by=NURSE, now=self.now)

    def settle(self):
        with reading(self.house.engine) as connection:
            since = unsettled(connection).backup_at
        listed = self.carrier.sent_since(since - timedelta(minutes=5))
        received = self.carrier.received_since(since - timedelta(minutes=5))
        with writing(self.house.engine) as connection:
            return settle(connection, self.house.protocol, self.house.cipher, listed, received, by=NURSE, now=self.now)

    def left(self):
        """How many texts left to each phone on each day, by the double."""
        return Counter((text["to"], text["date_created"][:16]) for text in self.double.taken)

    def rows(self, subject=None):
        with reading(self.house.engine) as connection:
            return [text for one in ([subject] if subject else SUBJECTS) for text in ledger.rows(connection, one)]


@pytest.fixture
def trial(house, desk, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with double_of.running() as double:
        double.now = NOW
        yield Trial(house, desk, double)


class SavedOnTheWay:
    """The carrier, and a backup that is made while the third text is being handed over."""

    def __init__(self, trial):
        self.trial, self.sent, self.backup, self.at = trial, 0, None, None

    def send(self, letter, token):
        self.sent += 1
        if self.sent == 3:
            self.backup, self.at = self.trial.saved(), self.trial.now
        return self.trial.carrier.send(letter, token)

    def find(self, trace, token, since):
        return self.trial.carrier.find(trace, token, since)


def play_as_if_nothing_had_happened(trial, until):
    trial.play(until)
    return trial.left()


END = NOW + 60 * DAY  # after the last reminder of M1.5


@pytest.mark.parametrize("moment", ["between two texts", "while texts leave"])
def test_after_a_restore_nothing_is_sent_twice_and_nothing_is_forgotten(trial, moment):
    start = trial.saved()
    expected = play_as_if_nothing_had_happened(trial, END)
    assert len(expected) == 18  # three phones, three texts of BL and three of M1.5 to each patient, shared days once
    trial.double.taken.clear()
    trial.now = NOW
    databases.fill(trial.house.engine, start)

    if moment == "while texts leave":
        trial.play(NOW + 44 * DAY)
        saving = SavedOnTheWay(trial)
        trial.play(NOW + 50 * DAY, saving)
        backup, backup_at = saving.backup, saving.at
    else:
        trial.play(NOW + 48 * DAY)
        backup, backup_at = trial.saved(), trial.now
        trial.play(NOW + 50 * DAY)
    trial.come_back(backup, backup_at)
    with pytest.raises(SendingIsOff, match="epro clock --after-restore"):
        trial.play(trial.now + 2 * timedelta(hours=12))
    settled = trial.settle()
    trial.play(END)

    assert settled.all_placed
    assert settled.recorded
    assert trial.left() == expected
    with reading(trial.house.engine) as connection:
        assert differing(connection, trial.house.protocol, trial.now) == []


def test_a_carrier_that_cannot_tell_leaves_it_to_a_person_and_nothing_is_sent_blind(trial):
    trial.play(NOW + 45 * DAY)
    backup, backup_at = trial.saved(), trial.now
    before = trial.left()
    trial.play(NOW + 47 * DAY)
    left = trial.left()
    assert sum(left.values()) > sum(before.values())
    trial.come_back(backup, backup_at)

    protocol, cipher = trial.house.protocol, trial.house.cipher
    with writing(trial.house.engine) as connection:
        settled = settle(connection, protocol, cipher, CannotTell(), (), by=NURSE, now=trial.now)
        assert not settled.all_placed
        assert unsettled(connection) is not None
    with writing(trial.house.engine) as connection:
        untold = release(connection, protocol, could_tell=False, reason="decided", by=NURSE, now=trial.now)
    trial.play(NOW + 48 * DAY)

    assert sorted(untold) == sorted(f"{subject}/M1.5/invite/sms/1" for subject in SUBJECTS)
    assert trial.left() == left
    with reading(trial.house.engine) as connection:
        assert {why for one in worklist(connection, protocol, trial.now).unreachable for why in one.why} == {"given_up"}


def test_a_stop_that_came_after_the_backup_is_obeyed_before_anything_is_sent(trial):
    backup, backup_at = trial.saved(), trial.now
    trial.double.now = trial.now = NOW + timedelta(hours=1)
    trial.double.comes_in("+46701740610", "Stopp!")  # the phone of the first two
    trial.double.comes_in("+46701740698", "STOP")  # nobody's
    trial.come_back(backup, backup_at)
    trial.double.now = trial.now = NOW + timedelta(hours=2)

    assert trial.settle().all_placed
    trial.play(NOW + 10 * DAY)

    assert {to for to, _ in trial.left()} == {"+46701740611", "+46701740612"}
    assert {text.state for text in trial.rows(SUBJECTS[0])} == {"cancelled"}
    with reading(trial.house.engine) as connection:
        kept = connection.execute(select(Reply.subject, Reply.understood_as)).all()
    assert [tuple(row) for row in kept] == [(SUBJECTS[0], "stop")]


def test_a_carrier_that_cannot_name_what_came_in_keeps_sending_off(trial):
    trial.come_back(trial.saved(), trial.now)

    protocol, cipher = trial.house.protocol, trial.house.cipher
    with writing(trial.house.engine) as connection:
        settled = settle(connection, protocol, cipher, [], CannotTell(), by=NURSE, now=trial.now)
        assert unsettled(connection) is not None
    assert not settled.all_placed


def test_a_text_that_left_to_nobody_we_know_keeps_sending_off(trial):
    """A patient who was enrolled after the backup is in no backup; her text is."""
    backup, backup_at = trial.saved(), trial.now
    trial.double.now = trial.now = NOW + timedelta(hours=2)
    stray = {"To": "+46701740699", "From": "epro", "Body": "Hej! https://forms.example.org/p/abcdefghijkl"}
    sid = trial.double.take(stray)["sid"]
    trial.come_back(backup, backup_at)

    settled = trial.settle()

    assert settled.unplaced == (sid,)
    with reading(trial.house.engine) as connection:
        assert unsettled(connection) is not None


def test_forms_that_were_open_after_the_backup_are_listed_as_perhaps_lost(trial):
    backup, backup_at = trial.saved(), NOW
    trial.now = NOW + 2 * DAY
    trial.come_back(backup, backup_at)

    with reading(trial.house.engine) as connection:
        lost = possibly_lost(connection, trial.now)

    assert [(one.subject, one.visit) for one in lost] == [(subject, "BL") for subject in SUBJECTS]


def test_the_console_names_what_it_took(trial, tmp_path):
    console = Console(tmp_path / "outbox", lambda: trial.now)
    assert isinstance(console, Listing)
    trial.play(NOW + DAY, console)

    listed = console.sent_since(NOW)
    assert len(listed) == len([text for text in trial.rows() if text.left_at])
    assert console.sent_since(trial.now + DAY) == []
    assert all(one.link_hashes for one in listed)
