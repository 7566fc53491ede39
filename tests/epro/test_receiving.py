"""An assessment is received while an answer of it stands: kept on its row, and the same as its answers say."""

import pytest
from sqlalchemy import select

from epro.acts import answers, corrections, links
from epro.acts.answers import Said
from epro.acts.corrections import Correction
from epro.store.database import reading, writing
from epro.store.models import Assessment
from tests.epro.conftest import NOW, NURSE
from tests.queries.conftest import later

AFTER_IT_CLOSED = later(days=60)


@pytest.fixture
def save(house, desk):
    """Save one item of the baseline of UME-001, answered (a value) or left blank (None)."""
    desk.enrol()
    with writing(house.engine) as connection:
        token = links.hand_over(connection, "UME-001", "BL", by=NURSE, now=NOW)
        opened = links.opened_for_writing(connection, links.hash_of(token), NOW)
        answers.start(connection, house.protocol, opened, language="sv", now=NOW)

    def save(n, item, value):
        with writing(house.engine) as connection:
            said = [Said("qlq-c30", item, value, key=f"save-{n}")]
            answers.save(connection, house.protocol, opened, said, session="one", now=later(minutes=n))

    return save


def received_at(house):
    with reading(house.engine) as connection:
        asked = (Assessment.subject == "UME-001", Assessment.visit == "BL")
        return connection.execute(select(Assessment.received_at).where(*asked)).scalar_one()


def test_it_is_received_with_the_first_answer_and_not_with_a_blank(house, save):
    save(1, "q1", None)
    assert received_at(house) is None

    save(2, "q2", 2)
    save(3, "q3", 2)

    assert received_at(house) == later(minutes=2)


def test_it_is_received_no_longer_once_its_only_answer_is_taken_back(house, save):
    save(1, "q1", 2)
    save(2, "q1", None)
    assert received_at(house) is None

    save(3, "q1", 3)

    assert received_at(house) == later(minutes=3)


def test_one_answer_of_several_that_is_taken_back_leaves_it_received(house, save):
    save(1, "q1", 2)
    save(2, "q2", 2)

    save(3, "q1", None)

    assert received_at(house) == later(minutes=1)


def test_staff_who_correct_its_only_answer_to_a_blank_take_it_back(house, save):
    save(1, "q1", 2)
    asked = Correction("qlq-c30", "q1", None, None, "wrong_patient", "answered by another", "staff")

    with writing(house.engine) as connection:
        corrections.correct(connection, house.protocol, "UME-001", "BL", asked, by=NURSE, now=AFTER_IT_CLOSED)

    assert received_at(house) is None
