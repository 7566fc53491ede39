"""Who looks on at every step of a rehearsal, and what of the database must she read to judge it?

At each step only what is new; some nights, and at the end, everything. She reads by connections of her own, which no
rehearsed outage touches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, func, select

from epro.rehearsal.carrier import Handed, RehearsalCarrier
from epro.rehearsal.invariants import Invariant, breaches
from epro.rehearsal.news import Left, News, Record, Saved, Told
from epro.rehearsal.stage import Kept, Stage
from epro.rehearsal.whole import (
    CHAIN,
    PLAN,
    RECORD,
    Rule,
    Whole,
    plan_is_not_the_ledger,
    record_does_not_verify,
    whole_breaches,
)
from epro.store import facts, people
from epro.store.audit import GENESIS, hash_of
from epro.store.database import reading
from epro.store.models import Answer, Assessment, Audit, Contact, Form, Link, PatientEvent
from epro.versions import Version, versions_of
from scheduler.arrows import PLANNED
from scheduler.tables import attempt, message

WHOLE_EVERY, CHAIN_EVERY = timedelta(days=240), timedelta(days=30)  # of rehearsed time
PLANS_EVERY = timedelta(days=7)
NOT_ARRIVED = "undelivered"
MOST_BREACHES = 200


EVENTS_SINCE = (
    select(
        PatientEvent.id,
        PatientEvent.subject,
        PatientEvent.kind,
        PatientEvent.happened_on,
        PatientEvent.value,
        PatientEvent.reported_at,
        PatientEvent.corrects,
    )
    .where(PatientEvent.id > bindparam("heard"))
    .order_by(PatientEvent.id)
)


@dataclass(frozen=True)
class Breach:
    """A rule that was broken: which, when, and how."""

    invariant: str
    story: str
    at: datetime
    sentence: str


@dataclass
class Watching:
    """She who looks on. breaches: what she found, the first of them first."""

    stage: Stage
    carrier: RehearsalCarrier
    engine: Engine
    breaches: list[Breach] = field(default_factory=list)
    record: Record = field(default_factory=Record)
    _seen: int = 0  # texts of the carrier
    _heard: int = 0  # events of patients
    _told: int = 0  # answers of the diary
    _whole_at: datetime | None = None
    _chain_at: datetime | None = None
    _plans_at: datetime | None = None
    _touched: set[str] = field(default_factory=set)  # patients whose plans are to be made anew
    _heads: dict[str, tuple[int, str]] = field(default_factory=dict)  # chain → the last entry seen, and its hash

    def look(self, now: datetime) -> None:
        """Judge what this step brought; now and then, everything."""
        self._plans_at, self._whole_at, self._chain_at = (
            at or now for at in (self._plans_at, self._whole_at, self._chain_at)
        )
        with reading(self.engine) as connection:
            news = self._news(connection, now)
            self._note(now, breaches(self.record, news))
            self._touched |= {one.subject for one in news.told}
            if self._touched and now - self._plans_at >= PLANS_EVERY:
                self._look_at_plans(connection, now)
            if now - self._chain_at >= CHAIN_EVERY:
                self._chain_at = now
                self._note(now, ((CHAIN, fault) for fault in self._new_entries(connection)))
            if now - self._whole_at >= WHOLE_EVERY and not _waiting_for_the_clock(connection, now):
                self._whole_at = now
                self._look_at_everything(connection, now)

    def look_at_the_end(self, now: datetime) -> None:
        with reading(self.engine) as connection:
            self._look_at_everything(connection, now)
            self._note(now, ((RECORD, fault) for fault in record_does_not_verify(connection, self.stage.house)))

    def _look_at_plans(self, connection: Connection, now: datetime) -> None:
        """Of the patients of whom something was made known since this was last asked; those behind are asked later."""
        behind = _waiting_for_the_clock(connection, now)
        faults = plan_is_not_the_ledger(connection, self.stage.house, now, sorted(self._touched - behind))
        self._note(now, ((PLAN, fault) for fault in faults))
        self._touched, self._plans_at = self._touched & behind, now

    def _new_entries(self, connection: Connection) -> Iterator[str]:
        """Whether each entry that came since follows the one before."""
        for chain in connection.execute(select(Audit.chain).distinct()).scalars().all():
            seq, head = self._heads.get(chain, (0, GENESIS))
            here = select(Audit.__table__).where(Audit.chain == chain, Audit.seq > seq).order_by(Audit.seq)
            for row in connection.execute(here).mappings():
                if row["seq"] != seq + 1 or row["previous"] != head or hash_of(row) != row["hash"]:
                    yield f"{chain}, entry {row['seq']}: it does not follow the one before"
                seq, head = row["seq"], row["hash"]
            self._heads[chain] = (seq, head)

    def _look_at_everything(self, connection: Connection, now: datetime) -> None:
        whole = Whole(connection, self.stage.house, self.carrier, self.stage.diary, now)
        self._note(now, whole_breaches(whole))

    def _note(self, now: datetime, found: Iterable[tuple[Invariant | Rule, str]]) -> None:
        for invariant, sentence in found:
            if len(self.breaches) < MOST_BREACHES:
                self.breaches.append(Breach(invariant.name, invariant.story, now, sentence))

    def _news(self, connection: Connection, now: datetime) -> News:
        told = self._new_events(connection)
        handed = list(self.carrier.taken.values())[self._seen :] if len(self.carrier.taken) > self._seen else []
        kept = self.stage.diary.kept[self._told :]
        self._seen, self._told = len(self.carrier.taken), len(self.stage.diary.kept)
        ended = {one.subject for one in told if one.kind in (facts.DEATH, facts.WITHDRAWAL)}
        return News(
            at=now,
            left=self._left(connection, handed) if handed else (),
            told=told,
            saved=_saved(connection, kept) if kept else (),
            still_planned=_waiting(connection, ended) if ended else {},
        )

    def _new_events(self, connection: Connection) -> list[Told]:
        rows = connection.execute(EVENTS_SINCE, {"heard": self._heard}).all()
        if rows:
            self._heard = rows[-1].id
        return [Told(*row) for row in rows]

    def _left(self, connection: Connection, handed: Sequence[Handed]) -> list[Left]:
        rows = {row.token: row for row in connection.execute(_of_attempts([one.attempt for one in handed]))}
        versions = {one.n: one for one in versions_of(connection)}
        return [self._beside(connection, one, rows.get(one.attempt), versions) for one in handed]

    def _beside(self, connection: Connection, handed: Handed, row: Any, versions: dict[int, Version]) -> Left:
        if row is None:
            trial = self.stage.house.protocol.trial
            unknown = f"?/?/?/{handed.channel}/1"
            return Left(unknown, handed.at, trial.zone, None, 0, None, False, False, False, None, None, None)
        digests = self.stage.house.cipher.digests(handed.to)
        return Left(
            key=row.key,
            at=handed.at,
            zone=row.zone,
            quiet=None if row.quiet_from is None else (row.quiet_from, row.quiet_until),
            rungs=len(versions[row.schedule_version].schedule.ladder.steps),
            claimed_at=row.claimed_at,
            others_failed=self._others_failed(connection, row.id, handed.attempt),
            has_link=_has_link(connection, row.key),
            to_in_use=_addresses(connection, row.subject, handed.channel) & set(digests) != set(),
            opens_at=row.opens_at,
            closes_at=row.closes_at,
            completed_at=row.completed_at,
        )

    def _others_failed(self, connection: Connection, text: int, token: str) -> bool:
        """Whether each earlier attempt that the carrier took is known not to have arrived."""
        others = select(attempt.c.token, attempt.c.outcome).where(attempt.c.message == text, attempt.c.token != token)
        taken = (row for row in connection.execute(others) if row.token in self.carrier.taken)
        return all(row.outcome == NOT_ARRIVED for row in taken)


def _waiting_for_the_clock(connection: Connection, now: datetime) -> set[str]:
    """Patients of whom a text is due that the clock has not looked at: only its next tick writes what is too late."""
    due = (message.c.state == PLANNED) & (message.c.next_try_at <= now)
    lapsed = message.c.lease_until <= now
    return set(connection.execute(select(message.c.subject).where(due | lapsed).distinct()).scalars())


def _of_attempts(tokens: Sequence[str]) -> Any:
    columns = [
        message.c[name] for name in ("id", "key", "subject", "zone", "quiet_from", "quiet_until", "schedule_version")
    ]
    window = (Assessment.opens_at, Assessment.closes_at, Assessment.completed_at)
    here = (Assessment.subject == message.c.subject) & (Assessment.visit == message.c.visit)
    return (
        select(attempt.c.token, attempt.c.claimed_at, *columns, *window)
        .join(message, message.c.id == attempt.c.message)
        .outerjoin(Assessment, here)
        .where(attempt.c.token.in_(tokens))
    )


def _has_link(connection: Connection, key: str) -> bool:
    return connection.execute(select(Link.token_hash).where(Link.message_key == key).limit(1)).first() is not None


def _addresses(connection: Connection, subject: str, channel: str) -> set[str]:
    in_use = (Contact.subject == subject, Contact.kind == channel, Contact.until_at.is_(None))
    return set(connection.execute(select(Contact.address_hash).where(*in_use)).scalars())


def _saved(connection: Connection, kept: Sequence[Kept]) -> list[Saved]:
    there = dict(_current(connection, {one.subject for one in kept}))
    return [
        Saved(
            one.subject,
            one.visit,
            one.item,
            there.get((one.subject, one.visit, one.instrument, one.item)) == (one.value, one.text),
        )
        for one in kept
    ]


def _current(connection: Connection, subjects: Iterable[str]) -> Iterator[tuple[Any, Any]]:
    """The latest answer to each item: (subject, visit, instrument, item) → (value, words)."""
    latest = (
        select(func.max(Answer.id))
        .join(Form, Form.id == Answer.form)
        .join(Assessment, Assessment.id == Form.assessment)
        .where(Assessment.subject.in_(list(subjects)))
        .group_by(Answer.form, Answer.item)
    )
    rows = connection.execute(
        select(Assessment.subject, Assessment.visit, Form.instrument, Answer.item, Answer.value, Answer.text)
        .join(Form, Form.id == Answer.form)
        .join(Assessment, Assessment.id == Form.assessment)
        .where(Answer.id.in_(latest))
    )
    for row in rows:
        yield (row.subject, row.visit, row.instrument, row.item), (row.value, row.text)


def _waiting(connection: Connection, subjects: set[str]) -> dict[str, int]:
    """Of patients whose end was made known: how many texts still wait."""
    planned = (
        select(message.c.subject, func.count())
        .where(message.c.subject.in_(subjects), message.c.state == "planned")
        .group_by(message.c.subject)
    )
    known = people.facts_of(connection, subjects)
    counts = {row[0]: row[1] for row in connection.execute(planned)}
    return {subject: counts.get(subject, 0) for subject in subjects if known[subject].ended is not None}
