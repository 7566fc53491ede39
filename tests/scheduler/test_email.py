"""A mail leaves once, and what a mail server says of it means one thing."""

import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from scheduler.carriers.email import Email
from scheduler.ports import EMAIL, Accepted, CannotTell, Letter, Refused, Trace, Unknown
from tests.scheduler import mail_double
from tests.scheduler.house import DUE
from tests.scheduler.mail_double import PASSWORD, USER, MailServer

HERS, TOKEN = "hers@example.org", "0123456789abcdef" * 2
BODY = "Hej! Kodord sol. Ett formulär väntar på dig: https://epro.example/p/abc\n.Frågor? Ring 070-174 06 95"
LETTER = Letter(HERS, BODY, DUE + timedelta(hours=2), EMAIL, "Ett formulär väntar på dig")


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_double.running() as running:
        yield running


def carrier(server: MailServer, **changes: Any) -> Email:
    usual: dict[str, Any] = {
        "sender": "till@epro.example",
        "clock": lambda: DUE,
        "security": "none",
        "timeout_seconds": 0.5,
    }
    return Email(server.host, server.port, **{**usual, **changes})


def test_a_mail_holds_the_neutral_words_and_nothing_of_its_own(server: MailServer) -> None:
    outcome = carrier(server).send(LETTER, TOKEN)

    (mail,) = server.taken
    assert outcome == Accepted(f"<{TOKEN}@epro.example>")
    assert server.to == [HERS]
    assert mail["Message-ID"] == f"<{TOKEN}@epro.example>"
    assert (mail["From"], mail["To"], mail["Subject"]) == ("till@epro.example", HERS, LETTER.subject)
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content().replace("\r\n", "\n").strip() == BODY
    assert {name.lower() for name in mail} - {"x-peer"} == {
        *("from", "to", "subject", "date", "message-id", "auto-submitted"),
        *("mime-version", "content-type", "content-transfer-encoding"),
    }


@pytest.mark.parametrize(
    ("where", "reply", "then"),
    [
        ("at_rcpt", "550 5.1.1 no such mailbox", "never"),
        ("at_rcpt", "553 no such mailbox", "never"),
        ("at_rcpt", "550 5.7.1 relaying denied", "ask_person"),
        ("at_rcpt", "530 5.7.0 log in first", "stop_sender"),
        ("at_rcpt", "450 4.2.0 come back later", "later"),
        ("at_rcpt", "421 closing", "later"),
        ("at_data", "451 try again", "later"),
        ("at_data", "552 mailbox full", "ask_person"),
        ("at_data", "550 no such mailbox after all", "never"),
        ("at_data", "554 we do not like it", "ask_person"),
        ("at_mail", "550 this sender is not known", "stop_sender"),
        ("at_mail", "451 not now", "later"),
    ],
)
def test_a_refusal_is_sure_and_says_what_follows(server: MailServer, where: str, reply: str, then: str) -> None:
    getattr(server, where).append(reply)

    outcome = carrier(server).send(LETTER, TOKEN)

    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.then) == (int(reply[:3]), then)
    assert server.taken == []


def test_a_mailbox_that_is_busy_waits_half_an_hour(server: MailServer) -> None:
    server.at_rcpt.append("450 4.2.0 come back later")

    assert carrier(server).send(LETTER, TOKEN) == Refused(450, "later", timedelta(minutes=30))


@pytest.mark.parametrize("fault", ["drops", "waits"])
def test_a_reply_lost_after_the_words_is_unknown_and_the_mail_is_not_sent_again(server: MailServer, fault: str) -> None:
    setattr(server, fault, True)
    mails = carrier(server)

    assert mails.send(LETTER, TOKEN) == Unknown()
    assert len(server.taken) == 1
    assert mails.find(Trace(HERS, "0", EMAIL), TOKEN, DUE) == CannotTell()


def test_a_server_that_is_away_has_surely_not_taken_it(server: MailServer) -> None:
    assert carrier(MailServer(port=mail_double.a_free_port())).send(LETTER, TOKEN) == Refused(None, "later")
    assert carrier(MailServer(host="mail.invalid", port=25)).send(LETTER, TOKEN) == Refused(None, "later")


def test_a_server_that_accepts_a_connection_and_says_nothing_has_surely_not_taken_it() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()

        assert carrier(MailServer(port=silent.getsockname()[1])).send(LETTER, TOKEN) == Refused(None, "later")


def test_a_mail_whose_time_is_over_is_not_handed_over(server: MailServer) -> None:
    late = Letter(HERS, BODY, DUE, EMAIL, "x")

    assert carrier(server).send(late, TOKEN) == Refused(None, "later")
    assert server.taken == []


def test_a_mail_goes_encrypted_and_signed_in(tmp_path: Path) -> None:
    theirs, ours = mail_double.certificates(tmp_path)
    with mail_double.running(tls_context=theirs, require_starttls=True, auth_required=True) as server:
        known = {"security": "starttls", "user": USER, "password": PASSWORD, "certificates": ours}

        assert isinstance(carrier(server, **known).send(LETTER, TOKEN), Accepted)
        assert carrier(server, **known).why_not_let_in() is None


def test_a_wrong_password_stops_the_sender(tmp_path: Path) -> None:
    theirs, ours = mail_double.certificates(tmp_path)
    with mail_double.running(tls_context=theirs, require_starttls=True, auth_required=True) as server:
        wrong = {"security": "starttls", "user": USER, "password": "another", "certificates": ours}

        assert carrier(server, **wrong).send(LETTER, TOKEN) == Refused(535, "stop_sender")
        assert carrier(server, **wrong).why_not_let_in() == "SMTP 535"
        assert server.taken == []


def test_a_certificate_that_nobody_trusts_stops_the_sender(tmp_path: Path) -> None:
    theirs, _ = mail_double.certificates(tmp_path)
    with mail_double.running(tls_context=theirs) as server:
        assert carrier(server, security="starttls").send(LETTER, TOKEN) == Refused(None, "stop_sender")
        assert server.taken == []


def test_a_server_without_the_encryption_that_is_asked_for_gets_nothing(server: MailServer) -> None:
    assert carrier(server, security="starttls").send(LETTER, TOKEN) == Refused(None, "stop_sender")
    assert server.taken == []
