"""How does a due text leave, once, although any step of the way may fail?

The order is the point. 1. Judge and claim in one transaction, and commit: the intent before the act. 2. The writer
looks at the facts once more and writes the letters, in a transaction of its own. 3. Before each hand-over the row is
read again: still ours? 4. Hand over, with no transaction open. 5. Record what is known; what is not stays unknown for
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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from sqlalchemy import Connection, Engine, bindparam, select
from sqlalchemy.exc import IntegrityError

from scheduler import arrows
from scheduler.claiming import Claims, claim_due
from scheduler.instants import utc
from scheduler.outcomes import speaks_of_the_carrier, wait_before
from scheduler.pacing import at_once
from scheduler.ports import EMAIL, Accepted, Carrier, Claimed, Letter, Outcome, Refused, Unknown, Withheld, Writer
from scheduler.settling import settle, settle_accepted, settle_unsent, settle_withheld
from scheduler.tables import message

BATCH = 50
STILL_OURS = select(message.c.state, message.c.latest_attempt).where(message.c.id == bindparam("this"))
Pair = tuple[Claimed, Letter | Withheld]


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
    pace: Callable[[], None] = at_once,
    hands: int = 1,
) -> Tick:
    """Send what is due, at most `limit` texts. `stopping` is asked before each hand-over; what is left is put back.

    pace: called before each hand-over, returns when it may be made. hands: how many are handed over at once, where
    the database takes many writers and writer and carrier may be called from several threads.

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
    """One batch on its way out: `left` is claimed, written, and not yet taken by a hand."""

    engine: Engine
    now: datetime
    writer: Writer
    carrier: Carrier
    stopping: Callable[[], bool]
    pace: Callable[[], None]
    done: Tick
    left: deque[tuple[Claimed, Letter]] = field(default_factory=deque)
    lock: Lock = field(default_factory=Lock)
    over: bool = False
    silent: set[str] = field(default_factory=set)  # channels in which there is no sense in going on
    statements: Engine = field(init=False)

    def __post_init__(self) -> None:
        self.statements = _statements(self.engine)

    def work(self) -> None:
        """One hand: take a letter, hand it over, record; until none is left or there is no sense in going on."""
        with self.statements.connect() as connection:
            while (pair := self._take()) is not None:
                try:
                    outcome = self._hand_over(connection, *pair)
                except BaseException:
                    self.over = True
                    raise
                with self.lock:
                    _count(self.done, outcome)
                    if outcome is not None and speaks_of_the_carrier(outcome):
                        self.silent.add(pair[0].channel)

    def _take(self) -> tuple[Claimed, Letter] | None:
        with self.lock:
            pair = next((pair for pair in self.left if pair[0].channel not in self.silent), None)
            if pair is None or self.over:
                return None
            self.pace()
            if self.stopping() or self.over:
                return None
            self.left.remove(pair)
            return pair

    def _hand_over(self, connection: Connection, claimed: Claimed, letter: Letter) -> Outcome | None:
        """Still ours? Then hand over and record. None when it was stopped or taken meanwhile."""
        with connection.begin():
            row = connection.execute(STILL_OURS, {"this": claimed.id}).one()
        if tuple(row) != (arrows.CLAIMED, claimed.attempt):
            with self.engine.begin() as writing:
                _let_go(writing, claimed, self.now)
            return None
        try:
            outcome = self.carrier.send(letter, claimed.token)
        except BaseException:
            self._record(connection, claimed, Unknown())
            raise
        self._record(connection, claimed, outcome)
        return outcome

    def _record(self, connection: Connection, claimed: Claimed, outcome: Outcome) -> None:
        if isinstance(outcome, Accepted):
            ref, can_be_asked = outcome.ref, claimed.channel != EMAIL
            with connection.begin():
                settle_accepted(connection, claimed, self.now, ref=ref, detail="reply", at_leisure=can_be_asked)
        else:
            with self.engine.begin() as writing:
                settle(writing, self.writer, claimed, outcome, self.now)


def _send(round: _Round, claimed: Sequence[Claimed], hands: int) -> None:
    held: Sequence[Claimed] = claimed
    try:
        pairs: list[Pair] = list(zip(claimed, round.writer.write(claimed, round.now), strict=True))
        withheld = [(one, why) for one, why in pairs if isinstance(why, Withheld)]
        round.done.withheld += _withhold(round.engine, withheld, round.now)
        round.left.extend((one, letter) for one, letter in pairs if isinstance(letter, Letter))
        held = ()
        _with_hands(round.work, min(hands, len(round.left)))
    finally:
        held = held or [one for one, _ in round.left]
        round.done.put_back += len(held)
        _put_back(round.engine, held, round.now)


def _with_hands(work: Callable[[], None], hands: int) -> None:
    if hands <= 1:
        work()
        return
    with ThreadPoolExecutor(hands) as pool:
        for future in [pool.submit(work) for _ in range(hands)]:
            future.result()


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


def _count(done: Tick, outcome: Outcome | None) -> None:
    match outcome:
        case None:
            done.withheld += 1
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
