"""Open an installation: read its settings and its trial, reach its database, hold its keys and its clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, text

from epro import site_copy
from epro.acts import receipts
from epro.acts.letters import Letters
from epro.acts.nightly import anchor
from epro.acts.replanning import differing
from epro.house import House
from epro.protocol import protocol_of, read_protocol, what_live_lacks
from epro.settings import Settings
from epro.store import anchors
from epro.store.contacts import Cipher
from epro.store.database import open_engine, reading
from epro.store.ends import bad_ends
from epro.versions import text_of, versions_of
from questionnaires.located import parse
from scheduler.aftercare import note_balance, poll, redact
from scheduler.carriers.by_channel import ByChannel
from scheduler.carriers.console import Console
from scheduler.carriers.email import Email
from scheduler.carriers.twilio import Twilio
from scheduler.chores import DAILY, HOURLY, MINUTELY, NIGHT, Chore
from scheduler.pacing import Pace
from scheduler.ports import EMAIL, SMS, Carrier, Receipt

OUTBOX = "outbox"
HANDS = 8


class NotReadyForLive(Exception):
    """The trial file says `live = true`, and this is what is still missing."""

    @classmethod
    def naming(cls, file: str, lacks: Iterable[str]) -> NotReadyForLive:
        things = "\n".join(f"  - {thing}" for thing in lacks)
        cure = "Set live = false to try the trial without real patients."
        return cls(f"{file}: live = true is refused for now. Still missing:\n{things}\n{cure}")


class TrailDoesNotHold(Exception):
    """The audit trail was changed, or a part of it is gone."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = faults
        named = "\n".join(f"  - {fault}" for fault in faults)
        super().__init__(
            f"The audit trail does not hold, so nothing is served and nothing is sent:\n{named}\n"
            "`epro verify` names all of it. Restore a backup into an empty database (`epro restore`); or, once who "
            "answers for the trial has looked into it: `epro verify --go-on NAME --reason WHY`. The trail keeps that."
        )


def open_house(settings: Settings, *, durable: bool = True) -> House:
    """Raises Refused (trial file), NotReadyForLive."""
    protocol = read_protocol(settings.trial, on=system_clock().date())
    lacks = what_live_lacks(protocol)
    if lacks:
        raise NotReadyForLive.naming(settings.trial.name, lacks)
    settings.home.mkdir(parents=True, exist_ok=True)
    engine = open_engine(settings.database, durable=durable)
    return House(settings, protocol, engine, cipher_of(settings), system_clock)


def in_force(house: House) -> House:
    """The same house on the trial as the database has it in force, with every earlier version known.

    Raises NoTrial, and Refused where the amended file needs words or questionnaires that do not stand beside this one.
    """
    with reading(house.engine) as connection:
        versions = versions_of(connection)
        protocol = house.protocol
        if versions[-1].sha256 != protocol.sha256:
            protocol = protocol_of(parse(text_of(connection, versions[-1].n), protocol.document.path))
    return replace(house, protocol=replace(protocol, versions=versions))


def cipher_of(settings: Settings) -> Cipher:
    return Cipher([key.get_secret_value() for key in settings.contact_keys])


def letters_of(house: House) -> Letters:
    """The writer of texts."""
    return Letters(house.engine, house.protocol, house.cipher, house.settings.address)


def carrier_of(house: House) -> Carrier:
    """The carrier of texts that the settings name: files in EPRO_HOME/outbox, or Twilio."""
    settings = house.settings
    if settings.carrier == "console":
        return Console(settings.home / OUTBOX, house.clock)
    return Twilio(
        settings.twilio_account_sid,
        settings.twilio_auth_token.get_secret_value(),
        sender=settings.twilio_sender or None,
        messaging_service_sid=settings.twilio_messaging_service_sid or None,
        status_callback=f"{settings.address}/webhooks/twilio/receipt",
        region=settings.twilio_region or None,
        edge=settings.twilio_edge or None,
        base_url=settings.twilio_base_url or None,
        clock=house.clock,
    )


def mail_of(house: House) -> Email | None:
    """The mail server that the settings name, if they name one."""
    settings = house.settings
    if not settings.smtp_host:
        return None
    return Email(
        settings.smtp_host,
        settings.smtp_port,
        sender=settings.smtp_sender,
        security=settings.smtp_security,
        user=settings.smtp_user,
        password=settings.smtp_password.get_secret_value(),
        clock=house.clock,
    )


def mails_of(house: House) -> Carrier | None:
    """What takes mails: the mail server, or files beside the texts where those are files."""
    on_files = house.settings.carrier == "console"
    return mail_of(house) or (Console(house.settings.home / OUTBOX, house.clock) if on_files else None)


def every_carrier_of(house: House, texts: Carrier) -> ByChannel:
    """Texts by the carrier of texts, mails by what takes mails."""
    mails = mails_of(house)
    return ByChannel({SMS: texts, **({EMAIL: mails} if mails else {})})


def pace_of(house: House) -> Pace | None:
    """How fast texts may leave; files in a folder need no pace."""
    return None if house.settings.carrier == "console" else Pace(house.settings.texts_per_second)


def hands_of(house: House) -> int:
    """How many texts are handed over at once, lest a slow carrier slow the pace; on SQLite one at a time."""
    return HANDS if house.engine.dialect.name == "postgresql" else 1


def chores_of(house: House, carrier: Carrier) -> list[Chore]:
    """What the clock does beside sending: nightly every plan is checked, hourly texts that left are looked after."""
    from epro import staff_mail  # with the catalogues of the pages, which nobody else here needs

    chores = [
        Chore("nightly check", DAILY, lambda now: check_plans(house, now), shift=NIGHT),
        Chore("trail", DAILY, lambda now: check_trail(house), shift=NIGHT),
        Chore("anchors", DAILY, lambda now: write_anchors(house, now), shift=NIGHT),
    ]
    if house.protocol.sections.alerts is not None:
        chores.append(Chore("alerts", MINUTELY, lambda now: staff_mail.look_for_alerts(house, mails_of(house), now)))
    if mails_of(house) is not None:
        chores.append(
            Chore("mails to staff", MINUTELY, lambda now: staff_mail.in_the_morning(house, mails_of(house), now))
        )
    if house.settings.site_copy is not None:
        chores.append(Chore("sites' copy", MINUTELY, lambda now: site_copy.in_words(house, now)))
    if isinstance(carrier, Twilio):

        def take(connection: Connection, receipt: Receipt, now: datetime) -> str | None:
            return receipts.take(connection, house.protocol, receipt, now)

        chores.append(Chore("receipts", HOURLY, lambda now: _silently(poll(house.engine, now, carrier, take))))
        chores.append(Chore("balance", HOURLY, lambda now: note_balance(house.engine, now, carrier)))
        if house.settings.twilio_redact:
            chores.append(Chore("redaction", HOURLY, lambda now: _silently(redact(house.engine, now, carrier))))
    return chores


def check_plans(house: House, now: datetime) -> str | None:
    """Plan everything anew: whose plan differs from what is written? None when nobody's does."""
    with reading(house.engine) as connection:
        differ = differing(connection, house.protocol, now)
    return f"the nightly check found {len(differ)} patients whose plan differs from what is written" if differ else None


def check_trail(house: House) -> str | None:
    """Does every chain of the trail end as its hashes and anchors say? None when it does."""
    try:
        refuse_a_broken_trail(house)
    except TrailDoesNotHold as broken:
        return f"the audit trail does not hold: {broken.faults[0]}"
    return None


def refuse_a_broken_trail(house: House) -> None:
    """Raises TrailDoesNotHold."""
    try:
        with reading(house.engine) as connection:
            faults = bad_ends(connection, anchors.read(house.settings.anchors_folder))
    except anchors.NotAnAnchor as error:
        faults = [str(error)]
    if faults:
        raise TrailDoesNotHold(faults)


def write_anchors(house: House, now: datetime) -> str | None:
    """Anchor the trail outside the database. What a person must know when that cannot be done."""
    try:
        anchor(house.engine, house.settings.anchors_folder, now)
    except OSError as error:
        return f"the trail's anchors cannot be written: {error.strerror}; see EPRO_ANCHORS"
    return None


def _silently(_count: int) -> None:
    """Nothing that a person must know."""


def system_clock() -> datetime:
    """The machine's clock: the one place that asks it."""
    return datetime.now(UTC)


def sending_clock(engine: Engine) -> Callable[[], datetime]:
    """The clock that says what is due: on PostgreSQL the database's, so that machines agree."""
    if engine.dialect.name != "postgresql":
        return system_clock

    def database_clock() -> datetime:
        with engine.connect() as connection:
            at: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        return at.astimezone(UTC)

    return database_clock
