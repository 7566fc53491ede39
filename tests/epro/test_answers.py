"""A tap becomes data, once."""

from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from epro.acts import answers, links, patients
from epro.acts.answers import Said
from epro.refusals import Refusal
from epro.store.audit import entry
from epro.store.database import reading, writing
from epro.store.models import Answer, Assessment, Audit, Form
from scheduler import ledger
from tests.epro.conftest import NOW, NURSE


@pytest.fixture
def token(house, desk):
    """A tablet's link to the baseline of a patient enrolled today."""
    desk.enrol()
    with writing(house.engine) as connection:
        assessment = connection.execute(select(Assessment.id)).scalar_one()
        with entry(connection, chain="UME", action="tablet handed over", by=NURSE, at=NOW) as opened:
            return links.issue(opened, assessment, links.TABLET, NOW)


class Phone:
    """What a phone does with a link: each act is one transaction on a link that is alive."""

    def __init__(self, house, token, now=NOW):
        self.house, self.token, self.now = house, token, now

    def act(self, verb, *asked, **named):
        with writing(self.house.engine) as connection:
            opened = links.opened_for_writing(connection, links.hash_of(self.token), self.now)
            assert opened is not None
            return verb(connection, self.house.protocol, opened, *asked, **named, now=self.now)

    def start(self):
        self.act(answers.start, language="sv")

    def say(self, item, value, key=None):
        return self.act(answers.save, [Said("qlq-c30", item, value, key or f"key-{item}")], session="sitting")


@pytest.fixture
def phone(house, token):
    phone = Phone(house, token)
    phone.start()
    return phone


def current(house):
    with reading(house.engine) as connection:
        assessment = connection.execute(select(Assessment.id)).scalar_one()
        return {item: (kept.value, kept.state) for (_, item), kept in answers.given(connection, assessment).items()}


def count(house, table):
    with reading(house.engine) as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_starting_twice_makes_one_form_with_the_words_it_is_asked_in(house, phone):
    phone.start()

    with reading(house.engine) as connection:
        (form,) = connection.execute(select(Form)).all()
    assert (form.instrument, form.version, form.language, form.mode) == ("qlq-c30", "3.0", "sv", "tablet")
    assert form.wording_sha256 == house.protocol.wordings["qlq-c30", "sv"].sha256


def test_the_same_save_sent_twice_is_one_answer(house, phone):
    assert phone.say("q1", 2, "tap-1") == 1
    assert phone.say("q1", 2, "tap-1") == 0

    assert count(house, Answer) == 1


def test_a_changed_answer_is_added_and_the_first_one_stays(house, phone):
    phone.say("q1", 2, "tap-1")
    phone.say("q1", 3, "tap-2")

    assert current(house) == {"q1": (3, "answered")}
    assert count(house, Answer) == 2


def test_an_item_left_blank_is_kept_as_skipped(house, phone):
    phone.say("q1", None)

    assert current(house) == {"q1": (None, "skipped")}


@pytest.mark.parametrize(("item", "value"), [("q1", 5), ("q1", 0), ("q29", 8), ("q31", 1), ("", 1)])
def test_an_item_or_a_value_that_does_not_exist_is_refused_and_nothing_is_kept(house, phone, item, value):
    before = count(house, Audit)

    with pytest.raises(Refusal):
        phone.say(item, value)

    assert count(house, Answer) == 0
    assert count(house, Audit) == before


def test_one_bad_answer_of_several_keeps_all_of_them_out(house, phone):
    said = [Said("qlq-c30", "q1", 1, "a"), Said("qlq-c30", "q2", 9, "b")]

    with pytest.raises(Refusal):
        phone.act(answers.save, said, session="sitting")

    assert count(house, Answer) == 0


def test_submit_closes_the_link_and_the_later_texts_fall_away(house, phone, token):
    phone.say("q1", 1)
    phone.act(answers.submit)

    with reading(house.engine) as connection:
        assert links.opened(connection, links.hash_of(token), NOW) is None
        waiting = [row.key for row in ledger.rows(connection, "UME-001") if row.state == "planned"]
        done = connection.execute(select(Assessment.completed_at)).scalar_one()
    assert waiting == []
    assert done == NOW


def test_a_baseline_text_of_a_patient_who_has_answered_does_not_come_back_with_randomisation(house, desk, phone):
    phone.act(answers.submit)

    desk.act(patients.randomise, "UME-001", on=date(2027, 3, 1), arm="control")

    with reading(house.engine) as connection:
        planned = {row.visit for row in ledger.rows(connection, "UME-001") if row.state == "planned"}
    assert "BL" not in planned
    assert "M3" in planned


def test_a_link_is_dead_after_the_window(house, token):
    late = Phone(house, token, NOW + timedelta(days=40))

    with pytest.raises(AssertionError):
        late.start()


def test_every_save_has_its_entry_which_does_not_name_a_device_or_a_number(house, phone):
    phone.say("q1", 1)

    with reading(house.engine) as connection:
        kept = connection.execute(select(Answer.entry)).scalar_one()
        told = connection.execute(select(Audit).where(Audit.id == kept)).one()
    assert (told.actor, told.role, told.channel, told.action) == ("UME-001", "patient", "tablet", "answers saved")


def test_what_was_said_does_not_show_in_a_repr():
    assert "4" not in repr(Said("qlq-c30", "q1", 4, "key"))
