"""Take the trial file into the database, and refuse to work with another than the one in force."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, select

from epro.acts.enrolment import today
from epro.protocol import Protocol
from epro.store.audit import TRIAL_CHAIN, Actor, entry
from epro.store.models import Form, TrialVersion
from epro.versions import BY_CONSENT
from questionnaires.packs import Key, refuse_change_after_use


class NotAmended(ValueError):
    """The trial file is not the one that the database has in force."""


def adopt(connection: Connection, protocol: Protocol, *, by: Actor, now: datetime, simulated: bool = False) -> int:
    """Note the file as the first version. Returns the number of the version in force.

    Raises NotAmended when another file is in force: `epro.acts.amendments` changes it, for patients to see.
    """
    in_force = refuse_another_file(connection, protocol)
    if in_force:
        return in_force
    with entry(connection, chain=TRIAL_CHAIN, action="trial file adopted", by=by, at=now) as opened:
        opened.insert(
            TrialVersion,
            n=1,
            sha256=protocol.sha256,
            text=protocol.document.text,
            from_on=today(protocol, now),
            rule=BY_CONSENT,
            simulated=simulated,
        )
    return 1


def refuse_another_file(connection: Connection, protocol: Protocol) -> int:
    """The number of the version in force, which this file is; 0 where there is none yet. Raises NotAmended."""
    rows = connection.execute(select(TrialVersion.n, TrialVersion.sha256).order_by(TrialVersion.n)).all()
    if not rows:
        return 0
    known = [row.n for row in rows if row.sha256 == protocol.sha256]
    if known and known[-1] == rows[-1].n:
        return int(known[-1])
    name, n = protocol.document.path.name, rows[-1].n
    if known:
        raise NotAmended(
            f"{name} is version {known[-1]} of the trial; version {n} is in force since it was amended.\n"
            "Let EPRO_TRIAL name the amended file."
        )
    raise NotAmended(
        f"{name} differs from version {n} of the trial, which is in force.\n"
        f"`epro amend {name}` shows what it would change for each patient, and then changes it."
    )


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
