"""What happens at the other end of a text: does it arrive, what does the carrier say of it, and what does she do?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from math import exp
from random import Random

from sqlalchemy import Engine

from analysis.simulation import SimulatedTrial
from analysis.simulation.simulated import PlannedForm
from epro.acts.answers import Said
from epro.acts.receipts import take
from epro.rehearsal.carrier import Handed, RehearsalCarrier
from epro.rehearsal.cast import Person
from epro.rehearsal.doors import Door, Visitor
from epro.rehearsal.saying import said_by
from epro.rehearsal.stage import Happen, Kept, Stage
from epro.store.database import reading
from scheduler import ledger
from scheduler.aftercare import poll
from scheduler.messages import ON_REQUEST
from scheduler.ports import EMAIL, SMS, Receipt
from scheduler.reconciling import RECEIPT_WITHIN
from scheduler.replies import USUAL_WORDS, Understood

RECEIPT_SECONDS, RECEIPT_SIGMA = 6.0, 1.0
LATE_HOURS = (1.0, 20.0)
ASKED_AGAIN = timedelta(minutes=65)  # the hourly look at texts without a receipt
AFTER_THE_LAST = timedelta(minutes=1)
COMES_BACK = timedelta(hours=5)
STARTS_AGAIN_DAYS = (10, 60)
OPENS_TWICE, SENDS_TWICE = 0.03, 0.005
PHONE_OFF, NO_SUCH_PHONE = 30003, 30005
ONCE_IN = 4  # of the texts that miscarry, how many do so because there is no such phone
CALLED = 3  # the wave of those who answer after a nurse's call
REPLIES = ((Understood.LATER, 0.4), (Understood.HELP, 0.2), (Understood.CALL, 0.2))
OWN_WORDS = "Tack, jag svarar i morgon kväll"


@dataclass
class Phones:
    """Every patient's phone, and the patient who holds it.

    onlooking: the database by connections that no outage touches: a text in the air arrives all the same.

    latest: the newest link of each form that reached her. answering: the forms that she has decided to fill in.
    """

    stage: Stage
    simulated: SimulatedTrial
    carrier: RehearsalCarrier
    verbs: Door
    pages: Door | None
    onlooking: Engine
    wake: Happen  # the clock
    latest: dict[tuple[str, str], str] = field(default_factory=dict)
    answering: set[tuple[str, str]] = field(default_factory=set)
    texts_of: dict[str, int] = field(default_factory=dict)  # how many have reached her
    number_of: dict[str, str] = field(default_factory=dict, repr=False)  # by which the last one did

    def arrive(self, handed: Sequence[Handed], now: datetime) -> None:
        """Texts have left: each is reported on, and those that arrive are read."""
        with reading(self.onlooking) as connection:
            keys = ledger.keys_of_attempts(connection, [text.attempt for text in handed])
        for text in handed:
            key = keys[text.attempt]
            person = self.stage.people[key.split("/")[0]]
            arrives = text.channel == EMAIL or self._report(text, key, person, now)
            if arrives:
                self._read(text, key, person, now)

    def door(self, person: Person) -> Door:
        return self.pages if self.pages is not None and person.through_http else self.verbs

    def plan(self, subject: str, visit: str) -> PlannedForm | None:
        return self.simulated.form(self.stage.people[subject].source, visit)

    def _report(self, text: Handed, key: str, person: Person, now: datetime) -> bool:
        """The receipts of one text; whether it arrives."""
        scenario, drawn = self.stage.scenario, self.stage.chance.of("receipt", key, now.date())
        miscarries = drawn.random() < scenario.miscarries
        code = (NO_SUCH_PHONE if drawn.randrange(ONCE_IN) == 0 else PHONE_OFF) if miscarries else None
        receipt = Receipt(text.attempt, text.attempt, "undelivered" if miscarries else "delivered", code)
        after = timedelta(seconds=RECEIPT_SECONDS * exp(drawn.gauss(0, RECEIPT_SIGMA)))
        fate = drawn.random()
        if fate < scenario.never_told:
            self.stage.at(now + RECEIPT_WITHIN + AFTER_THE_LAST, self.wake)
            return not miscarries
        self.carrier.receipts[text.attempt] = receipt
        fate -= scenario.never_told
        if fate < scenario.receipt_lost:
            self.stage.at(now + ASKED_AGAIN, self._ask_the_carrier)
            return not miscarries
        if fate - scenario.receipt_lost < scenario.receipt_late:
            after = timedelta(hours=drawn.uniform(*LATE_HOURS))
        tell = partial(self._tell, person, receipt)
        self.stage.at(now + after, tell, waits=False)
        if drawn.random() < scenario.receipt_doubled:
            self.stage.at(now + after * 2, tell, waits=False)
            early = Receipt(text.attempt, text.attempt, "accepted")  # comes after the last word: out of order
            self.stage.at(now + after * 3, partial(self._tell, person, early), waits=False)
        return not miscarries

    def _tell(self, person: Person, receipt: Receipt, now: datetime) -> None:
        self.door(person).receipt(receipt, now)

    def _ask_the_carrier(self, now: datetime) -> None:
        protocol = self.stage.house.protocol
        poll(
            self.stage.house.engine,
            now,
            self.carrier,
            lambda connection, receipt, at: take(connection, protocol, receipt, at),
        )

    def _read(self, text: Handed, key: str, person: Person, now: datetime) -> None:
        subject, visit, step, *_ = key.split("/")
        if person.is_strangers_phone and text.channel == SMS and text.to == person.typed:
            visitor = Visitor(person, text.link)
            self.stage.at(now + timedelta(minutes=40), partial(self._deny, person, visitor))
            return
        self.latest[subject, visit] = text.link
        if text.channel == SMS:
            self.number_of[subject] = text.to
        self.texts_of[subject] = self.texts_of.get(subject, 0) + 1
        if text.channel == SMS:
            self._may_reply(key, person, now)
        plan = self.plan(subject, visit)
        if plan is None or not plan.will_answer or (subject, visit) in self.answering:
            return
        if step == ON_REQUEST or self._moved_by(step, plan):
            self.answers(person, visit, text.link, now + timedelta(minutes=float(plan.delay_minutes)))

    def _moved_by(self, step: str, plan: PlannedForm) -> bool:
        """Whether this step of the ladder is late enough for her; the earlier ones she lets pass."""
        steps = [one.code for one in self.stage.house.protocol.schedule.ladder.steps]
        return plan.wave != CALLED and step in steps and steps.index(step) >= min(plan.wave, len(steps) - 1)

    def answers(self, person: Person, visit: str, link: str, at: datetime) -> None:
        """She will open this link then, and fill in the form."""
        self.answering.add((person.subject, visit))
        visitor = Visitor(person, link)
        self.stage.at(at, partial(self._begin, visitor, visit))
        if self.stage.chance.hits(OPENS_TWICE, "twice", person.subject, visit):
            self.stage.at(at + timedelta(minutes=1), partial(self._begin, Visitor(person, link), visit))

    def _begin(self, visitor: Visitor, visit: str, now: datetime) -> None:
        """One sitting: some stop for good, some stop and come back, most go through and send."""
        person, plan = visitor.person, self.plan(visitor.person.subject, visit)
        if plan is None or self._is_dead(person, now):
            return
        said = self._said(person, visit)[: plan.stops_after]
        part = said[: len(said) // 2] if plan.resumes and plan.stops_after is None else said
        if not self._say(visitor, visit, part, now) or plan.stops_after is not None:
            return
        if plan.resumes:
            rest = partial(self._resume, Visitor(person, visitor.token), visit, said[len(part) :])
            self.stage.at(now + COMES_BACK, rest)
            return
        self._send_after(plan, visitor, visit, now)

    def _resume(self, visitor: Visitor, visit: str, rest: list[Said], now: datetime) -> None:
        plan = self.plan(visitor.person.subject, visit)
        if plan is not None and not self._is_dead(visitor.person, now) and self._say(visitor, visit, rest, now):
            self._send_after(plan, visitor, visit, now)

    def _send_after(self, plan: PlannedForm, visitor: Visitor, visit: str, now: datetime) -> None:
        at = now + timedelta(minutes=float(plan.minutes_on_form))
        self.stage.at(at, partial(self._send, visitor, visit))
        if self.stage.chance.hits(SENDS_TWICE, "sends twice", visitor.person.subject, visit):
            self.stage.at(at + timedelta(seconds=2), partial(self._send, visitor, visit))

    def _say(self, visitor: Visitor, visit: str, said: list[Said], now: datetime) -> bool:
        """Whether the link was open; what she was told is kept is written down."""
        kept = self.door(visitor.person).begin(visitor, said, now)
        if kept is None:
            self.stage.diary.closed_doors += 1
            return False
        subject = visitor.person.subject
        self.stage.diary.kept += [
            Kept(subject, visit, one.instrument, one.item, one.value, one.text or None) for one in kept
        ]
        return True

    def _send(self, visitor: Visitor, visit: str, now: datetime) -> None:
        if self.door(visitor.person).send(visitor, now):
            self.stage.diary.sent_in.add((visitor.person.subject, visit))
        else:
            self.stage.diary.closed_doors += 1

    def _said(self, person: Person, visit: str) -> list[Said]:
        protocol = self.stage.house.protocol
        version = protocol.versions[-1].n if protocol.versions else 1
        return said_by(protocol, self.simulated, self.stage.chance, person.subject, person.source, visit, version)

    def _is_dead(self, person: Person, now: datetime) -> bool:
        return person.died_on is not None and person.died_on <= self.stage.today(now)

    def _deny(self, person: Person, visitor: Visitor, now: datetime) -> None:
        self.stage.diary.happened["said that the number is not hers"] += 1
        self.door(person).deny(visitor, now)

    def _may_reply(self, key: str, person: Person, now: datetime) -> None:
        drawn = self.stage.chance.of("reply to", key)
        if person.stops_at == self.texts_of[person.subject]:
            self.stage.at(now + timedelta(minutes=3), partial(self._stop, person), waits=False)
            if person.starts_again:
                back_at = now + self.stage.chance.days(STARTS_AGAIN_DAYS, "start", person.subject)
                self.stage.at(back_at, partial(self._start, person), waits=False)
        elif drawn.random() < self.stage.scenario.replies:
            self.stage.at(
                now + timedelta(minutes=drawn.uniform(1, 300)), partial(self._reply, person, key), waits=False
            )

    def _stop(self, person: Person, now: datetime) -> None:
        """The carrier obeys by itself, whether we hear of it or not."""
        self.carrier.blocked.add(self.number_of[person.subject])
        self._write(person, self._word(person, Understood.STOP), f"stop-{person.subject}", now)

    def _start(self, person: Person, now: datetime) -> None:
        self.carrier.blocked.discard(self.number_of[person.subject])
        self._write(person, self._word(person, Understood.START), f"start-{person.subject}", now)

    def _reply(self, person: Person, key: str, now: datetime) -> None:
        drawn = self.stage.chance.of("words", key)
        meaning = _drawn(drawn)
        body = OWN_WORDS if meaning is None else self._word(person, meaning)
        self._write(person, body, f"reply-{key}", now)

    def _write(self, person: Person, body: str, ref: str, now: datetime) -> None:
        if not self._is_dead(person, now):
            self.stage.diary.happened["replies to a text"] += 1
            self.door(person).reply(self.number_of[person.subject], body, ref, now)

    def _word(self, person: Person, meaning: Understood) -> str:
        words = self.stage.house.protocol.schedule.replies
        for said in (*(words[one] for one in (person.language, *words) if one in words), USUAL_WORDS["en"]):
            if said.get(meaning):
                return said[meaning][0]
        return OWN_WORDS


def _drawn(drawn: Random) -> Understood | None:
    place = drawn.random()
    for meaning, share in REPLIES:
        if place < share:
            return meaning
        place -= share
    return None
