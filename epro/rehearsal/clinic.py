"""What does the clinic do: enrol, randomise, correct, report what it hears and when it hears it, and call?"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import select

from epro.acts import links, patients, pauses, reaching, undoing
from epro.acts.enrolment import Enrolment
from epro.rehearsal.cast import Person
from epro.rehearsal.phones import CALLED, Phones
from epro.rehearsal.stage import Call, Stage
from epro.store import facts
from epro.store.audit import Actor
from epro.store.database import reading, writing
from epro.store.models import Assessment

TRIAL_OFFICE = Actor("trial.office@demo.example", "trial_office", "import")
TABLET_AFTER = timedelta(minutes=25)
CALL_AFTER_DAYS = 3  # the nurse calls this long after the last text
VITAL_STATUS_DAYS = 365  # between two looks into the population register
CORRECTED_AFTER_DAYS = (8, 70)
TAKEN_BACK_AFTER_DAYS = (1, 6)
PAUSED_DAYS = (10, 40)
PAUSED_FROM_DAYS = (20, 500)  # after randomisation
MISTAKEN_FROM_DAYS = (60, 600)
SATURDAY = 5


@dataclass
class Clinic:
    """The nurses of every site, and the trial office."""

    stage: Stage
    phones: Phones
    looked_for: dict[tuple[str, str], date] = field(default_factory=dict)  # form → day on which a nurse looks

    def begin(self) -> None:
        for person in self.stage.people.values():
            self.stage.at(self.stage.local(person.consented_on, 9, person.subject), partial(self._enrol, person))
        first = min(person.consented_on for person in self.stage.people.values())
        for n in range(1, (self.stage.today(self.stage.until) - first).days // VITAL_STATUS_DAYS + 1):
            on = first + timedelta(days=n * VITAL_STATUS_DAYS)
            self.stage.at(self.stage.local(on, 7, "vital status"), self._ask_the_register)

    def _enrol(self, person: Person, now: datetime) -> None:
        house, on = self.stage.house, self.stage.today(now)
        asked = Enrolment(
            subject=person.subject,
            site=person.site,
            language=person.language,
            strata=dict(person.strata),
            consented_on=person.consented_on,
            eligible=True,
            texts_allowed=True,
            phone=person.typed,
            email=person.email,
            second_step=person.second_step,
        )
        with writing(house.engine) as connection:
            patients.enrol(connection, house.protocol, house.cipher, asked, by=nurse_of(person), now=now)
        self._plan_looks(person.subject)
        self.stage.at(now + TABLET_AFTER, partial(self._baseline_on_tablet, person))
        entered = person.first_randomised_on or person.randomised_on
        randomised_at = self.stage.local(max(entered, person.randomised_on, on), 13, person.subject)
        self.stage.at(randomised_at, partial(self._randomise, person, entered))
        for kind, happened_on in person.happens.items():
            self._hear_of(person, kind, happened_on)

    def _hear_of(self, person: Person, kind: str, happened_on: date) -> None:
        """The clinic learns of it some days later. Going home from hospital is known with the operation."""
        chance, delays = self.stage.chance, self.stage.scenario.reported_after_days
        told_on = max(happened_on, person.randomised_on) + chance.days(
            delays.get(kind, delays["surgery"]), "reported", kind, person.subject
        )
        told_at = self.stage.local(told_on, 14, f"{person.subject}{kind}")
        self.stage.at(told_at, partial(self._report, person, kind, happened_on))

    def _randomise(self, person: Person, entered: date, now: datetime) -> None:
        self._act(patients.randomise, person, now, on=entered, arm=person.arm)
        self._plan_looks(person.subject)
        chance, on = self.stage.chance, self.stage.today(now)
        if person.first_randomised_on is not None:
            corrected_on = on + chance.days(CORRECTED_AFTER_DAYS, "corrected", person.subject)
            self.stage.at(self.stage.local(corrected_on, 11, person.subject), partial(self._correct, person))
        if chance.hits(self.stage.scenario.pauses, "pauses", person.subject):
            paused_on = on + chance.days(PAUSED_FROM_DAYS, "paused", person.subject)
            self.stage.at(self.stage.local(paused_on, 8, person.subject), partial(self._pause, person))
        if chance.hits(self.stage.scenario.permission_ends, "permission", person.subject):
            asked_on = on + chance.days(PAUSED_FROM_DAYS, "permission ends", person.subject)
            self.stage.at(self.stage.local(asked_on, 9, person.subject), partial(self._end_permission, person))
        if chance.hits(self.stage.scenario.mistaken_end, "mistaken", person.subject):
            mistaken_on = on + chance.days(MISTAKEN_FROM_DAYS, "mistaken on", person.subject)
            self.stage.at(self.stage.local(mistaken_on, 10, person.subject), partial(self._bury_by_mistake, person))

    def _correct(self, person: Person, now: datetime) -> None:
        if self._known(person).events[facts.RANDOMISATION].on != person.randomised_on:
            why = {"on": person.randomised_on, "reason": "mistyped"}
            self._act(patients.correct_randomisation, person, now, **why)
            self.stage.diary.happened["randomisation dates corrected"] += 1
            self._plan_looks(person.subject)

    def _report(self, person: Person, kind: str, on: date, now: datetime) -> None:
        known = self._known(person)
        if kind in known.events:
            return
        if kind == facts.DEATH:
            self._act(patients.record_death, person, now, on=on)
        elif kind == facts.WITHDRAWAL:
            self._act(patients.withdraw, person, now, on=on, reason="own wish")
        else:
            with writing(self.stage.house.engine) as connection:
                act: dict[str, Any] = {"on": on, "by": nurse_of(person), "now": now}
                patients.record(connection, self.stage.house.protocol, person.subject, kind, **act)
            self._plan_looks(person.subject)
        self.stage.diary.happened[f"{kind} reported"] += 1

    def _pause(self, person: Person, now: datetime) -> None:
        if self._known(person).ended is None:
            until = self.stage.today(now) + self.stage.chance.days(PAUSED_DAYS, "pause", person.subject)
            self._act(pauses.pause, person, now, until=until, reason="in hospital")
            self.stage.diary.happened["texts paused"] += 1

    def _end_permission(self, person: Person, now: datetime) -> None:
        self._act(reaching.allow_texts, person, now, allowed=False)
        self.stage.diary.happened["permissions taken back"] += 1

    def _bury_by_mistake(self, person: Person, now: datetime) -> None:
        """A nurse records a death for the wrong patient, and some days later somebody notices."""
        if self._known(person).ended is None:
            self._act(patients.record_death, person, now, on=self.stage.today(now))
            back_on = self.stage.today(now) + self.stage.chance.days(TAKEN_BACK_AFTER_DAYS, "back", person.subject)
            self.stage.at(self.stage.local(back_on, 15, person.subject), partial(self._take_back, person))

    def _take_back(self, person: Person, now: datetime) -> None:
        death = self._known(person).events.get(facts.DEATH)
        if death is not None:
            self._act(undoing.undo, person, now, event=death.id, reason="another patient")
            self.stage.diary.happened["deaths recorded by mistake and taken back"] += 1

    def _ask_the_register(self, now: datetime) -> None:
        """The trial office asks the population register at intervals who is alive."""
        on = self.stage.today(now)
        for person in self.stage.people.values():
            if person.consented_on < on and not (person.died_on and person.died_on <= on):
                self._seen_alive(person, TRIAL_OFFICE, now)

    def _seen_alive(self, person: Person, by: Actor, now: datetime) -> None:
        on, protocol = self.stage.today(now), self.stage.house.protocol
        with writing(self.stage.house.engine) as connection:
            patients.record(connection, protocol, person.subject, facts.SEEN_ALIVE, on=on, by=by, now=now)

    def _baseline_on_tablet(self, person: Person, now: datetime) -> None:
        """The nurse hands over the tablet; who will not answer there gets the texts like everybody."""
        for code, visit in self.stage.house.protocol.schedule.visits.items():
            plan = self.phones.plan(person.subject, code)
            if visit.baseline and plan is not None and plan.will_answer and plan.wave == 0:
                self._hand_over(person, code, now)

    def _hand_over(self, person: Person, visit: str, now: datetime) -> None:
        with writing(self.stage.house.engine) as connection:
            if self._open_form(connection, person.subject, visit, now) is None:
                return
            token = links.hand_over(connection, person.subject, visit, by=nurse_of(person), now=now)
        self.phones.answers(person, visit, token, now)

    def _plan_looks(self, subject: str) -> None:
        """A nurse looks at each form some days after its last text, on a working day inside its window."""
        protocol = self.stage.house.protocol
        mine = select(Assessment.visit, Assessment.schedule_version, Assessment.due_on).where(
            Assessment.subject == subject, Assessment.completed_at.is_(None), Assessment.expected.is_(True)
        )
        with reading(self.stage.house.engine) as connection:
            forms = connection.execute(mine).all()
        for form in forms:
            closes_after = protocol.visit(form.visit, form.schedule_version).closes_after
            last = max(step.day for step in protocol.schedule.ladder.steps)
            on = _working_day(form.due_on, min(max(last, 0) + CALL_AFTER_DAYS, closes_after), closes_after)
            if self.looked_for.get((subject, form.visit)) != on:
                self.looked_for[subject, form.visit] = on
                at = self.stage.local(on, 10, subject + form.visit)
                self.stage.at(at, partial(self._look, subject, form.visit, on))

    def _look(self, subject: str, visit: str, on: date, now: datetime) -> None:
        """Is the form still open and unanswered? Then she is called."""
        person = self.stage.people[subject]
        if self.looked_for.get((subject, visit)) != on:
            return  # the date was corrected since
        with reading(self.stage.house.engine) as connection:
            if self._open_form(connection, subject, visit, now) is None:
                return
        known = self._known(person)
        if known.ended is None:
            self.stage.diary.calls.append(Call(now, person.site, subject, visit))
            self._call(person, known, visit, now)

    def _call(self, person: Person, known: facts.Facts, visit: str, now: datetime) -> None:
        """What the nurse hears: that she is dead, or wants no more, or is well; and her number, if it was wrong."""
        today, happens = self.stage.today(now), person.happens
        for kind in (facts.DEATH, facts.WITHDRAWAL):
            if kind in happens and happens[kind] <= today:
                self._report(person, kind, happens[kind], now)
                return
        self._seen_alive(person, nurse_of(person), now)
        if person.typed != person.phone and not self._is_corrected(known):
            self._act(reaching.change_number, person, now, cipher=self.stage.house.cipher, phone=person.phone)
            self.stage.diary.happened["numbers corrected"] += 1
        plan = self.phones.plan(person.subject, visit)
        if plan is None or not plan.will_answer or (person.subject, visit) in self.phones.answering:
            return
        link = self.phones.latest.get((person.subject, visit))
        if link is not None and plan.wave == CALLED:
            self.phones.answers(person, visit, link, now + timedelta(minutes=float(plan.delay_minutes)))
        else:  # no text has reached her: she comes by, and answers at the clinic
            self.stage.at(now + timedelta(hours=3), partial(self._hand_over, person, visit))

    def _is_corrected(self, known: facts.Facts) -> bool:
        return "sms" in known.contacts and known.contacts["sms"].from_at > known.enrolled_at

    def _open_form(self, connection: Any, subject: str, visit: str, now: datetime) -> int | None:
        row = connection.execute(
            select(Assessment.id).where(
                Assessment.subject == subject,
                Assessment.visit == visit,
                Assessment.completed_at.is_(None),
                Assessment.expected.is_(True),
                Assessment.opens_at <= now,
                Assessment.closes_at > now,
            )
        ).scalar()
        return None if row is None else int(row)

    def _known(self, person: Person) -> facts.Facts:
        with reading(self.stage.house.engine) as connection:
            return patients.known_patient(connection, person.subject)

    def _act(self, verb: Any, person: Person, now: datetime, **asked: Any) -> None:
        """One act of the nurse, in a transaction of its own."""
        house = self.stage.house
        with writing(house.engine) as connection:
            verb(connection, house.protocol, subject=person.subject, by=nurse_of(person), now=now, **asked)


def nurse_of(person: Person) -> Actor:
    return Actor(f"nurse.{person.site.lower()}@demo.example", "nurse", "desk")


def _working_day(due_on: date, days: int, last: int) -> date:
    on = due_on + timedelta(days=days)
    if on.weekday() < SATURDAY:
        return on
    monday = on + timedelta(days=7 - on.weekday())
    return monday if monday <= due_on + timedelta(days=last) else on - timedelta(days=on.weekday() - SATURDAY + 1)
