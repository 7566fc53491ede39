"""How a patient may be reached, and how she is known: numbers, addresses, permission, STOP, the second step.

As in `patients`: one transaction of the caller and one audit entry each, and the plan made anew inside it.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from epro.acts import identity_step, links
from epro.acts.enrolment import today, wrong_email
from epro.acts.patients import happened, keep_address, known_patient
from epro.acts.replanning import replan
from epro.protocol import Protocol
from epro.refusals import N_, Refusal, Wrong
from epro.store import facts
from epro.store.audit import Actor, Entry, entry
from epro.store.contacts import Cipher, NotAMobile, parse_email, parse_mobile
from epro.store.facts import Facts
from epro.store.models import Contact
from scheduler.changes import Changes
from scheduler.ports import CHANNELS, EMAIL, SMS


def change_number(
    connection: Connection, protocol: Protocol, cipher: Cipher, subject: str, *, phone: str, by: Actor, now: datetime
) -> Changes:
    """Give a patient another number; links sent to the old one are closed. Raises Refusal when it is no mobile."""
    known = known_patient(connection, subject)
    try:
        e164 = parse_mobile(phone, protocol.trial.country)
    except NotAMobile as error:
        raise Refusal([Wrong("phone", error.message, error.values)]) from None
    with entry(connection, chain=known.site, action="number changed", by=by, at=now) as opened:
        return _change_address(connection, protocol, cipher, known, SMS, e164, opened)


def change_email(
    connection: Connection, protocol: Protocol, cipher: Cipher, subject: str, *, email: str, by: Actor, now: datetime
) -> Changes:
    """Give a patient another e-mail address, or none (""). Links sent before are closed. Raises Refusal."""
    known = known_patient(connection, subject)
    wrongs = list(wrong_email(protocol, email)) if email else []
    if wrongs:
        raise Refusal(wrongs)
    with entry(connection, chain=known.site, action="e-mail address changed", by=by, at=now) as opened:
        return _change_address(
            connection, protocol, cipher, known, EMAIL, parse_email(email) if email else None, opened
        )


def _change_address(
    connection: Connection,
    protocol: Protocol,
    cipher: Cipher,
    known: Facts,
    channel: str,
    address: str | None,
    opened: Entry,
) -> Changes:
    """Another address of one channel, or none any more."""
    if channel in known.contacts:
        opened.update(Contact, known.contacts[channel].id, until_at=opened.at)
        links.revoke_all(connection, known.subject, entry=opened, now=opened.at)
    if address is not None:
        keep_address(opened, cipher, known.subject, channel, address)
    return replan(connection, protocol, known.subject, entry=opened, now=opened.at)


def allow_texts(
    connection: Connection, protocol: Protocol, subject: str, *, allowed: bool, by: Actor, now: datetime
) -> Changes:
    """Record that a patient gives, or takes back, the permission to send her texts."""
    known = known_patient(connection, subject)
    kind = facts.TEXTS_ALLOWED if allowed else facts.TEXTS_REFUSED
    with entry(connection, chain=known.site, action=kind.replace("_", " "), by=by, at=now) as opened:
        happened(opened, subject, kind, today(protocol, now))
        return replan(connection, protocol, subject, entry=opened, now=now)


def opt(
    connection: Connection,
    protocol: Protocol,
    subject: str,
    *,
    out: bool,
    by: Actor,
    now: datetime,
    channels: frozenset[str] = CHANNELS,
) -> Changes:
    """Keep what a patient said by STOP or START, or what the carrier says she said to it."""
    known = known_patient(connection, subject)
    kind = facts.OPTED_OUT if out else facts.OPTED_IN
    named = None if channels == CHANNELS else ",".join(sorted(channels))
    with entry(connection, chain=known.site, action=kind.replace("_", " "), by=by, at=now) as opened:
        happened(opened, subject, kind, today(protocol, now), value=named)
        return replan(connection, protocol, subject, entry=opened, now=now)


def lose_reach(
    connection: Connection,
    protocol: Protocol,
    subject: str,
    channel: str,
    *,
    by: Actor,
    now: datetime,
    never_left: str | None = None,
) -> None:
    """Keep that what is sent to the address in use does not arrive; it holds until she has another one.

    never_left: as in `replan`.
    """
    known = known_patient(connection, subject)
    if known.fails(channel) or channel not in known.contacts:
        return
    kind = facts.FAILS[channel]
    with entry(connection, chain=known.site, action=kind.replace("_", " "), by=by, at=now) as opened:
        happened(opened, subject, kind, today(protocol, now))
        replan(connection, protocol, subject, entry=opened, now=now, never_left=never_left)


def ask_later(connection: Connection, protocol: Protocol, subject: str, *, by: Actor, now: datetime) -> Changes:
    """Keep that a patient asks to be reminded once more; it is planned for the day after, where that fits."""
    known = known_patient(connection, subject)
    with entry(connection, chain=known.site, action="asked later", by=by, at=now) as opened:
        happened(opened, subject, facts.ASKED_LATER, now.astimezone(ZoneInfo(known.zone)).date())
        return replan(connection, protocol, subject, entry=opened, now=now)


def deny(connection: Connection, protocol: Protocol, subject: str, *, number: bool, by: Actor, now: datetime) -> None:
    """Somebody who opened a link says that it is not hers: every link is closed and the desk is told.

    number: she says that the patient does not have this number; then nothing more is sent to it.
    """
    known = known_patient(connection, subject)
    kind = facts.WRONG_NUMBER if number else facts.NOT_ME
    with entry(connection, chain=known.site, action=kind.replace("_", " "), by=by, at=now) as opened:
        happened(opened, subject, kind, today(protocol, now))
        links.revoke_all(connection, subject, entry=opened, now=now)
        if number and SMS in known.contacts:
            opened.update(Contact, known.contacts[SMS].id, until_at=now)
        replan(connection, protocol, subject, entry=opened, now=now)


def agree_on_second_step(
    connection: Connection, protocol: Protocol, cipher: Cipher, subject: str, *, shown: str, by: Actor, now: datetime
) -> None:
    """Give a patient another second step. Raises Refusal when it cannot be one, or the trial asks for none."""
    kind, known = protocol.trial.identity_step, known_patient(connection, subject)
    wrongs = list(identity_step.wrongs(kind, shown, now))
    if kind == identity_step.NONE:
        wrongs.append(Wrong("second_step", N_("This trial asks for nothing besides the link.")))
    if wrongs:
        raise Refusal(wrongs)
    with entry(connection, chain=known.site, action="second step changed", by=by, at=now) as opened:
        identity_step.keep(opened, cipher, subject, kind, shown)
