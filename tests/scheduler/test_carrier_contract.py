"""What every carrier promises to the ledger.

Another carrier joins by one function here that gives its `Bench`: the carrier with a real server of it behind, how that
server is told to fail, and what it took. What a kind of carrier cannot do (a folder loses no reply) is left None, and
its promise is skipped by name. A carrier that keeps every promise may stand in `epro.opening.carrier_of` tomorrow.
"""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from scheduler.carriers.console import Console
from scheduler.carriers.email import Email
from scheduler.carriers.twilio import Twilio
from scheduler.ports import EMAIL, SMS, Accepted, CannotTell, Carrier, Letter, Refused, Trace, Unknown, link_hash
from tests.scheduler import mail_double
from tests.scheduler import twilio_double as double_of
from tests.scheduler.house import DUE, PHONE
from tests.scheduler.twilio_double import ACCOUNT, AUTH_TOKEN

LINK = "abcdefghijklmnopqrstuvwxyz"
BODY = f"Hej! Ett formulär väntar: https://epro.example/p/{LINK} Frågor? Ring 070-174 06 95"


@dataclass
class Bench:
    """taken: the bodies that have surely left. away: the same carrier where nobody listens."""

    carrier: Carrier
    channel: str
    to: str
    taken: Callable[[], list[str]]
    away: Carrier
    refuses_for_good: Callable[[], object] | None = None
    refuses_our_account: Callable[[], object] | None = None
    loses_the_reply: Callable[[], object] | None = None

    def send(self, token: str = "ab" * 16) -> object:
        return self.carrier.send(self.letter(), token)

    def letter(self) -> Letter:
        return Letter(self.to, BODY, DUE + timedelta(hours=2), self.channel, "Ett formulär")

    def find(self, token: str = "ab" * 16, link: str = LINK) -> object:
        return self.carrier.find(Trace(self.to, link_hash(link), self.channel), token, DUE)


@contextmanager
def console(folder: Path) -> Iterator[Bench]:
    outbox, blocked = folder / "outbox", folder / "blocked"
    blocked.write_text("a file where the folder should be")

    def taken() -> list[str]:
        return [file.read_text(encoding="utf-8").split("\n\n")[1].strip() for file in sorted(outbox.glob("*.txt"))]

    yield Bench(Console(outbox, lambda: DUE), SMS, PHONE, taken, away=Console(blocked, lambda: DUE))


@contextmanager
def twilio(folder: Path) -> Iterator[Bench]:
    def at(url: str) -> Twilio:
        return Twilio(
            ACCOUNT,
            AUTH_TOKEN,
            sender="epro",
            status_callback="https://epro.example/webhooks/twilio/receipt",
            clock=lambda: DUE,
            base_url=url,
            timeout_seconds=0.5,
        )

    with double_of.running() as double:
        yield Bench(
            at(double.url),
            SMS,
            PHONE,
            lambda: [text["body"] for text in double.taken],
            away=at(f"http://127.0.0.1:{mail_double.a_free_port()}"),
            refuses_for_good=lambda: double.faults.append(double_of.says(400, 21614)),
            refuses_our_account=lambda: double.faults.append(double_of.says(401, 20003)),
            loses_the_reply=lambda: double.faults.append(double_of.accepts_and_resets),
        )


@contextmanager
def email(folder: Path) -> Iterator[Bench]:
    def at(port: int) -> Email:
        how = {"sender": "till@epro.example", "clock": lambda: DUE, "security": "none", "timeout_seconds": 0.5}
        return Email("127.0.0.1", port, **how)  # type: ignore[arg-type]

    with mail_double.running() as server:
        yield Bench(
            at(server.port),
            EMAIL,
            "hers@example.org",
            lambda: [mail.get_content().strip() for mail in server.taken],
            away=at(mail_double.a_free_port()),
            refuses_for_good=lambda: server.at_rcpt.append("550 5.1.1 no such mailbox"),
            refuses_our_account=lambda: server.at_mail.append("530 5.7.0 log in first"),
            loses_the_reply=lambda: setattr(server, "drops", True),
        )


@pytest.fixture(params=[console, twilio, email], ids=lambda one: one.__name__)
def bench(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with request.param(tmp_path) as made:
        yield made


def told(fault: Callable[[], object] | None) -> None:
    if fault is None:
        pytest.skip("this kind of carrier has no such fault")
    fault()


def test_what_is_accepted_has_left_once_word_for_word_and_has_a_reference(bench: Bench) -> None:
    outcome = bench.send()

    assert isinstance(outcome, Accepted)
    assert outcome.ref
    assert bench.taken() == [BODY]


def test_what_is_refused_for_good_has_not_left_and_says_never_with_a_code(bench: Bench) -> None:
    told(bench.refuses_for_good)

    outcome = bench.send()

    assert isinstance(outcome, Refused)
    assert (outcome.then, bool(outcome.code)) == ("never", True)
    assert bench.taken() == []


def test_an_account_that_is_not_let_in_stops_the_sender(bench: Bench) -> None:
    told(bench.refuses_our_account)

    outcome = bench.send()

    assert isinstance(outcome, Refused)
    assert outcome.then == "stop_sender"
    assert bench.taken() == []


def test_a_carrier_that_cannot_be_reached_has_surely_not_taken_it(bench: Bench) -> None:
    assert bench.away.send(bench.letter(), "ab" * 16) == Refused(None, "later")


def test_a_reply_that_is_lost_is_unknown_raises_nothing_and_is_not_tried_again(bench: Bench) -> None:
    told(bench.loses_the_reply)

    assert isinstance(bench.send(), Unknown)
    assert bench.taken() == [BODY]


def test_what_it_took_is_found_or_it_says_that_it_cannot_tell(bench: Bench) -> None:
    if bench.loses_the_reply:
        bench.loses_the_reply()
    bench.send()

    assert isinstance(bench.find(), Accepted | CannotTell)


def test_what_it_never_took_is_never_said_to_be_accepted(bench: Bench) -> None:
    bench.send()

    assert not isinstance(bench.find("cd" * 16, "zyxwvutsrqponmlkjihgfedcba"), Accepted)


def test_several_hands_may_give_it_letters_at_once(bench: Bench) -> None:
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda n: bench.send(f"{n:032x}"), range(8)))

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert len({outcome.ref for outcome in outcomes if isinstance(outcome, Accepted)}) == 8
    assert len(bench.taken()) == 8


def test_neither_address_nor_words_come_into_a_log(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        bench.send()
        if bench.refuses_for_good:
            bench.refuses_for_good()
        bench.send()

    ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("mail."))
    assert bench.to not in ours
    assert LINK not in ours
