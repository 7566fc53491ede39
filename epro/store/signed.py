"""What does a signature stand under, and does it still stand under what was signed?

The content of a record is what was recorded and answered, and what the case report form says of covariates and adverse
events, in every version, up to an id in each table that the signature keeps: the tables are only ever added to, so that
the same content gives the same hash for ever. A data cut is the content of all patients of a site: what happened up to
a day, the adverse events that had begun by then, the covariates of those who had consented by then, and what had been
answered by its end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Row, Select, select
from sqlalchemy.orm import InstrumentedAttribute

from epro.store.audit import canonical
from epro.store.facts import CONSENT
from epro.store.models import (
    AdverseEvent,
    Answer,
    Assessment,
    CovariateValue,
    Form,
    Patient,
    PatientEvent,
    Signature,
)

EVENT = ("id", "subject", "kind", "happened_on", "value", "reported_at", "by", "reason", "corrects")
ANSWER = ("id", "item", "value", "text", "state", "received_at", "by", "mode", "reason")
COVARIATE = ("id", "subject", "name", "value")
ADVERSE_EVENT = ("id", "subject", "term", "grade", "serious", "started_on", "ended_on", "taken_back")
AT_ONCE = 2000


@dataclass(frozen=True)
class Lasts:
    """Up to which id of each table a content goes."""

    last_event: int
    last_answer: int
    last_covariate: int
    last_adverse_event: int


@dataclass(frozen=True)
class Content:
    """What is to be signed: how many acts made it, up to which ids it goes, and its hash."""

    version: int
    lasts: Lasts
    sha256: str


@dataclass(frozen=True)
class Place:
    """Whose content: one patient's, or with subject None a site's up to a day. zone: in which that day ends."""

    site: str
    subject: str | None
    cut_on: date | None
    zone: str


def content(connection: Connection, of: Place, up_to: Lasts | None = None) -> Content:
    """The content of a patient's record, or of a site's data up to a day; by default up to now."""
    digest = hashlib.sha256(canonical([of.site, of.subject, of.cut_on, of.zone]).encode())
    acts: set[str] = set()

    def last_of(statement: Select[Any], column: InstrumentedAttribute[int], last: int | None) -> int:
        digest.update(f"{column.class_.__tablename__}\n".encode())
        bounded, highest = statement if last is None else statement.where(column <= last), 0
        for row in connection.execute(bounded.order_by(column), execution_options={"yield_per": AT_ONCE}):
            digest.update(canonical(list(row[1:])).encode() + b"\n")
            acts.add(row[0])
            highest = row[1]
        return highest if last is None else last

    then = asdict(up_to) if up_to else dict.fromkeys(Lasts.__dataclass_fields__)
    event = last_of(_events(of), PatientEvent.id, then["last_event"])
    lasts = Lasts(
        event,
        last_of(_answers(of), Answer.id, then["last_answer"]),
        last_of(_covariates(of, event), CovariateValue.id, then["last_covariate"]),
        last_of(_adverse_events(of), AdverseEvent.id, then["last_adverse_event"]),
    )
    return Content(len(acts), lasts, digest.hexdigest())


def signatures(connection: Connection, *, site: str | None = None, subject: str | None = None) -> list[Row[Any]]:
    """The signatures of a site's cuts, or under a patient's record, the latest first."""
    mine = (Signature.subject == subject) if subject else (Signature.subject.is_(None) & (Signature.site == site))
    return list(connection.execute(select(Signature.__table__).where(mine).order_by(Signature.id.desc())))


def still_fits(connection: Connection, signature: Row[Any]) -> bool:
    """Whether what was signed is still what the signature's hash says: False for one that was copied elsewhere."""
    lasts = Lasts(*(getattr(signature, name) for name in Lasts.__dataclass_fields__))
    then = content(connection, _place(signature), lasts)
    return bool((then.sha256, then.version) == (signature.sha256, signature.version))


def changed_since(connection: Connection, signature: Row[Any]) -> bool:
    """Whether something was added to what was signed."""
    return bool(content(connection, _place(signature)).sha256 != signature.sha256)


def misfits(connection: Connection) -> Iterable[str]:
    """Every signature that does not stand under what was signed, in words."""
    for signature in connection.execute(select(Signature.__table__).order_by(Signature.id)).all():
        if not still_fits(connection, signature):
            what = signature.subject or f"{signature.site} up to {signature.cut_on}"
            yield f"signatures: signature {signature.id} under {what} does not fit: one of them was exchanged"


def _place(signature: Row[Any]) -> Place:
    return Place(signature.site, signature.subject, signature.cut_on, signature.zone)


def _events(of: Place) -> Select[Any]:
    found = _of_patients(PatientEvent, EVENT, of)
    return found if of.cut_on is None else found.where(PatientEvent.happened_on <= of.cut_on)


def _covariates(of: Place, last_event: int) -> Select[Any]:
    """last_event: up to which event it is known who had consented by the day of the cut."""
    found = _of_patients(CovariateValue, COVARIATE, of)
    if of.cut_on is None:
        return found
    by_then = (PatientEvent.happened_on <= of.cut_on, PatientEvent.id <= last_event)
    consented = select(PatientEvent.subject).where(PatientEvent.kind == CONSENT, *by_then)
    return found.where(CovariateValue.subject.in_(consented))


def _adverse_events(of: Place) -> Select[Any]:
    found = _of_patients(AdverseEvent, ADVERSE_EVENT, of)
    return found if of.cut_on is None else found.where(AdverseEvent.started_on <= of.cut_on)


def _of_patients(
    model: type[PatientEvent | CovariateValue | AdverseEvent], names: Sequence[str], of: Place
) -> Select[Any]:
    columns = [getattr(model, name) for name in names]
    found = select(model.entry, *columns).join(Patient, Patient.subject == model.subject)
    return found.where(_is_here(of))


def _answers(of: Place) -> Select[Any]:
    columns = [getattr(Answer, name) for name in ANSWER]
    found = (
        select(Answer.entry, *columns, Form.instrument, Form.version, Assessment.visit, Assessment.subject)
        .join(Form, Form.id == Answer.form)
        .join(Assessment, Assessment.id == Form.assessment)
        .join(Patient, Patient.subject == Assessment.subject)
        .where(_is_here(of))
    )
    if of.cut_on is None:
        return found
    ends_at = datetime.combine(of.cut_on + timedelta(days=1), time(0), ZoneInfo(of.zone))
    return found.where(Answer.received_at < ends_at)


def _is_here(of: Place) -> ColumnElement[bool]:
    return Patient.site == of.site if of.subject is None else Patient.subject == of.subject
