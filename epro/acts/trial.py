"""Take the trial file into the database: its first version, or a changed one that every patient is planned anew by."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, select

from epro.acts.enrolment import today
from epro.acts.replanning import replan
from epro.protocol import Protocol
from epro.store.audit import TRIAL_CHAIN, Actor, entry
from epro.store.models import Form, Patient, TrialVersion
from questionnaires.packs import Key, refuse_change_after_use


def adopt(connection: Connection, protocol: Protocol, *, by: Actor, now: datetime, simulated: bool = False) -> int:
    """Note the file as a version unless it is the one in force. Returns the version's number."""
    last = connection.execute(
        select(TrialVersion.n, TrialVersion.sha256).order_by(TrialVersion.n.desc()).limit(1)
    ).one_or_none()
    if last and last.sha256 == protocol.sha256:
        return int(last.n)
    n = last.n + 1 if last else 1
    with entry(connection, chain=TRIAL_CHAIN, action="trial file adopted", by=by, at=now) as opened:
        opened.insert(
            TrialVersion,
            n=n,
            sha256=protocol.sha256,
            text=protocol.document.text,
            from_on=today(protocol, now),
            rule="amendment" if last else "consent",
            simulated=simulated,
        )
        for subject in connection.execute(select(Patient.subject).order_by(Patient.subject)).scalars().all():
            replan(connection, protocol, subject, entry=opened, now=now)
    return n


def refuse_changed_words(connection: Connection, protocol: Protocol) -> None:
    """Words that forms were answered in do not change. Raises PackIsLocked, which says what to do."""
    forms = select(
        Form.instrument, Form.version, Form.language, Form.wording_pack, Form.wording_edition, Form.wording_sha256
    ).distinct()
    answered: dict[Key, str] = {tuple(row[:-1]): row[-1] for row in connection.execute(forms)}  # type: ignore[misc]
    for wording in protocol.wordings.values():
        refuse_change_after_use(wording, answered)


def holds_a_real_trial(connection: Connection) -> bool:
    """Whether patients in this database may be people: any version that was not simulated."""
    real = select(func.count()).select_from(TrialVersion).where(TrialVersion.simulated.is_(False))
    return connection.execute(real).scalar_one() > 0
