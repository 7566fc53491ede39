"""The database came back from a backup: nothing is sent until the carrier, or a person, has said what left since then.

`restored` marks it. `settle` asks the carrier, obeys what patients have written since (a STOP that the backup does not
hold), and records what left; when every text has found its place, sending is on again. Where the carrier cannot tell,
or names a text that has no place, a person looks and calls `release`: what was due in between is then never sent by
itself, and stands on the desk as a call to make.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from epro.acts.replanning import replan_all
from epro.acts.replies import Incoming, keep
from epro.protocol import Protocol
from epro.refusals import N_, Refusal, Wrong
from epro.store.audit import TRIAL_CHAIN, Actor, Entry, entry
from epro.store.contacts import Cipher
from epro.store.models import Contact, Link, Restored
from scheduler import restoring
from scheduler.ports import CHANNELS, EMAIL, CannotTell, Listed, Received


class SendingIsOff(RuntimeError):
    """The database was restored, and nobody has said yet what left since the backup."""


@dataclass(frozen=True)
class Settled:
    """What was asked and found, in texts. unplaced: the carrier's references of those that are no text of ours."""

    known: int
    recorded: tuple[str, ...]  # keys
    unplaced: tuple[str, ...]
    could_tell: bool = True

    @property
    def all_placed(self) -> bool:
        return self.could_tell and not self.unplaced


def restored(connection: Connection, backup_at: datetime, *, by: Actor, now: datetime) -> None:
    """Mark a database that holds the state of `backup_at`: from now on nothing is sent from it."""
    with entry(connection, chain=TRIAL_CHAIN, action="database restored", by=by, at=now) as opened:
        opened.insert(Restored, backup_at=backup_at, restored_at=now, released_at=None)


def refuse_sending(connection: Connection) -> None:
    """Raises SendingIsOff while a restore is not settled."""
    row = unsettled(connection)
    if row is not None:
        raise SendingIsOff(
            f"This database was restored from a backup of {row.backup_at:%Y-%m-%d %H:%M} UTC. Nothing is sent before "
            "the carrier was asked what left since then: `epro clock --after-restore`."
        )


def unsettled(connection: Connection) -> Row[Any] | None:
    """The restore that is not settled; the earliest backup of them when there are more."""
    statement = select(Restored.__table__).where(Restored.released_at.is_(None)).order_by(Restored.backup_at)
    return connection.execute(statement.limit(1)).one_or_none()


def settle(
    connection: Connection,
    protocol: Protocol,
    cipher: Cipher,
    listed: Sequence[Listed] | CannotTell,
    received: Sequence[Received] | CannotTell,
    *,
    by: Actor,
    now: datetime,
) -> Settled:
    """Record what the carrier names as left and as come in, and let texts go again when all that left has its place.

    listed, received: what the carrier took since the backup, from us and from patients. What patients wrote is kept
    and obeyed as when it came; they were answered then. Raises Refusal where no restore waits to be settled.
    """
    row = unsettled(connection)
    if row is None:
        raise Refusal([Wrong("", N_("This database was not restored from a backup, or that has been settled."))])
    if isinstance(listed, CannotTell) or isinstance(received, CannotTell):
        return Settled(0, (), (), could_tell=False)
    for text in received:
        keep(connection, protocol, cipher, Incoming(text.ref, text.sender, text.body), now)
    with entry(connection, chain=TRIAL_CHAIN, action="restore looked into", by=by, at=now) as opened:
        settled = _place(connection, cipher, listed)
        if settled.all_placed:
            _give_up(connection, row, could_tell=True)
            _let_go(connection, opened, now)
    return settled


def release(
    connection: Connection, protocol: Protocol, *, could_tell: bool, reason: str, by: Actor, now: datetime
) -> list[str]:
    """A person decides. Returns the keys of the texts of which nobody can tell; they are never sent by themselves.

    could_tell: the carrier has named all it took; what it did not name has not left, and may go.
    """
    row = unsettled(connection)
    if row is None:
        raise Refusal([Wrong("", N_("This database was not restored from a backup, or that has been settled."))])
    with entry(connection, chain=TRIAL_CHAIN, action="restore released", by=by, at=now, reason=reason) as opened:
        untold = _give_up(connection, row, could_tell)
        _let_go(connection, opened, now)
    return untold


def _give_up(connection: Connection, row: Row[Any], could_tell: bool) -> list[str]:
    """What was due since the backup and nobody can tell of: never a mail, for no mail server can be asked."""
    channels = {EMAIL} if could_tell else CHANNELS
    return restoring.give_up_between(connection, row.backup_at, row.restored_at, channels)


def _place(connection: Connection, cipher: Cipher, listed: Sequence[Listed]) -> Settled:
    known, recorded, unplaced = 0, [], []
    for text in sorted(listed, key=lambda one: one.at):
        if restoring.knows(connection, text.ref):
            known += 1
            continue
        key = restoring.record_as_left(connection, _subjects(connection, cipher, text), text.at, text.ref)
        if key is None:
            unplaced.append(text.ref)
        else:
            recorded.append(key)
    return Settled(known, tuple(recorded), tuple(unplaced))


def _subjects(connection: Connection, cipher: Cipher, text: Listed) -> list[str]:
    """Whose it is: by its link, where the backup holds that, else by its address, whoever has or had it."""
    keys = select(Link.message_key).where(Link.token_hash.in_(text.link_hashes), Link.message_key.is_not(None))
    by_link = [key.split("/")[0] for key in connection.execute(keys).scalars() if key]
    here = Contact.address_hash.in_(cipher.digests(text.to))
    return by_link or list(connection.execute(select(Contact.subject).where(here).distinct()).scalars())


def _let_go(connection: Connection, opened: Entry, now: datetime) -> None:
    """Sending is on: every patient is planned anew, from what is now known to have left."""
    waiting = select(Restored.id).where(Restored.released_at.is_(None))
    for id in connection.execute(waiting).scalars().all():
        opened.update(Restored, id, released_at=now)
    replan_all(connection, entry=opened, now=now)
