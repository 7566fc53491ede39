"""Which rows does the ledger keep?

`message` is the shadow of a plan and where each text stands; `attempt` is one hand-over to a carrier; `message_event`
is what happened, append only; `heartbeat` says that a clock is alive, `balance` what a carrier last
said is left. `scheduler.arrows` alone writes `message.state`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Time,
    UniqueConstraint,
)

from scheduler.instants import Instant

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself for INTEGER alone

NOT_UNDER_WAY = ("refused", "unknown", "given_up", "undelivered", "not_sendable", "withheld")  # a person looks

message = Table(
    "message",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", String(200), nullable=False, unique=True),  # subject/visit/step/channel/copy
    Column("subject", String(40), nullable=False),
    Column("visit", String(40), nullable=False),
    Column("step", String(40), nullable=False),
    Column("position", Integer, nullable=False),  # of the step in its ladder
    Column("channel", String(10), nullable=False),
    Column("schedule_version", Integer, nullable=False),
    Column("send_at", Instant),  # empty where the rules leave no moment
    Column("send_on", Date, nullable=False),
    Column("send_time", Time, nullable=False),
    Column("zone", String(60), nullable=False),
    Column("quiet_from", Time),
    Column("quiet_until", Time),
    Column("closes_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),  # the first instant at which it is too late
    Column("state", String(16), nullable=False),
    Column("next_try_at", Instant),  # when a planned text is looked at next
    Column("attempts", Integer, nullable=False, default=0),
    Column("latest_attempt", Id),
    Column("lease_owner", String(80)),
    Column("lease_until", Instant),  # set while the outcome of the latest attempt is open
    Column("left_at", Instant),  # when the attempt that counts was claimed
    Column("left_on", Date),  # its local day
    UniqueConstraint("subject", "left_on"),  # never two texts a day, whoever claims them; finds a patient's texts too
)
Index(
    "ix_message_due",
    message.c.next_try_at,
    postgresql_where=message.c.state == "planned",
    sqlite_where=message.c.state == "planned",
)
Index(
    "ix_message_open_lease",
    message.c.lease_until,
    postgresql_where=message.c.lease_until.is_not(None),
    sqlite_where=message.c.lease_until.is_not(None),
)
Index(
    "ix_message_awaiting_receipt",
    message.c.left_at,
    postgresql_where=message.c.state == "accepted",
    sqlite_where=message.c.state == "accepted",
)

Index(
    "ix_message_stuck",
    message.c.state,
    postgresql_where=message.c.state.in_(NOT_UNDER_WAY),
    sqlite_where=message.c.state.in_(NOT_UNDER_WAY),
)

attempt = Table(
    "attempt",
    metadata,
    Column("id", Id, primary_key=True),
    Column("message", Id, ForeignKey("message.id"), nullable=False),
    Column("n", Integer, nullable=False),
    Column("token", String(43), nullable=False, unique=True),
    Column("carrier_ref", String(64), index=True),
    Column("claimed_at", Instant, nullable=False),
    Column("outcome", String(16)),  # empty until settled; moves forward only
    Column("code", Integer),  # the carrier's
    Column("not_found_at", Instant),  # when the carrier first did not know of it
    Column("redacted_at", Instant),  # when the carrier forgot its words
    UniqueConstraint("message", "n"),
)

message_event = Table(
    "message_event",
    metadata,
    Column("id", Id, primary_key=True),
    Column("message", Id, ForeignKey("message.id"), nullable=False, index=True),
    Column("attempt", Id, ForeignKey("attempt.id")),
    Column("at", Instant, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("code", Integer),
    Column("detail", String(200)),  # our own words or named fields; never a number, an address or a body
)

balance = Table(
    "balance",
    metadata,
    Column("channel", String(10), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("amount", String(20), nullable=False),
    Column("currency", String(3), nullable=False),
)

heartbeat = Table(
    "heartbeat",
    metadata,
    Column("process", String(80), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("last_error", String(200)),
)
