"""What does a signature stand under, and does it still stand under what was signed?

The content of a record is what was recorded and answered, in every version, up to two ids that the signature keeps:
both tables are only ever added to, so that the same content gives the same hash for ever. A data cut is the content of
all patients of a site: what happened up to a day, and what had been answered by its end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, Select, select

from epro.store.audit import canonical
from epro.store.models import Answer, Assessment, Form, Patient, PatientEvent, Signature

EVENT = ("id", "subject", "kind", "happened_on", "value", "reported_at", "by", "reason", "corrects")
ANSWER = ("id", "item", "value", "text", "state", "received_at", "by", "mode", "reason")
AT_ONCE = 2000


@dataclass(frozen=True)
class Content:
    """What is to be signed: how many acts made it, up to which ids it goes, and its hash."""

    version: int
    last_answer: int
    last_event: int
    sha256: str


def content(
    connection: Connection,
    *,
    site: str,
    subject: str | None,
    cut_on: date | None,
    zone: str,
    last_answer: int | None = None,
    last_event: int | None = None,
) -> Content:
    """The content of a patient's record, or of a site's data up to a day; by default up to now.

    zone: in which the day of a cut ends.
    """
    digest = hashlib.sha256(canonical([site, subject, cut_on, zone]).encode())
    acts: set[str] = set()
    lasts = []
    for statement, column, last in (
        (_events(site, subject, cut_on), PatientEvent.id, last_event),
        (_answers(site, subject, cut_on, zone), Answer.id, last_answer),
    ):
        bounded = statement if last is None else statement.where(column <= last)
        highest = 0
        for row in connection.execute(bounded.order_by(column), execution_options={"yield_per": AT_ONCE}):
            digest.update(canonical(list(row[1:])).encode() + b"\n")
            acts.add(row[0])
            highest = row[1]
        lasts.append(highest if last is None else last)
    return Content(len(acts), last_answer=lasts[1], last_event=lasts[0], sha256=digest.hexdigest())


def signatures(connection: Connection, *, site: str | None = None, subject: str | None = None) -> list[Row[Any]]:
    """The signatures of a site's cuts, or under a patient's record, the latest first."""
    mine = (Signature.subject == subject) if subject else (Signature.subject.is_(None) & (Signature.site == site))
    return list(connection.execute(select(Signature.__table__).where(mine).order_by(Signature.id.desc())))


def still_fits(connection: Connection, signature: Row[Any]) -> bool:
    """Whether what was signed is still what the signature's hash says: False for one that was copied elsewhere."""
    then = content(connection, **_place(signature), last_answer=signature.last_answer, last_event=signature.last_event)
    return bool((then.sha256, then.version) == (signature.sha256, signature.version))


def changed_since(connection: Connection, signature: Row[Any]) -> bool:
    """Whether something was added to what was signed."""
    return bool(content(connection, **_place(signature)).sha256 != signature.sha256)


def misfits(connection: Connection) -> Iterable[str]:
    """Every signature that does not stand under what was signed, in words."""
    for signature in connection.execute(select(Signature.__table__).order_by(Signature.id)).all():
        if not still_fits(connection, signature):
            what = signature.subject or f"{signature.site} up to {signature.cut_on}"
            yield f"signatures: signature {signature.id} under {what} does not fit: one of them was exchanged"


def _place(signature: Row[Any]) -> dict[str, Any]:
    return {name: getattr(signature, name) for name in ("site", "subject", "cut_on", "zone")}


def _events(site: str, subject: str | None, cut_on: date | None) -> Select[Any]:
    columns = [getattr(PatientEvent, name) for name in EVENT]
    found = select(PatientEvent.entry, *columns).join(Patient, Patient.subject == PatientEvent.subject)
    found = found.where(Patient.site == site) if subject is None else found.where(Patient.subject == subject)
    return found if cut_on is None else found.where(PatientEvent.happened_on <= cut_on)


def _answers(site: str, subject: str | None, cut_on: date | None, zone: str) -> Select[Any]:
    columns = [getattr(Answer, name) for name in ANSWER]
    found = (
        select(Answer.entry, *columns, Form.instrument, Form.version, Assessment.visit, Assessment.subject)
        .join(Form, Form.id == Answer.form)
        .join(Assessment, Assessment.id == Form.assessment)
        .join(Patient, Patient.subject == Assessment.subject)
    )
    found = found.where(Patient.site == site) if subject is None else found.where(Patient.subject == subject)
    if cut_on is None:
        return found
    ends_at = datetime.combine(cut_on + timedelta(days=1), time(0), ZoneInfo(zone))
    return found.where(Answer.received_at < ends_at)
