"""Who wrote to us, or asked to be called, and has not been spoken to since?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, exists, or_, select

from epro.store.contacts import Cipher
from epro.store.facts import SEEN_ALIVE
from epro.store.models import ERASED, Contact, Patient, PatientEvent, Reply
from scheduler.replies import Understood

LATELY = timedelta(days=14)
FOR_A_PERSON = (Understood.CALL.value, Understood.OTHER.value)


@dataclass(frozen=True)
class Written:
    """A reply that waits for a person. Its repr does not show the words.

    shared: patients share the phone it came from, and each has a line of her own.
    """

    subject: str
    site: str
    at: datetime
    asks_for_a_call: bool
    shared: bool
    body: str = field(repr=False)


def written(
    connection: Connection, cipher: Cipher, now: datetime, *, sites: Collection[str] | None = None
) -> list[Written]:
    """The replies of these sites (None = all) in the last two weeks, the oldest first, in one statement.

    One falls away when staff note that they have seen or spoken to the patient after it came.
    """
    spoken_to = exists().where(
        PatientEvent.subject == Patient.subject,
        PatientEvent.kind == SEEN_ALIVE,
        PatientEvent.reported_at > Reply.received_at,
    )
    here = [Reply.body != ERASED] + ([] if sites is None else [Patient.site.in_(sites)])
    phone_of = exists().where(
        Contact.subject == Patient.subject,
        Contact.address_hash == Reply.address_hash,
        Contact.from_at <= Reply.received_at,
        or_(Contact.until_at.is_(None), Contact.until_at > Reply.received_at),
    )
    columns = (Patient.subject, Patient.site, Reply.id, Reply.received_at, Reply.understood_as, Reply.body)
    rows = connection.execute(
        select(*columns)
        .join(Patient, or_(Patient.subject == Reply.subject, phone_of))
        .where(Reply.understood_as.in_(FOR_A_PERSON), Reply.received_at > now - LATELY, ~spoken_to, *here)
        .order_by(Reply.received_at, Reply.id, Patient.subject)
    ).all()
    lines = Counter(row.id for row in rows)
    return [
        Written(
            subject=row.subject,
            site=row.site,
            at=row.received_at,
            asks_for_a_call=row.understood_as == Understood.CALL.value,
            shared=lines[row.id] > 1,
            body=cipher.decrypt(row.body),
        )
        for row in rows
    ]
