"""Which data are locked, so that nothing of them changes any more?

A site's data up to a day (the cut) are locked under a signature, and opened again under another. Held where every act
writes: what happened on or before the day, and the answers of visits that were due by then. What a patient says about
texts, and her number, are no trial data and always kept.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, func, select, text

from epro.refusals import N_, Refusal, Wrong
from epro.store.models import AdverseEvent, Answer, Assessment, Base, CovariateValue, DataLock, Form, PatientEvent

if TYPE_CHECKING:
    from epro.store.audit import Entry

NO_TRIAL_DATA = frozenset(
    {
        "texts_allowed",
        "texts_refused",
        "opted_out",
        "opted_in",
        "asked_later",
        "paused",
        "pause_ended",
        "not_me",
        "wrong_number",
        "called",
        "sent_again",
        "alert_raised",
        "alert_acknowledged",
        "alert_escalated",
    }
)
WHAT_SHE_DID = frozenset({"started_at", "completed_at", "received_at", "reason"})  # columns that planning leaves alone
LOCKED = N_("The data of this site are locked up to %(day)s. Nothing was saved. An investigator can unlock them.")
WAIT = "SELECT pg_advisory_xact_lock{}(hashtext('epro data lock ' || :site))"


class LockedData(Refusal):
    """The data that an act would change are locked."""

    def __init__(self, cut_on: date, tried: Entry) -> None:
        super().__init__([Wrong("", LOCKED, {"day": cut_on})])
        self.tried = tried


LAST = (
    select(DataLock.cut_on, DataLock.locked)
    .where(DataLock.site == bindparam("of"))
    .order_by(DataLock.id.desc())
    .limit(1)
)


def locked_on(connection: Connection, site: str) -> date | None:
    """The day up to which a site's data are locked; None = they are open."""
    row = connection.execute(LAST, {"of": site}).one_or_none()
    return row.cut_on if row and row.locked else None


def wait_for_writers(connection: Connection, site: str, *, alone: bool) -> None:
    """Let no act of a site be half done while its data are locked. SQLite has one writer at a time anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(WAIT.format("" if alone else "_shared")), {"site": site})


def refuse_to_add(entry: Entry, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Raises LockedData when one of these new rows belongs to locked data."""
    if model is PatientEvent:
        days = [row["happened_on"] for row in rows if row["kind"] not in NO_TRIAL_DATA]
        if days and (cut_on := _cut(entry)) and min(days) <= cut_on:
            raise LockedData(cut_on, entry)
    elif model is AdverseEvent:
        if (cut_on := _cut(entry)) and min(row["started_on"] for row in rows) <= cut_on:
            raise LockedData(cut_on, entry)
    elif model is CovariateValue:
        _refuse_baselines(entry, {row["subject"] for row in rows})
    elif model is Answer:
        _refuse_forms(entry, {row["form"] for row in rows})
    elif model is Form:
        _refuse_assessments(entry, {row["assessment"] for row in rows})


def refuse_to_change(entry: Entry, model: type[Base], key: Any, changed: Collection[str]) -> None:
    """Raises LockedData when this change is one of locked data."""
    if model is Form:
        _refuse_forms(entry, {key})
    elif model is Assessment and WHAT_SHE_DID & set(changed):
        _refuse_assessments(entry, {key})


def _refuse_baselines(entry: Entry, subjects: set[str]) -> None:
    """What a patient was at baseline is locked with the day of her consent."""
    if cut_on := _cut(entry):
        consented = (PatientEvent.kind == "consent", PatientEvent.subject.in_(subjects))
        first = entry.connection.execute(select(func.min(PatientEvent.happened_on)).where(*consented)).scalar()
        if first is not None and first <= cut_on:
            raise LockedData(cut_on, entry)


def _refuse_forms(entry: Entry, forms: set[int]) -> None:
    if _cut(entry):
        of_forms = select(Form.assessment).where(Form.id.in_(forms))
        _refuse_assessments(entry, set(entry.connection.execute(of_forms).scalars()))


def _refuse_assessments(entry: Entry, assessments: set[int]) -> None:
    if cut_on := _cut(entry):
        first = select(func.min(Assessment.due_on)).where(Assessment.id.in_(assessments))
        due_on = entry.connection.execute(first).scalar()
        if due_on is not None and due_on <= cut_on:
            raise LockedData(cut_on, entry)


def _cut(entry: Entry) -> date | None:
    wait_for_writers(entry.connection, entry.chain, alone=False)
    return locked_on(entry.connection, entry.chain)
