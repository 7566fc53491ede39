"""What the carrier tells us."""

from dataclasses import replace
from datetime import date
from urllib.parse import urlencode

import pytest
from sqlalchemy import select
from twilio.request_validator import HMAC_SHA256, RequestValidator

from epro.acts import patients
from epro.acts.bot import answer
from epro.opening import letters_of
from epro.queries.written import written
from epro.settings import Settings
from epro.store import facts, people
from epro.store.database import reading
from epro.store.models import Answer, Audit, Reply
from epro.web.app import create_app
from scheduler import ledger
from scheduler.dispatch import tick
from scheduler.ports import Accepted
from scheduler.replies import Understood
from scheduler.texts import segments
from tests.web.conftest import contents_of, rows_of

SECRET = "the carrier's secret"
PUBLIC = "https://forms.example.org"
HERS, UNKNOWN = "+46701740605", "+46701740690"


@pytest.fixture
def app(house, clock):
    twilio = {
        "carrier": "twilio",
        "twilio_account_sid": "AC" + "0" * 32,
        "twilio_auth_token": SECRET,
        "twilio_sender": HERS,
        "public_url": PUBLIC,
    }
    return create_app(replace(house, settings=Settings(**{**house.settings.model_dump(), **twilio}), clock=clock))


@pytest.fixture
def carrier(app):
    """Calls a webhook as the carrier does: signed over the public address, arriving by another one."""

    def call(path, fields, *, secret=SECRET, signed=None, algorithm=None):
        known = {"algorithm": algorithm} if algorithm else {}
        signature = RequestValidator(secret).compute_signature(PUBLIC + path, signed or fields, **known)
        headers = {"X-Twilio-Signature": signature}
        if algorithm:
            headers["X-Twilio-Webhooks-Signature-Settings"] = f"algorithm={algorithm}"
        response = app.test_client().post(path, data=fields, headers=headers)
        call.answered = response.text
        return response.status_code

    return call


def reply(body, sender=HERS, sid="SM1"):
    return {"MessageSid": sid, "From": sender, "To": "+46701740699", "Body": body, "AccountSid": "AC1"}


def facts_of(house, subject="UME-001"):
    with reading(house.engine) as connection:
        return people.facts_of(connection, [subject])[subject]


def replies_of(house):
    with reading(house.engine) as connection:
        return connection.execute(select(Reply.__table__).order_by(Reply.id)).all()


def test_a_reply_is_kept_unread_for_the_nurse_with_its_audit_entry(house, desk, carrier):
    desk.enrol()

    assert carrier("/webhooks/twilio/reply", reply("Jag mår illa idag, åäö & co")) == 200

    (kept,) = replies_of(house)
    assert (kept.subject, kept.understood_as) == ("UME-001", "other")
    assert "illa" not in kept.body
    assert house.cipher.decrypt(kept.body) == "Jag mår illa idag, åäö & co"
    with reading(house.engine) as connection:
        entry = connection.execute(select(Audit.action, Audit.actor).where(Audit.id == kept.entry)).one()
    assert tuple(entry) == ("reply received", "carrier")
    assert facts_of(house).may_be_texted


def test_stop_stops_every_text_that_waits_and_start_brings_them_back(house, desk, carrier):
    desk.enrol()

    carrier("/webhooks/twilio/reply", reply("Stopp!", sid="SM1"))
    assert facts_of(house).opted_out
    with reading(house.engine) as connection:
        assert not [row for row in ledger.rows(connection, "UME-001") if row.state == "planned"]

    carrier("/webhooks/twilio/reply", reply("start", sid="SM2"))
    assert facts_of(house).may_be_texted
    assert [row.understood_as for row in replies_of(house)] == ["stop", "start"]


def test_a_doubled_callback_is_one_reply(house, desk, carrier):
    desk.enrol()
    carrier("/webhooks/twilio/reply", reply("STOP"))
    once = rows_of(house)

    assert carrier("/webhooks/twilio/reply", reply("STOP")) == 204  # and is answered once
    assert rows_of(house) == once


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("Stopp", "inga fler sms"),
        ("hjälp!", "RING"),
        ("SENARE", "igen"),
        ("ring", "ringer upp"),
        ("Jag mår illa", "inte läsa"),
        ("3", "inte läsa"),  # never an answer to a questionnaire
    ],
)
def test_a_patient_is_answered_once_a_day_with_whom_to_call(house, desk, carrier, clock, body, said):
    desk.enrol()
    phone = house.protocol.sites["UME"].phone

    assert carrier("/webhooks/twilio/reply", reply(body, sid="SM1")) == 200
    assert said in carrier.answered
    assert phone in carrier.answered
    assert carrier("/webhooks/twilio/reply", reply(body, sid="SM2")) == 204

    clock.wait(days=1)
    assert carrier("/webhooks/twilio/reply", reply(body, sid="SM3")) == 200
    with reading(house.engine) as connection:
        assert connection.execute(select(Answer.id)).all() == []


def test_who_asks_for_later_is_told_the_day_of_her_next_reminder(house, desk, carrier):
    desk.enrol()

    carrier("/webhooks/twilio/reply", reply("senare"))

    with reading(house.engine) as connection:
        due_at = ledger.next_text_at(connection, "UME-001")
        asked_for = [row for row in ledger.rows(connection, "UME-001") if row.step == "on-request"]
    assert [(row.visit, row.send_on, row.state) for row in asked_for] == [("BL", date(2027, 3, 2), "planned")]
    assert f"{due_at.astimezone(house.protocol.zone):%Y-%m-%d}" in carrier.answered


def test_who_asks_for_later_when_nothing_more_is_planned_is_given_a_person(house, desk, carrier):
    desk.enrol(texts_allowed=False)

    carrier("/webhooks/twilio/reply", reply("senare"))

    assert "ingen senare påminnelse" in carrier.answered


@pytest.mark.parametrize("language", ["sv", "en", "ku"])
@pytest.mark.parametrize("understood", list(Understood))
def test_every_answer_of_the_bot_is_one_segment(understood, language):
    said = answer(understood, language, phone="070-174 06 95", next_on=date(2027, 3, 29))

    assert segments(said).count == 1


def test_what_she_wrote_stands_on_the_worklist_until_somebody_has_spoken_to_her(house, desk, carrier, clock):
    desk.enrol("UME-001")
    desk.enrol("UME-002", phone="070-174 06 07")
    carrier("/webhooks/twilio/reply", reply("ring", sid="SM1"))
    carrier("/webhooks/twilio/reply", reply("Jag mår illa", sender="+46701740607", sid="SM2"))

    def waiting():
        with reading(house.engine) as connection:
            return [(one.subject, one.asks_for_a_call, one.body) for one in written(connection, house.cipher, clock())]

    assert waiting() == [("UME-001", True, "ring"), ("UME-002", False, "Jag mår illa")]
    clock.wait(hours=1)
    desk.now = clock()
    desk.act(patients.record, "UME-001", kind=facts.SEEN_ALIVE, on=date(2027, 3, 1))

    assert waiting() == [("UME-002", False, "Jag mår illa")]


def test_a_phone_that_two_patients_share_stops_both(house, desk, carrier):
    desk.enrol("UME-001")
    desk.enrol("UME-002")

    carrier("/webhooks/twilio/reply", reply("STOP"))

    assert facts_of(house, "UME-001").opted_out
    assert facts_of(house, "UME-002").opted_out
    assert len(replies_of(house)) == 1


def test_a_number_that_belongs_to_nobody_leaves_no_trace(house, desk, carrier):
    desk.enrol()
    before = rows_of(house)

    assert carrier("/webhooks/twilio/reply", reply("STOP", sender=UNKNOWN)) == 204
    assert rows_of(house) == before


@pytest.mark.requirement("abuse-20")
@pytest.mark.parametrize(
    "forged",
    [
        {"secret": "another secret"},
        {"signed": reply("START")},
        {"signed": {**reply("STOP"), "Extra": "field"}},
        {"unsigned": True},
    ],
    ids=["another secret", "another body", "a field dropped", "no signature"],
)
@pytest.mark.parametrize("path", ["/webhooks/twilio/reply", "/webhooks/twilio/receipt?attempt=x"])
def test_a_forged_call_changes_nothing_and_leaves_one_log_line_without_data(
    house, desk, app, carrier, caplog, path, forged
):
    desk.enrol()
    before = contents_of(house)

    if "unsigned" in forged:
        assert app.test_client().post(path, data=reply("STOP")).status_code == 403
    else:
        assert carrier(path, reply("STOP"), **forged) == 403

    assert contents_of(house) == before
    assert len(caplog.records) == 1
    assert HERS not in caplog.text
    assert "STOP" not in caplog.text


def test_the_newer_signature_is_understood_and_an_unknown_one_refused(desk, carrier, app):
    desk.enrol()

    assert carrier("/webhooks/twilio/reply", reply("Hej"), algorithm=HMAC_SHA256) == 200
    headers = {"X-Twilio-Signature": "x", "X-Twilio-Webhooks-Signature-Settings": "algorithm=HMAC_MD5"}
    assert app.test_client().post("/webhooks/twilio/reply", data=reply("Hej"), headers=headers).status_code == 403


class Taking:
    """A carrier that takes whatever it is given and remembers by which token."""

    def __init__(self):
        self.tokens = []

    def send(self, letter, token):
        self.tokens.append(token)
        return Accepted(f"SM{len(self.tokens)}")


def test_a_receipt_finds_its_text_by_the_attempts_token_and_moves_it_forward_only(house, desk, clock, carrier):
    desk.enrol()
    taking = Taking()
    clock.wait(days=1)
    tick(house.engine, clock.now, letters_of(house), taking)
    (token,) = taking.tokens
    path = "/webhooks/twilio/receipt?" + urlencode({"attempt": token})

    def state():
        with reading(house.engine) as connection:
            return ledger.rows(connection, "UME-001")[0].state

    told = {"MessageSid": "SM1", "To": HERS, "From": "+46701740699"}
    assert carrier(path, {**told, "MessageStatus": "delivered"}) == 204
    assert state() == "delivered"
    once = rows_of(house)
    assert carrier(path, {**told, "MessageStatus": "delivered"}) == 204
    assert carrier(path, {**told, "MessageStatus": "sent"}) == 204
    assert state() == "delivered"
    assert rows_of(house) == once
    assert carrier("/webhooks/twilio/receipt?attempt=unknown", {**told, "MessageStatus": "sent"}) == 204


def test_where_texts_are_files_there_are_no_webhooks(house):
    client = create_app(house).test_client()

    assert client.post("/webhooks/twilio/reply", data=reply("STOP")).status_code == 404
    assert client.post("/webhooks/twilio/receipt", data={}).status_code == 404
