"""What does a carrier's receipt change: where the text stands, and what is known of its patient?"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

import scheduler
from epro.acts import first_texts, patients, reaching
from epro.protocol import Protocol
from epro.store import facts
from epro.store.audit import CARRIER
from scheduler import arrows, ledger
from scheduler.outcomes import OPTED_OUT, refusal_of
from scheduler.ports import Receipt

MISCARRIED_IN_A_ROW = 2  # texts, after which a phone counts as one that they do not reach


def take(connection: Connection, protocol: Protocol, receipt: Receipt, now: datetime) -> str | None:
    """Record a receipt; returns the message's key, None when it is not ours, or that of a test text.

    One that says STOP is as good as her STOP. An address that is wrong, or to which two texts in a row did not come, is
    used no more. The patient is locked before her texts, as by every act.
    """
    if first_texts.take(connection, protocol, receipt, now):
        return None
    if receipt.status != "undelivered":
        return scheduler.receive(connection, receipt, now)
    subject = ledger.subject_of(connection, receipt)
    if subject is None:
        return None
    facts.lock(connection, subject)
    key = scheduler.receive(connection, receipt, now)
    if key is not None:
        _learn(connection, protocol, subject, key.split("/")[-2], receipt.code, now)
    return key


def _learn(
    connection: Connection, protocol: Protocol, subject: str, channel: str, code: int | None, now: datetime
) -> None:
    known = patients.known_patient(connection, subject)
    if code == OPTED_OUT:
        if not known.opted_out:
            reaching.opt(connection, protocol, subject, out=True, by=CARRIER, now=now)
        return
    in_use = known.contacts.get(channel)
    if in_use is None:
        return
    last = ledger.latest_states(connection, subject, channel, since=in_use.from_at, n=MISCARRIED_IN_A_ROW)
    refused = refusal_of(code) if code is not None else None
    wrong = refused is not None and refused.then == "never" and last[:1] == [arrows.UNDELIVERED]
    if wrong or last == [arrows.UNDELIVERED] * MISCARRIED_IN_A_ROW:
        reaching.lose_reach(connection, protocol, subject, channel, by=CARRIER, now=now)
