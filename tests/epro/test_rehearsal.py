"""A simulated trial, played through the verbs of real life."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from epro.rehearsal.carrier import NotFiction, RehearsalCarrier
from epro.rehearsal.chance import Chance
from epro.rehearsal.numbers import fictional_mobile, is_fictional
from epro.rehearsal.rehearsing import Asked, player_of
from epro.rehearsal.weather import Weather
from epro.store.contacts import parse_mobile
from epro.store.database import reading
from epro.store.models import Answer, Assessment, Audit, Contact, Patient, PatientEvent
from scheduler import ledger
from scheduler.carriers.console import Console
from scheduler.ports import Letter
from tests.epro.conftest import NOW

START = NOW - timedelta(days=400)


def test_every_invented_number_is_set_aside_for_fiction():
    numbers = [parse_mobile(fictional_mobile(n), "SE") for n in range(1000)]

    assert all(is_fictional(number) for number in numbers)
    assert {number[-2:] for number in numbers} == {f"{n:02d}" for n in range(5, 94)}


NEIGHBOURS = ["+4670174060" + "4", "+4670174060" + "0"]  # just below the range, so not written whole


@pytest.mark.parametrize("number", [*NEIGHBOURS, "+4670174060", "+15005550006"])
def test_a_rehearsal_stops_rather_than_text_anybody_else(number, tmp_path):
    carrier = RehearsalCarrier(lambda: NOW, Chance(1), Weather(), outbox=Console(tmp_path, lambda: NOW))

    with pytest.raises(NotFiction):
        carrier.send(Letter(number, "Hello", NOW), "attempt-1")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def played(house, tmp_path):
    """Twelve patients over a year and a month."""
    steps = []
    asked = Asked(12, seed=7, first_day=START.date(), accrual_months=6, one_in=None)
    player = player_of(house, asked, outbox=lambda clock: Console(tmp_path / "outbox", clock), until=NOW)
    player.play(lambda done, total: steps.append((done, total)))
    player.close()
    return house, steps


def one(house, statement):
    with reading(house.engine) as connection:
        return connection.execute(statement).scalar_one()


def test_a_played_trial_has_patients_answers_texts_and_a_trail(played, tmp_path):
    house, steps = played

    assert one(house, select(func.count()).select_from(Patient)) == 12
    assert one(house, select(func.count()).select_from(Assessment).where(Assessment.completed_at.is_not(None))) > 12
    assert one(house, select(func.count()).select_from(Answer)) > 12 * 30
    assert len(list((tmp_path / "outbox").iterdir())) > 20
    assert one(house, select(func.count()).select_from(Audit)) > 100
    assert steps[-1][0] == steps[-1][1]


def test_no_text_left_after_a_death_or_a_withdrawal_was_reported(played):
    house, _ = played

    ended = (
        select(PatientEvent.subject, PatientEvent.reported_at)
        .where(PatientEvent.kind.in_(["death", "withdrawal"]))
        .order_by(PatientEvent.id)
    )
    with reading(house.engine) as connection:
        for subject, told_at in connection.execute(ended).all():
            texts = ledger.rows(connection, subject)
            assert [text.key for text in texts if text.state == "planned"] == []
            assert [text.key for text in texts if text.left_at is not None and text.left_at > told_at] == []


@pytest.mark.requirement("abuse-22")
def test_the_texts_hold_no_name_no_trial_no_diagnosis_and_one_link(played, tmp_path):
    for file in (tmp_path / "outbox").iterdir():
        body = file.read_text(encoding="utf-8")
        assert len(re.findall(r"/p/[a-z2-7]{26}", body)) == 1
        said = re.sub(r"/p/[a-z2-7]{26}", "", body)
        assert not re.search(r"breclim|cancer|tumör|onkolog|kirurg|surgery|arm\b|UME-|GBG-|STO-", said, re.IGNORECASE)


def test_every_number_in_the_database_is_fiction(played):
    house, _ = played

    with reading(house.engine) as connection:
        contacts = connection.execute(select(Contact.kind, Contact.address)).all()
    addresses = [(row.kind, house.cipher.decrypt(row.address)) for row in contacts]
    assert len([kind for kind, _ in addresses if kind == "sms"]) == 12
    assert all(is_fictional(to) if kind == "sms" else to.endswith("@patients.example") for kind, to in addresses)
