"""The last look before a text leaves."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import select

from epro.acts import links, patients, reaching
from epro.acts.letters import OPTED_OUT_CODE, Letters
from epro.store.database import reading, writing
from epro.store.models import Link
from scheduler import ledger
from scheduler.ports import Accepted, Claimed, Letter, Refused, Withheld

ADDRESS = "https://forms.example.org"
ARM = {"arm": "surgery", "randomised_on": date(2027, 3, 1)}


@pytest.fixture
def letters(house):
    return Letters(house.engine, house.protocol, house.cipher, ADDRESS)


def due_text(house, visit="M3", step="invite"):
    """A planned text as a clock would hold it in the moment it is due, and that moment."""
    with reading(house.engine) as connection:
        (row,) = [row for row in ledger.rows(connection, "UME-001") if (row.visit, row.step) == (visit, step)]
    at: datetime = row.send_at
    names = {"id": 1, "attempt": 1, "n": 1, "token": "attempt", "claimed_at": at, "version": row.schedule_version}
    shared = {name: getattr(row, name) for name in ("key", "visit", "step", "channel", "expires_at")}
    return Claimed(subject="UME-001", **names, **shared), at


def kept_links(house):
    with reading(house.engine) as connection:
        return connection.execute(select(Link)).all()


def test_a_text_that_the_plan_still_holds_is_written_with_a_link_of_its_own(house, desk, letters):
    desk.enrol(**ARM)
    text, at = due_text(house)

    (letter,) = letters.write([text], at)

    assert isinstance(letter, Letter)
    assert letter.to == "+46701740605"
    assert letter.body.startswith("Hej!")
    token = letter.body.split(f"{ADDRESS}/p/")[1][: links.TOKEN_CHARACTERS]
    (link,) = kept_links(house)
    assert link.token_hash == links.hash_of(token)
    assert token not in repr(link)
    with reading(house.engine) as connection:
        opened = links.opened(connection, links.hash_of(token), at)
    assert (opened.subject, opened.visit) == ("UME-001", "M3")


def test_the_text_is_in_the_patients_language(house, desk, letters):
    desk.enrol(language="en", **ARM)
    text, at = due_text(house)

    (letter,) = letters.write([text], at)

    assert letter.body.startswith("Hello!")


@pytest.mark.parametrize(
    ("verb", "more"),
    [
        (patients.record_death, {"on": date(2027, 3, 1)}),
        (patients.withdraw, {"on": date(2027, 3, 1), "reason": "own wish"}),
        (reaching.opt, {"out": True}),
        (reaching.allow_texts, {"allowed": False}),
    ],
)
def test_what_happens_between_claim_and_letter_withholds_it_and_makes_no_link(house, desk, letters, verb, more):
    desk.enrol(**ARM)
    text, at = due_text(house)

    desk.act(verb, "UME-001", **more)

    (withheld,) = letters.write([text], at)
    assert isinstance(withheld, Withheld)
    assert kept_links(house) == []


def test_a_corrected_date_withholds_the_text_of_the_old_one(house, desk, letters):
    desk.enrol(consented_on=date(2027, 1, 1), arm="surgery", randomised_on=date(2027, 3, 1))
    text, at = due_text(house)

    desk.act(patients.correct_randomisation, "UME-001", on=date(2027, 1, 1), reason="typed the wrong month")

    (withheld,) = letters.write([replace(text, claimed_at=at)], at)
    assert isinstance(withheld, Withheld)


def test_the_trace_of_a_letter_is_its_address_and_the_hash_of_its_link(house, desk, letters):
    desk.enrol(**ARM)
    text, at = due_text(house)
    assert letters.trace(text) is None

    (letter,) = letters.write([text], at)

    trace = letters.trace(text)
    assert trace.to == letter.to
    assert [row.token_hash for row in kept_links(house)] == [trace.link_hash]


def test_a_carrier_that_knows_of_a_stop_is_as_good_as_the_stop(house, desk, letters):
    desk.enrol(**ARM)
    text, at = due_text(house)

    with writing(house.engine) as connection:
        letters.settled(connection, text, Refused(OPTED_OUT_CODE, "never"), at)

    with reading(house.engine) as connection:
        assert patients.known_patient(connection, "UME-001").opted_out
        assert [row.key for row in ledger.rows(connection, "UME-001") if row.state == "planned"] == []


def test_an_accepted_text_teaches_nothing_about_the_patient(house, desk, letters):
    desk.enrol(**ARM)
    text, at = due_text(house)

    with writing(house.engine) as connection:
        letters.settled(connection, text, Accepted("ref"), at)

    with reading(house.engine) as connection:
        assert not patients.known_patient(connection, "UME-001").opted_out


def test_a_link_dies_with_its_window_and_is_deaf_to_case(house, desk, letters):
    desk.enrol(**ARM)
    text, at = due_text(house)
    (letter,) = letters.write([text], at)
    token = letter.body.split(f"{ADDRESS}/p/")[1][: links.TOKEN_CHARACTERS]

    with reading(house.engine) as connection:
        assert links.opened(connection, links.hash_of(token.upper()), at)
        assert links.opened(connection, links.hash_of(token), at + timedelta(days=15)) is None
        assert links.opened(connection, links.hash_of("a" * 26), at) is None


def test_a_letter_shows_neither_number_nor_words(house, desk, letters):
    desk.enrol(**ARM)
    text, at = due_text(house)

    (letter,) = letters.write([text], at)

    assert "70174" not in repr(letter)
    assert "/p/" not in repr(letter)
