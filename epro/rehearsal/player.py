"""Play a simulated trial from its first enrolment to now, by the verbs of real life.

Everything happens at an instant of a queue: a nurse enrols, randomises, records; the clock ticks when a text is due;
the carrier reports; the patient who got a link opens it, answers, stops, comes back, submits. Nothing is written behind
the verbs' backs, and no clock of the machine is asked.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import select

import scheduler
from analysis.simulation import SimulatedTrial
from epro.acts import answers, links, patients
from epro.acts.answers import Said
from epro.acts.enrolment import Enrolment
from epro.house import House
from epro.opening import letters_of
from epro.rehearsal.carrier import Handed, RehearsalCarrier
from epro.rehearsal.numbers import fictional_mobile
from epro.store import facts
from epro.store.audit import Actor, entry
from epro.store.database import reading, writing
from epro.store.models import Assessment
from scheduler import ledger
from scheduler.ports import Receipt

RECEIPT_AFTER = timedelta(seconds=6)
TABLET_AFTER = timedelta(minutes=25)
REPORTED_AFTER_DAYS = {facts.DEATH: 6, facts.PROGRESSION: 4, facts.SURGERY: 2, facts.WITHDRAWAL: 0}
CALL_AFTER_DAYS = 3  # the nurse calls this long after the last text
STEP_OF_WAVE = {0: "invite", 1: "reminder-1", 2: "reminder-2"}
LAST_STEP = "reminder-2"
CALLED = 3  # the wave of those who answer after a nurse's call
VITAL_STATUS_EVERY = timedelta(days=91)
TRIAL_OFFICE = Actor("trial.office@demo.example", "trial_office", "import")
Progress = Callable[[int, int], None]


class PlayedClock:
    """The instant that is being played."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


@dataclass
class Player:
    """One playing of one simulated trial."""

    house: House
    simulated: SimulatedTrial
    carrier: RehearsalCarrier
    until: datetime
    clock: PlayedClock
    queue: list[tuple[datetime, int, Callable[[datetime], None]]] = field(default_factory=list)
    order: itertools.count[int] = field(default_factory=itertools.count)

    def play(self, progress: Progress) -> None:
        """Everything up to `until`; `progress` is told (days played, days in all)."""
        self._enter_patients()
        if not self.queue:
            return
        first = self.queue[0][0]
        days = (self.until - first).days
        writer = letters_of(self.house)
        while (now := self._next()) is not None:
            progress((now - first).days, days)
            if self.queue and self.queue[0][0] == now:
                _, _, happen = heapq.heappop(self.queue)
                happen(now)
            else:
                scheduler.tick(self.house.engine, now, writer, self.carrier)
                self._texts_arrive(now)
        progress(days, days)

    def _at(self, when: datetime, happen: Callable[[datetime], None]) -> None:
        if when < self.until:
            heapq.heappush(self.queue, (when, next(self.order), happen))

    def _next(self) -> datetime | None:
        """The next instant at which anything happens: the queue's head, or the next text that is due."""
        with reading(self.house.engine) as connection:
            due = ledger.next_due(connection)
        instants = [self.queue[0][0]] if self.queue else []
        if due is not None and due < self.until:
            instants.append(max(due, self.clock.at))
        if not instants:
            return None
        self.clock.at = min(instants)
        return self.clock.at

    def _enter_patients(self) -> None:
        for n, subject in enumerate(self.simulated.patients["subject"]):
            patient = self.simulated.patient(subject)
            self._at(self._clock_time(patient["consented_on"], 9, n), self._enrolment(n, patient))

        self._plan_vital_status()

    def _plan_vital_status(self) -> None:
        """The trial office asks the population register at intervals who is alive."""
        asked_at = self.clock.at + VITAL_STATUS_EVERY
        while asked_at < self.until:
            self._at(asked_at, self._vital_status)
            asked_at += VITAL_STATUS_EVERY

    def _vital_status(self, now: datetime) -> None:
        on = now.astimezone(self.house.protocol.zone).date()
        act: dict[str, Any] = {"on": on, "by": TRIAL_OFFICE, "now": now}
        for subject in self.simulated.patients["subject"]:
            patient = self.simulated.patient(subject)
            if patient["consented_on"] < on and not (_is_day(patient["died_on"]) and patient["died_on"] <= on):
                with writing(self.house.engine) as connection:
                    patients.record(connection, self.house.protocol, subject, facts.SEEN_ALIVE, **act)

    def _enrolment(self, n: int, patient: Mapping[str, Any]) -> Callable[[datetime], None]:
        def happen(now: datetime) -> None:
            asked = Enrolment(
                subject=patient["subject"],
                site=patient["site"],
                language=patient["language"],
                strata={code: patient[code] for code in self.house.protocol.strata},
                consented_on=patient["consented_on"],
                eligible=True,
                texts_allowed=True,
                phone=fictional_mobile(n),
            )
            with writing(self.house.engine) as connection:
                patients.enrol(
                    connection, self.house.protocol, self.house.cipher, asked, by=self._nurse(patient), now=now
                )
            self._at(now + TABLET_AFTER, self._baseline_on_tablet(patient))
            self._at(self._clock_time(patient["randomised_on"], 13, n), self._randomisation(patient))
            for kind, column in (
                (facts.SURGERY, "surgery_on"),
                (facts.PROGRESSION, "progression_on"),
                (facts.DEATH, "died_on"),
                (facts.WITHDRAWAL, "withdrawn_on"),
            ):
                if _is_day(patient[column]):
                    told_on = patient[column] + timedelta(days=REPORTED_AFTER_DAYS[kind])
                    self._at(self._clock_time(told_on, 14, n), self._report(patient, kind, patient[column]))

        return happen

    def _randomisation(self, patient: Mapping[str, Any]) -> Callable[[datetime], None]:
        def happen(now: datetime) -> None:
            with writing(self.house.engine) as connection:
                patients.randomise(
                    connection,
                    self.house.protocol,
                    patient["subject"],
                    on=patient["randomised_on"],
                    arm=patient["arm"],
                    by=self._nurse(patient),
                    now=now,
                )

        return happen

    def _report(self, patient: Mapping[str, Any], kind: str, on: date) -> Callable[[datetime], None]:
        def happen(now: datetime) -> None:
            act: dict[str, Any] = {"on": on, "by": self._nurse(patient), "now": now}
            protocol, subject = self.house.protocol, patient["subject"]
            with writing(self.house.engine) as connection:
                if kind == facts.DEATH:
                    patients.record_death(connection, protocol, subject, **act)
                elif kind == facts.WITHDRAWAL:
                    patients.withdraw(connection, protocol, subject, reason="own wish", **act)
                else:
                    patients.record(connection, protocol, subject, kind, **act)

        return happen

    def _call(self, patient: Mapping[str, Any]) -> Callable[[datetime], None]:
        def happen(now: datetime) -> None:
            with writing(self.house.engine) as connection:
                on = now.astimezone(self.house.protocol.zone).date()
                patients.record(
                    connection,
                    self.house.protocol,
                    patient["subject"],
                    facts.SEEN_ALIVE,
                    on=on,
                    by=self._nurse(patient),
                    now=now,
                )

        return happen

    def _nurse(self, patient: Mapping[str, Any]) -> Actor:
        return Actor(f"nurse.{patient['site'].lower()}@demo.example", "nurse", "desk")

    def _clock_time(self, on: date, hour: int, n: int) -> datetime:
        """A time of a working day, spread so that few things happen at the same minute."""
        return datetime.combine(on, time(hour, n * 7 % 60), tzinfo=self.house.protocol.zone)

    def _texts_arrive(self, now: datetime) -> None:
        handed = self.carrier.take_handed()
        if not handed:
            return
        with writing(self.house.engine) as connection:
            for text in handed:
                receipt = Receipt(token=text.attempt, carrier_ref=text.attempt, status="delivered", code=None)
                scheduler.receive(connection, receipt, now + RECEIPT_AFTER)
            keys = ledger.keys_of_attempts(connection, [text.attempt for text in handed])
        for text in handed:
            self._reader_of(text, keys[text.attempt], now)

    def _reader_of(self, text: Handed, key: str, now: datetime) -> None:
        """What the patient does about a text: answer it after a while, or leave it."""
        subject, visit, step, *_ = key.split("/")
        plan = self.simulated.form(subject, visit)
        if plan is None or not plan.will_answer:
            return
        delay = timedelta(minutes=float(plan.delay_minutes))
        if STEP_OF_WAVE.get(plan.wave) == step:
            self._at(now + delay, self._sitting(subject, visit, text.link))
        elif plan.wave == CALLED and step == LAST_STEP:
            called_at = now + timedelta(days=CALL_AFTER_DAYS)
            self._at(called_at, self._call(self.simulated.patient(subject)))
            self._at(called_at + delay, self._sitting(subject, visit, text.link))

    def _baseline_on_tablet(self, patient: Mapping[str, Any]) -> Callable[[datetime], None]:
        """The nurse hands over the tablet; who will not answer there gets the texts like everybody."""
        visit = next(code for code, visit in self.house.protocol.schedule.visits.items() if visit.baseline)

        def happen(now: datetime) -> None:
            plan = self.simulated.form(patient["subject"], visit)
            if plan is None or not plan.will_answer or plan.wave != 0:
                return
            with writing(self.house.engine) as connection:
                assessment = connection.execute(
                    select(Assessment.id).where(Assessment.subject == patient["subject"], Assessment.visit == visit)
                ).scalar_one()
                nurse = self._nurse(patient)
                with entry(connection, chain=patient["site"], action="tablet handed over", by=nurse, at=now) as opened:
                    token = links.issue(opened, assessment, links.TABLET, now)
            self._sitting(patient["subject"], visit, token)(now)

        return happen

    def _sitting(self, subject: str, visit: str, token: str, sitting: int = 1) -> Callable[[datetime], None]:
        """One sitting with the form: some stop for good, some stop and come back."""

        def happen(now: datetime) -> None:
            plan = self.simulated.form(subject, visit)
            assert plan is not None
            said = self._said(subject, visit, plan.stops_after)
            pauses = sitting == 1 and plan.resumes and plan.stops_after is None
            part = said[: len(said) // 2] if pauses else said
            with writing(self.house.engine) as connection:
                opened = links.opened_for_writing(connection, links.hash_of(token), now)
                if opened is None:
                    return
                answers.start(connection, self.house.protocol, opened, language=opened.language, now=now)
                session = f"{token[:8]}-{sitting}"
                answers.save(
                    connection,
                    self.house.protocol,
                    opened,
                    part,
                    session=session,
                    now=now + timedelta(minutes=float(plan.minutes_on_form)),
                )
                if not pauses and plan.stops_after is None:
                    answers.submit(
                        connection,
                        self.house.protocol,
                        opened,
                        who=links.SELF,
                        now=now + timedelta(minutes=float(plan.minutes_on_form)),
                    )
            if pauses:
                self._at(now + timedelta(hours=5), self._sitting(subject, visit, token, sitting + 1))

        return happen

    def _said(self, subject: str, visit: str, stops_after: int | None) -> list[Said]:
        items = self.simulated.said(subject, visit)
        instrument = self.house.protocol.schedule.visits[visit].instruments[0]
        return [
            Said(instrument, item, value, key=f"{subject}-{visit}-{item}")
            for item, value in list(items.items())[:stops_after]
        ]


def _is_day(value: Any) -> bool:
    return isinstance(value, date)
