"""How does a due text leave, once, although any step of the way may fail?

The order is the point. 1. Judge and claim in one transaction, and commit: the intent before the act. 2. The writer
looks at the facts once more and writes the letters, in a transaction of its own. 3. Before each hand-over the row is
read again, with those of the letters that are handed over with it: still ours? 4. Hand over, with no transaction open,
as many at once as there are hands. 5. Record what is known; what is not stays unknown for
`reconcile`.

The claim is on the disk before anything leaves. That a text was accepted need not be: if the database crashes in the
next moments and forgets it, the text is claimed still, its lease runs out, and the carrier is asked, who has it; where
it cannot tell, a receipt or a person does. So PostgreSQL commits each acceptance by itself and does not wait for its
disk. A mail server cannot be asked at all: that a mail was accepted is on the disk before the next one leaves.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from sqlalchemy import Connection, Engine, bindparam, select
from sqlalchemy.exc import IntegrityError

from scheduler import arrows
from scheduler.claiming import Claims, claim_due
from scheduler.handing import Handed, Pair, hands_for
from scheduler.instants import utc
from scheduler.outcomes import speaks_of_the_carrier, wait_before
from scheduler.ports import EMAIL, Accepted, Carrier, Claimed, Letter, Outcome, Refused, Unknown, Withheld, Writer
from scheduler.settling import settle, settle_accepted, settle_accepted_each, settle_unsent, settle_withheld
from scheduler.tables import message

BATCH = 50
REPLY = "reply"  # by which it is known that a text was accepted
HELD = select(message.c.id, message.c.latest_attempt).where(
    message.c.id.in_(bindparam("these", expanding=True)), message.c.state == arrows.CLAIMED
)


@dataclass
class Tick:
    """What one tick did, in texts. `stopped`: the carrier's code (0 without one) when it refuses our configuration."""

    claimed: int = 0
    accepted: int = 0
    refused: int = 0
    unknown: int = 0
    withheld: int = 0
    put_back: int = 0
    expired: int = 0
    superseded: int = 0
    stopped: int | None = None


def tick(
    engine: Engine,
    now: datetime,
    writer: Writer,
    carrier: Carrier,
    *,
    limit: int = BATCH,
    owner: str | None = None,
    stopping: Callable[[], bool] = lambda: False,
    pace: Callable[[], None] | None = None,
    hands: int = 1,
) -> Tick:
    """Send what is due, at most `limit` texts. `stopping` is asked before each hand-over; what is left is put back.

    pace: called before each hand-over, returns when it may be made. hands: how many are handed over at once, where
    the carrier may be called from several threads.

    Whatever is raised on the way (a database that is away, a carrier with a fault) has been made safe before: a text
    that may have left is unknown, the others are put back, and where even that fails the lease runs out.
    Raises NaiveInstant.
    """
    now = utc(now)
    claims = _claim(engine, now, owner or default_owner(), limit)
    done = Tick(claimed=len(claims.claimed), expired=claims.expired, superseded=claims.superseded)
    if claims.claimed:
        _send(_Round(engine, now, writer, carrier, stopping, pace, done), claims.claimed, hands)
    return done


def default_owner() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"[:80]


def _claim(engine: Engine, now: datetime, owner: str, limit: int) -> Claims:
    try:
        with engine.begin() as connection:
            return claim_due(connection, now, owner=owner, limit=limit)
    except IntegrityError:  # another process claimed a text of the same patient and day; the next tick sees it
        return Claims()


@dataclass
class _Round:
    """One batch on its way out. left: claimed, written, and not yet given to a hand. kept: to go another time."""

    engine: Engine
    now: datetime
    writer: Writer
    carrier: Carrier
    stopping: Callable[[], bool]
    pace: Callable[[], None] | None
    done: Tick
    left: deque[Pair] = field(default_factory=deque)
    kept: list[Pair] = field(default_factory=list)
    raised: BaseException | None = None

    def send(self, n: int) -> None:
        """With `n` hands: look, hand over, record; until none is left or there is no sense in going on."""
        with _statements(self.engine).connect() as connection, hands_for(self.carrier, n) as hands:
            try:
                while most := self._may_go(hands.free):
                    hands.give(self._still_ours(connection, most))
                    self._record(connection, hands.take(wait=not hands.free))
            finally:
                while hands.busy:
                    self._record(connection, hands.take(wait=True))
        if self.raised is not None:
            raise self.raised

    def _may_go(self, free: int) -> int:
        """How many of those that are left may be handed over now: one alone where there is a pace to wait for."""
        if not self.left or self.raised is not None:
            return 0
        if self.pace is not None:
            self.pace()
        return 0 if self.stopping() else min(len(self.left), free if self.pace is None else 1)

    def _still_ours(self, connection: Connection, most: int) -> list[Pair]:
        """The next of those that are left; without those that were stopped or taken from us meanwhile."""
        these = list(islice(self.left, most))
        with connection.begin():
            rows = {tuple(row) for row in connection.execute(HELD, {"these": [claimed.id for claimed, _ in these]})}
        ours = [pair for pair in these if (pair[0].id, pair[0].attempt) in rows]
        for claimed, _ in these:
            if (claimed.id, claimed.attempt) not in rows:
                with self.engine.begin() as writing:
                    _let_go(writing, claimed, self.now)
                self.done.withheld += 1
        for _ in these:
            self.left.popleft()
        return ours

    def _record(self, connection: Connection, handed: Sequence[Handed]) -> None:
        """Each by itself; that a mail was accepted is on the disk before the next leaves by the same hand."""
        can_be_asked = []
        for claimed, outcome, raised in handed:
            self.raised = self.raised or raised
            _count(self.done, outcome)
            if speaks_of_the_carrier(outcome):
                self._keep(claimed.channel)
            if isinstance(outcome, Accepted) and claimed.channel != EMAIL:
                can_be_asked.append((claimed, outcome.ref))
            else:
                with self.engine.begin() as writing:
                    self._settle(writing, claimed, outcome)
        if can_be_asked:
            settle_accepted_each(connection, can_be_asked, self.now, detail=REPLY)

    def _settle(self, writing: Connection, claimed: Claimed, outcome: Outcome) -> None:
        if isinstance(outcome, Accepted):
            settle_accepted(writing, claimed, self.now, ref=outcome.ref, detail=REPLY)
        else:
            settle(writing, self.writer, claimed, outcome, self.now)

    def _keep(self, channel: str) -> None:
        """There is no sense in going on in this channel."""
        self.kept += [pair for pair in self.left if pair[0].channel == channel]
        self.left = deque(pair for pair in self.left if pair[0].channel != channel)


def _send(round: _Round, claimed: Sequence[Claimed], hands: int) -> None:
    held: Sequence[Claimed] = claimed
    try:
        pairs = list(zip(claimed, round.writer.write(claimed, round.now), strict=True))
        withheld = [(one, why) for one, why in pairs if isinstance(why, Withheld)]
        round.done.withheld += _withhold(round.engine, withheld, round.now)
        round.left.extend((one, letter) for one, letter in pairs if isinstance(letter, Letter))
        held = ()
        round.send(max(1, min(hands, len(round.left))))
    finally:
        held = held or [one for one, _ in (*round.left, *round.kept)]
        round.done.put_back += len(held)
        _put_back(round.engine, held, round.now)


def _let_go(connection: Connection, claimed: Claimed, now: datetime) -> None:
    """Stopped or taken from us before the hand-over: this attempt surely reached nobody."""
    settle_unsent(connection, claimed, now, next_try_at=now, detail="not handed over")


def _statements(engine: Engine) -> Engine:
    """The same engine for a statement at a time: on PostgreSQL each a transaction by itself, two ways to it less."""
    return engine.execution_options(isolation_level="AUTOCOMMIT") if engine.dialect.name == "postgresql" else engine


def _withhold(engine: Engine, withheld: Sequence[tuple[Claimed, Withheld]], now: datetime) -> int:
    if withheld:
        with engine.begin() as connection:
            for claimed, because in withheld:
                settle_withheld(connection, claimed, because.why, now)
    return len(withheld)


def _put_back(engine: Engine, held: Sequence[Claimed], now: datetime) -> None:
    """What was claimed and not handed over, for the next tick but one."""
    if held:
        with engine.begin() as connection:
            for claimed in held:
                again_at = now + wait_before(1, claimed.key)
                settle_unsent(connection, claimed, now, next_try_at=again_at, detail="put back")


def _count(done: Tick, outcome: Outcome) -> None:
    match outcome:
        case Accepted():
            done.accepted += 1
        case Unknown():
            done.unknown += 1
        case Refused(then="later" | "stop_sender"):
            done.put_back += 1
        case Refused():
            done.refused += 1
    if isinstance(outcome, Refused) and outcome.then == "stop_sender":
        done.stopped = outcome.code or 0
