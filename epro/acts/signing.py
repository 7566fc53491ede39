"""An investigator puts her name under a patient's record or a site's data; a site's data are locked and opened again.

The caller has just asked for both components of her login anew and says so by handing over the `Signer`. A lock and its
opening each stand on a signature of their own.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime

from sqlalchemy import Connection, select

from epro.acts.enrolment import today
from epro.protocol import Protocol
from epro.refusals import N_, NoSuchPatient, Refusal, Wrong
from epro.store.audit import Actor, Entry, entry
from epro.store.locks import locked_on, wait_for_writers
from epro.store.models import DataLock, Patient, Signature
from epro.store.signed import Place, content

MEANINGS = {
    "reviewed": N_("I have reviewed these data"),
    "confirmed": N_("These data are complete and correct to the best of my knowledge"),
}
LOCK, UNLOCK = N_("locks the data"), N_("unlocks the data")
LONGEST_REASON = 200


@dataclass(frozen=True)
class Signer:
    """Who signs, having just shown who she is."""

    name: str
    by: Actor


def sign_record(
    connection: Connection, protocol: Protocol, subject: str, *, meaning: str, signer: Signer, now: datetime
) -> None:
    """Sign one patient's record as it stands. Raises Refusal, NoSuchPatient."""
    site = connection.execute(select(Patient.site).where(Patient.subject == subject)).scalar()
    if site is None:
        raise NoSuchPatient(subject)
    said = _said(meaning)
    with entry(connection, chain=site, action="record signed", by=signer.by, at=now, subject=subject) as made:
        _sign(made, protocol, site, subject, None, said, signer)


def sign_cut(
    connection: Connection, protocol: Protocol, site: str, *, cut_on: date, meaning: str, signer: Signer, now: datetime
) -> None:
    """Sign a site's data up to a day. Raises Refusal."""
    _refuse_future(protocol, cut_on, now)
    said = _said(meaning)
    with entry(connection, chain=site, action="data cut signed", by=signer.by, at=now) as made:
        _sign(made, protocol, site, None, cut_on, said, signer)


def lock(connection: Connection, protocol: Protocol, site: str, *, cut_on: date, signer: Signer, now: datetime) -> None:
    """Sign a site's data up to a day and lock them. Raises Refusal when they are locked as far already."""
    _refuse_future(protocol, cut_on, now)
    wait_for_writers(connection, site, alone=True)
    known = locked_on(connection, site)
    if known is not None and known >= cut_on:
        raise Refusal([Wrong("cut_on", N_("The data are locked up to %(day)s already."), {"day": known})])
    with entry(connection, chain=site, action="data locked", by=signer.by, at=now) as made:
        _under_a_signature(made, protocol, site, cut_on, LOCK, signer, locked=True)


def unlock(
    connection: Connection, protocol: Protocol, site: str, *, reason: str, signer: Signer, now: datetime
) -> None:
    """Open a site's data again, under a signature and for a reason. Raises Refusal."""
    wait_for_writers(connection, site, alone=True)
    known = locked_on(connection, site)
    if known is None:
        raise Refusal([Wrong("", N_("The data of this site are not locked."))])
    if not reason.strip():
        raise Refusal([Wrong("reason", N_("Say why the data are opened."))])
    with entry(connection, chain=site, action="data unlocked", by=signer.by, at=now, reason=reason.strip()) as made:
        _under_a_signature(made, protocol, site, known, UNLOCK, signer, locked=False)


def _under_a_signature(
    made: Entry, protocol: Protocol, site: str, cut_on: date, meaning: str, signer: Signer, *, locked: bool
) -> None:
    signature = _sign(made, protocol, site, None, cut_on, meaning, signer)
    made.insert(DataLock, site=site, cut_on=cut_on, locked=locked, signature=signature, at=made.at)


def _sign(
    made: Entry, protocol: Protocol, site: str, subject: str | None, cut_on: date | None, meaning: str, signer: Signer
) -> int:
    place = Place(site, subject, cut_on, protocol.trial.zone)
    signed = content(made.connection, place)
    signature: int = made.insert(
        Signature,
        **asdict(place),
        **asdict(signed.lasts),
        meaning=meaning,
        name=signer.name,
        email=signer.by.name,
        role=signer.by.role,
        signed_at=made.at,
        version=signed.version,
        sha256=signed.sha256,
    )
    return signature


def _said(meaning: str) -> str:
    if meaning not in MEANINGS:
        raise Refusal([Wrong("meaning", N_("Choose what the signature means."))])
    return MEANINGS[meaning]


def _refuse_future(protocol: Protocol, cut_on: date, now: datetime) -> None:
    if cut_on > today(protocol, now):
        raise Refusal([Wrong("cut_on", N_("%(day)s lies in the future. Check the year."), {"day": cut_on})])
