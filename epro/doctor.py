"""Can this installation do its work? Each line is well, or says what to do."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError

from epro.checking import check
from epro.house import House
from epro.opening import carrier_of, mail_of, open_house
from epro.protocol import read_protocol, what_live_lacks
from epro.settings import Settings
from epro.store.contacts import parse_mobile
from epro.store.database import reading
from epro.store.migrating import newest_revision, revision_of
from questionnaires import located
from scheduler import ledger
from scheduler.carriers.twilio import Twilio
from scheduler.ports import Accepted, Letter, Refused

CLOCK_IS_LATE = timedelta(minutes=2)
TEST_TEXT = "Test: texts from this service reach this phone. / Test: sms från tjänsten når den här telefonen."
TEST_TEXT_IS_VALID = timedelta(minutes=10)
LOOKS, SECONDS_BETWEEN_LOOKS = 20, 3.0
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True)
class Line:
    """One thing looked at. cure: what to do; empty where all is well."""

    what: str
    found: str
    cure: str = ""

    @property
    def is_well(self) -> bool:
        return not self.cure


def examine(settings: Settings, now: datetime) -> Iterator[Line]:
    """Look at everything that can be looked at, in the order in which it is built up."""
    yield Line("settings", f"home {settings.home.name}, carrier {settings.carrier}")
    trial = _trial(settings.trial, now)
    yield trial
    if not trial.is_well:
        return
    house = open_house(settings)
    try:
        for look in (_wording, _database, _clock, _public_address, _carrier, _mail):
            yield look(house, now)
    finally:
        house.engine.dispose()


def send_test_text(house: House, typed: str, wait: Callable[[float], None]) -> Line:
    """Send one text to this number by the carrier of the settings, and look until it has arrived.

    typed: as people type a number. Raises NotAMobile. It is nobody's reminder, so the ledger knows nothing of it.
    """
    to, carrier = parse_mobile(typed, house.protocol.trial.country), carrier_of(house)
    letter = Letter(to, TEST_TEXT, house.clock() + TEST_TEXT_IS_VALID)
    outcome = carrier.send(letter, f"test-{secrets.token_hex(8)}")
    if isinstance(outcome, Refused):
        return Line("test text", f"refused, code {outcome.code}", "Look the code up at twilio.com/docs/api/errors.")
    if not isinstance(outcome, Accepted):
        return Line("test text", "perhaps sent: the reply was lost", "See whether it arrives before you try again.")
    if not isinstance(carrier, Twilio) or outcome.ref is None:
        return Line("test text", "taken")
    for _ in range(LOOKS):
        receipt = carrier.fetch(outcome.ref)
        if receipt is not None and receipt.status == "delivered":
            return Line("test text", "delivered")
        if receipt is not None and receipt.status == "undelivered":
            return Line("test text", f"did not arrive, code {receipt.code}", "Try another phone; look the code up.")
        wait(SECONDS_BETWEEN_LOOKS)
    return Line("test text", "taken, and no receipt within a minute", "See whether it has arrived.")


def _trial(file: Path, now: datetime) -> Line:
    try:
        check(file, on=now.date())
        lacks = what_live_lacks(read_protocol(file))
    except located.Refused as refused:
        return Line("trial file", f"{len(refused.faults)} faults in {file.name}", f"Run `epro check {file.name}`.")
    if lacks:
        return Line("trial file", f"{file.name} says live = true and lacks: {', '.join(lacks)}", "Set live = false.")
    return Line("trial file", f"{file.name} holds together")


def _wording(house: House, now: datetime) -> Line:
    demonstrations = sorted({code for (code, _), pack in house.protocol.wordings.items() if pack.demonstration})
    if demonstrations and house.protocol.trial.live:
        return Line(
            "wording", f"a demonstration of {', '.join(demonstrations)}", "Put the licensed wording in its place."
        )
    kind = f"a demonstration of {', '.join(demonstrations)}; not for a live trial" if demonstrations else "licensed"
    return Line("wording", kind)


def _database(house: House, now: datetime) -> Line:
    kind = house.engine.dialect.name
    try:
        revision = revision_of(house.engine)
    except SQLAlchemyError:
        return Line("database", f"{kind} cannot be reached", "Check EPRO_DATABASE_URL and that its server runs.")
    if revision != newest_revision():
        return Line("database", f"{kind} is empty or of another version", "Run `epro release`.")
    return Line("database", f"{kind}, schema {revision}")


def _clock(house: House, now: datetime) -> Line:
    try:
        with reading(house.engine) as connection:
            seen = ledger.health(connection, now)
    except SQLAlchemyError:
        return Line("clock", "nothing is known of it", "Put the database right first.")
    if seen.last_tick_at is None:
        return Line("clock", "has never run", "Start `epro clock`.")
    if now - seen.last_tick_at > CLOCK_IS_LATE:
        return Line("clock", f"last ran at {seen.last_tick_at:%Y-%m-%d %H:%M} UTC", "Start `epro clock`.")
    if seen.last_error:
        return Line("clock", seen.last_error, "Put that right; the clock tries again by itself.")
    waiting = sum(seen.counts.values())
    return Line("clock", f"runs; {waiting} texts wait for a person" if waiting else "runs")


def _public_address(house: House, now: datetime) -> Line:
    parts = urlsplit(house.settings.address)
    if house.settings.carrier != "console" and (parts.scheme != "https" or parts.hostname in LOOPBACK):
        cure = "Set EPRO_PUBLIC_URL to the https address that patients and the carrier reach."
        return Line("public address", house.settings.address, cure)
    return Line("public address", house.settings.address)


def _carrier(house: House, now: datetime) -> Line:
    carrier = carrier_of(house)
    if not isinstance(carrier, Twilio):
        return Line("carrier", "texts are written to files; nobody is texted")
    why_not = carrier.why_not_let_in()
    if why_not:
        return Line(
            "carrier", f"Twilio: {why_not}", "Check EPRO_TWILIO_ACCOUNT_SID, EPRO_TWILIO_AUTH_TOKEN and region."
        )
    return Line("carrier", "Twilio lets us in")


def _mail(house: House, now: datetime) -> Line:
    server = mail_of(house)
    if server is not None:
        why_not = server.why_not_let_in()
        cure = "Check EPRO_SMTP_HOST, _PORT, _SECURITY, _USER and _PASSWORD." if why_not else ""
        return Line("mail server", why_not or "lets us in", cure)
    if not house.protocol.schedule.uses_email:
        return Line("mail server", "none, and the trial sends no mail")
    if house.settings.carrier == "console":
        return Line("mail server", "none; mails are written to files beside the texts")
    cure = "Set EPRO_SMTP_HOST and EPRO_SMTP_SENDER, or take mails out of [ladder] in the trial file."
    return Line("mail server", "none, and the trial sends mails", cure)
