"""By which address is a patient reached, what ends one, and what brings it back?"""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from epro.acts import reaching, receipts
from epro.acts.enrolment import Enrolment
from epro.acts.letters import Letters
from epro.acts.replies import Incoming, keep
from epro.queries.addresses import reached_at
from epro.queries.timeline import timeline
from epro.queries.worklist import worklist
from epro.refusals import Refusal
from epro.store import facts
from epro.store.codewords import code_word_of, code_words
from epro.store.contacts import NotAnEmail, masked, parse_email
from epro.store.database import reading, writing
from epro.store.models import AuditValue, CodeWord, Contact
from scheduler import ledger
from scheduler.dispatch import tick
from scheduler.ports import EMAIL, Accepted, Receipt, Refused
from scheduler.replies import CARRIER_STOPS, USUAL_WORDS, bare
from scheduler.texts import LONGEST_CODE

HERS, PHONE = "hers@example.org", "+46701740605"
ARM = {"arm": "surgery", "randomised_on": date(2027, 3, 1)}
ADDRESS = "https://forms.example.org"


class Carrier:
    """Answers as it is told, and keeps what it was given."""

    def __init__(self, *outcomes):
        self.outcomes, self.letters, self.tokens = list(outcomes), [], []

    def send(self, letter, token):
        self.letters.append(letter)
        self.tokens.append(token)
        return self.outcomes.pop(0) if self.outcomes else Accepted(f"ref-{token}")


@pytest.fixture
def letters(house):
    return Letters(house.engine, house.protocol, house.cipher, ADDRESS)


def rows(house, subject="UME-001"):
    with reading(house.engine) as connection:
        return ledger.rows(connection, subject)


def states(house, visit, subject="UME-001"):
    """(step, channel) → state, of one visit"""
    return {(row.step, row.channel): row.state for row in rows(house, subject) if row.visit == visit}


def keyed(house, verb):
    """An act that takes the keys of the house."""
    return lambda connection, protocol, subject, **asked: verb(connection, protocol, house.cipher, subject, **asked)


def known(house, subject="UME-001"):
    with reading(house.engine) as connection:
        return facts.facts_of(connection, [subject])[subject]


def due(house, visit="M3", step="invite"):
    (at,) = [row.send_at for row in rows(house) if (row.visit, row.step, row.state) == (visit, step, "planned")]
    return at


def send_until(house, letters, carrier, visit, step="invite"):
    """Everything that is due by then; returns that instant."""
    at = due(house, visit, step)
    while (next_at := _next_due(house)) <= at:
        tick(house.engine, next_at, letters, carrier)
    return at


def _next_due(house):
    with reading(house.engine) as connection:
        return ledger.next_due(connection)


def undelivered(house, carrier, at, code):
    with writing(house.engine) as connection:
        return receipts.take(connection, house.protocol, Receipt(carrier.tokens[-1], None, "undelivered", code), at)


def agrees(house, now):
    from epro.acts.replanning import differing

    with reading(house.engine) as connection:
        return differing(connection, house.protocol, now) == []


def test_a_number_that_is_refused_for_good_leaves_the_step_to_her_mail_at_once(house, desk, letters):
    desk.enrol(email=HERS, **ARM)
    carrier = Carrier(Refused(21614, "never"))

    at = _next_due(house)
    tick(house.engine, at, letters, carrier)
    assert states(house, "BL")["invite", "sms"] == "refused"
    assert agrees(house, at)
    tick(house.engine, at + timedelta(seconds=5), letters, carrier)

    first, second = carrier.letters
    assert (first.to, first.channel, second.to, second.channel) == (PHONE, "sms", HERS, EMAIL)
    assert second.subject == "Ett formulär väntar på dig"
    assert states(house, "BL")["invite", "email"] == "accepted"
    assert {row.channel for row in rows(house) if row.state == "planned"} == {"email"}
    assert known(house).channels == {"email"}


def test_without_a_mail_address_a_refused_number_is_for_the_nurse(house, desk, letters):
    desk.enrol(**ARM)

    tick(house.engine, _next_due(house), letters, Carrier(Refused(21614, "never")))

    assert [row for row in rows(house) if row.state == "planned"] == []
    assert known(house).channels == frozenset()


def test_a_mail_address_that_is_refused_for_good_ends_too(house, desk, letters):
    desk.enrol(phone=None, email=HERS, **ARM)
    at = _next_due(house)

    tick(house.engine, at, letters, Carrier(Refused(550, "never")))

    assert known(house).channels == frozenset()
    assert agrees(house, at)


def test_two_texts_in_a_row_that_did_not_come_leave_the_rest_to_her_mail(house, desk, letters):
    desk.enrol(email=HERS, **ARM)
    carrier = Carrier()
    for step in ("invite", "reminder-1"):
        assert known(house).channels == {"sms", "email"}
        at = send_until(house, letters, carrier, "M3", step)
        undelivered(house, carrier, at, 30004)

    assert known(house).channels == {"email"}
    assert states(house, "M3")["reminder-2", "email"] == "planned"
    assert agrees(house, at)


def test_one_receipt_of_a_number_not_in_use_is_enough_and_told_twice_is_one(house, desk, letters):
    desk.enrol(email=HERS, **ARM)
    carrier = Carrier()
    at = send_until(house, letters, carrier, "M3")

    for _ in range(2):
        undelivered(house, carrier, at, 30005)

    assert known(house).channels == {"email"}
    with reading(house.engine) as connection:
        recorded = timeline(connection, house.protocol, "UME-001", at).recorded
    assert [one.kind for one in recorded].count("sms_fails") == 1


def test_the_step_that_did_not_come_is_repeated_as_a_mail_on_the_day_after_and_the_worklist_says_so(
    house, desk, letters
):
    desk.enrol(email=HERS, **ARM)
    carrier = Carrier()
    at = send_until(house, letters, carrier, "M3")
    undelivered(house, carrier, at, 30005)
    before = len(carrier.letters)

    with reading(house.engine) as connection:
        [row] = worklist(connection, house.protocol, at).due
    for day in range(3):
        tick(house.engine, at + timedelta(days=day), letters, carrier)
        assert agrees(house, at + timedelta(days=day))

    assert (row.sending.next_channel, row.sending.next_at) == (EMAIL, at + timedelta(days=1))
    assert [(letter.channel, letter.to) for letter in carrier.letters[before:]] == [(EMAIL, HERS)]
    assert states(house, "M3")["invite", "sms"] == "undelivered"
    assert states(house, "M3")["invite", "email"] == "accepted"


def test_a_receipt_that_says_stop_is_as_good_as_her_stop(house, desk, letters):
    desk.enrol(email=HERS, **ARM)
    carrier = Carrier()
    at = send_until(house, letters, carrier, "M3")

    undelivered(house, carrier, at, 21610)

    assert known(house).opted_out
    assert [row for row in rows(house) if row.state == "planned"] == []


def test_another_number_brings_the_texts_back(house, desk, letters):
    desk.enrol(email=HERS, **ARM)
    tick(house.engine, _next_due(house), letters, Carrier(Refused(21614, "never")))
    desk.now += timedelta(days=2)

    desk.act(keyed(house, reaching.change_number), "UME-001", phone="070-174 06 07")

    assert known(house).channels == {"sms", "email"}
    assert {row.channel for row in rows(house) if row.state == "planned"} == {"sms"}


def test_a_patient_with_a_mail_address_alone_is_reached_by_it(house, desk):
    desk.enrol(phone=None, email=HERS, **ARM)

    assert {row.channel for row in rows(house)} == {"email"}


def test_an_address_taken_away_is_used_no_more(house, desk):
    desk.enrol(phone=None, email=HERS, **ARM)

    desk.act(keyed(house, reaching.change_email), "UME-001", email="")

    assert [row for row in rows(house) if row.state == "planned"] == []


def said(house, body, now, sender=PHONE, ref="SM1"):
    with writing(house.engine) as connection:
        return keep(connection, house.protocol, house.cipher, Incoming(ref, sender, body), now)


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("stopp", frozenset()),
        ("STOPP SMS", {"email"}),
        ("stop e-mail!", {"sms"}),
        ("Stopp mejl", {"sms"}),
        ("END", frozenset()),
    ],
)
def test_a_stop_ends_the_channel_it_names_or_else_every_one_and_start_undoes_it(house, desk, body, left):
    desk.enrol(email=HERS, **ARM)
    before = {row.key for row in rows(house) if row.state == "planned"}

    assert said(house, body, desk.now)
    assert known(house).channels == left
    assert {row.channel for row in rows(house) if row.state == "planned"} == set(left)

    said(house, "Start", desk.now, ref="SM2")
    assert known(house).channels == {"sms", "email"}
    assert {row.key for row in rows(house) if row.state == "planned"} == before
    assert agrees(house, desk.now)


def test_a_later_from_a_shared_phone_goes_to_her_whose_text_left_last(house, desk, letters):
    desk.enrol("UME-001")
    desk.enrol("UME-002")
    carrier = Carrier(Refused(21611, "later"))  # the first waits, the second leaves
    at = _next_due(house)
    tick(house.engine, at, letters, carrier)
    tick(house.engine, at, letters, carrier)
    (last,) = [one for one in ("UME-001", "UME-002") if states(house, "BL", one)["invite", "sms"] == "accepted"]

    said(house, "senare", at + timedelta(hours=1))

    asked = [one for one in ("UME-001", "UME-002") if ("on-request", "sms") in states(house, "BL", one)]
    assert asked == [last]


def test_what_a_shared_phone_wrote_stands_with_both(house, desk):
    from epro.queries.written import written

    desk.enrol("UME-001")
    desk.enrol("UME-002")
    desk.enrol("UME-003", phone="070-174 06 07")
    said(house, "ring", desk.now)

    with reading(house.engine) as connection:
        lines = written(connection, house.cipher, desk.now)

    assert [(one.subject, one.shared) for one in lines] == [("UME-001", True), ("UME-002", True)]


def test_every_letter_and_the_start_page_hold_her_own_code_word(house, desk, letters):
    desk.enrol(**ARM)
    carrier = Carrier()
    tick(house.engine, _next_due(house), letters, carrier)

    with reading(house.engine) as connection:
        word = code_word_of(connection, house.cipher, "UME-001")
    assert word in code_words()["sv"]
    assert f"Kodord {word}." in carrier.letters[0].body


def test_a_code_word_and_an_address_are_nowhere_in_clear(house, desk):
    desk.enrol(email=HERS, **ARM)

    with reading(house.engine) as connection:
        word = code_word_of(connection, house.cipher, "UME-001")
        kept = [value for column in (Contact.address, CodeWord.word) for value in connection.scalars(select(column))]
        told = list(connection.execute(select(AuditValue.value)).scalars())
        shown = reached_at(connection, house.cipher, "UME-001")
    assert not any(word == value or HERS in value or PHONE in value for value in [*kept, *told])
    assert shown.code_word == word
    assert dict(shown.masked) == {"sms": "••• 05", "email": "h•••@example.org"}
    assert word not in repr(shown)


@pytest.mark.parametrize("language", code_words())
def test_a_code_word_is_short_plain_and_means_nothing_to_the_bot(language):
    words = code_words()[language]
    replies = {bare(word) for lists in USUAL_WORDS.values() for some in lists.values() for word in some}

    assert len(set(words)) == len(words) >= 250
    assert all(word.isascii() and word.islower() and 4 <= len(word) <= LONGEST_CODE for word in words)
    assert not {bare(word) for word in words} & (replies | set(CARRIER_STOPS))


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "hers",
        "hers@",
        "@here.example.org",
        "hers@example",
        "h ers@example.org",
        "hers@example.org\nBcc: x@y.org",
        "hérs@example.org",
        "a@b@example.org",
        "hers@-example.org",
        ".hers@example.org",
        "h" * 250 + "@here.example.org",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(typed):
    with pytest.raises(NotAnEmail) as refused:
        parse_email(typed)

    assert not typed.strip() or typed not in str(refused.value)


def test_an_address_is_kept_as_typed_but_for_its_domain():
    assert parse_email(" Her.s+1@Example.ORG ") == "Her.s+1@example.org"
    assert masked("hers@example.org") == "h•••@example.org"


def test_an_enrolment_says_what_is_wrong_with_an_address_and_shows_none(house, desk):
    with pytest.raises(Refusal) as refused:
        desk.enrol(email="hers at example.org")

    assert [wrong.field for wrong in refused.value.wrongs] == ["email"]
    asked = Enrolment("UME-001", "UME", "sv", {}, date(2027, 3, 1), True, True, phone=PHONE, email=HERS)
    assert HERS not in repr(asked)
