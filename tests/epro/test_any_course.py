"""Whatever happens in whatever order, every rule of a rehearsal holds at every step.

A machine draws the course: enrolments, answers, ticks, replies, receipts, outages, amendments, corrections, deaths,
withdrawals, and a database that comes back from a backup.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

import scheduler
from epro.acts import patients
from epro.acts.amendments import Amendment, amend
from epro.acts.answers import Said
from epro.acts.enrolment import Enrolment
from epro.acts.restoring import release, restored, settle, unsettled
from epro.acts.trial import adopt
from epro.house import House
from epro.opening import cipher_of, in_force, letters_of
from epro.protocol import read_protocol
from epro.rehearsal.carrier import RehearsalCarrier
from epro.rehearsal.chance import Chance
from epro.rehearsal.doors import Verbs, Visitor
from epro.rehearsal.numbers import fictional_e164
from epro.rehearsal.office import amended_of
from epro.rehearsal.places import Imagined
from epro.rehearsal.scenarios import EXPECTED
from epro.rehearsal.stage import Kept, PlayedClock, Stage
from epro.rehearsal.watching import Watching
from epro.rehearsal.weather import CARRIER, DATABASE, Breaking, Outage, Weather
from epro.store.database import open_engine, reading, writing
from epro.store.migrating import TABLES
from epro.versions import BY_AMENDMENT
from scheduler import ledger
from scheduler.ports import Receipt, Received
from tests import databases
from tests.epro.conftest import NURSE
from tests.epro.rehearsed import write_small_trial

START = datetime(2027, 3, 1, 8, tzinfo=UTC)
SUBJECTS = ("UME-001", "UME-002", "GBG-001")
STEPS = (timedelta(minutes=1), timedelta(hours=3), timedelta(hours=26), timedelta(days=5), timedelta(days=30))
CLOCKS_DIFFER_BY = timedelta(minutes=5)
STATUSES = ("accepted", "delivered", "undelivered")


@pytest.fixture
def house(schema, tmp_path):
    """A house on a small trial; its database is emptied for every course."""
    trial = write_small_trial(tmp_path / "small.toml")
    told = {"secret_key": "not a secret", "contact_keys": [Fernet.generate_key().decode()]}
    imagined = Imagined(home=tmp_path, trial=trial, database_url=schema, **told)
    engine = open_engine(schema, durable=False)
    yield House(imagined, read_protocol(trial), engine, cipher_of(imagined), lambda: START)
    engine.dispose()


class Course(RuleBasedStateMachine):
    house: House  # set by the test

    def __init__(self):
        super().__init__()
        self.onlooking = open_engine(self.house.settings.database, durable=False)
        self.engine = open_engine(self.house.settings.database, durable=False)
        databases.empty(self.onlooking)
        self.clock, self.weather = PlayedClock(START), Weather()
        house = replace(self.house, engine=self.engine, clock=self.clock)
        with writing(self.engine) as connection:
            adopt(connection, house.protocol, by=NURSE, now=START, simulated=True)
        self.first = in_force(house)
        self.stage = Stage(self.first, {}, EXPECTED, Chance(1), self.clock, START + timedelta(days=3650))
        self.breaking = Breaking(self.weather, self.clock, Chance(1))
        self.breaking.attach(self.engine)
        self.carrier = RehearsalCarrier(self.clock, Chance(1), self.weather)
        self.watching = Watching(self.stage, self.carrier, self.onlooking)
        self.door = Verbs(self.stage)
        self.links: list[tuple[str, str, str]] = []
        self.enrolled: list[str] = []
        self.unreported: list[str] = []
        self.backup = None
        self.written: list[Received] = []
        self.said = 0

    def teardown(self):
        self.clock.at += timedelta(days=4)
        self._weather()
        self._beat()
        self.watching.look(self.clock.at)
        self.watching.look_at_the_end(self.clock.at)
        found = [(one.invariant, one.sentence) for one in self.watching.breaches]
        self.engine.dispose()
        self.onlooking.dispose()
        assert found == []

    @invariant()
    def every_rule_holds(self):
        self.watching.look(self.clock.at)
        assert [(one.invariant, one.sentence) for one in self.watching.breaches] == []

    @precondition(lambda self: len(self.enrolled) < len(SUBJECTS))
    @rule(days=st.integers(0, 20))
    def enrol(self, days):
        """A patient who consented some days ago and is randomised at once; the first two share a phone."""
        n = len(self.enrolled)
        subject, on = SUBJECTS[n], self.stage.today(self.clock.at)
        asked = Enrolment(
            subject=subject,
            site=subject[:3],
            language="sv",
            strata={"er": "pos", "metastases": "1"},
            consented_on=on - timedelta(days=days),
            eligible=True,
            texts_allowed=True,
            phone=fictional_e164(10 + n // 2),
            email=f"{subject.lower()}@patients.example" if n == 2 else None,
            randomised_on=on,
            arm="surgery",
        )
        if self._do(patients.enrol, None, self.stage.house.cipher, asked):
            self.enrolled.append(subject)

    @rule(step=st.sampled_from(STEPS))
    def wait(self, step):
        self.clock.at += step

    @rule()
    def tick(self):
        self._beat()

    @rule(kind=st.sampled_from([CARRIER, DATABASE]), hours=st.integers(1, 40))
    def outage(self, kind, hours):
        self._weather(Outage(kind, self.clock.at, self.clock.at + timedelta(hours=hours)))

    @precondition(lambda self: self.links)
    @rule(which=st.integers(0, 50), items=st.integers(0, 30), sends=st.booleans())
    def answer(self, which, items, sends):
        subject, visit, token = self.links[which % len(self.links)]
        visitor = Visitor(None, token)  # type: ignore[arg-type]
        said = [Said("qlq-c30", f"q{n}", 1 + (n + which) % 4, f"{self.said + n:032x}") for n in range(1, items + 1)]
        said = [one for one in said if one.item not in ("q29", "q30")]
        self.said += 100
        kept = self._try(lambda: self.door.begin(visitor, said, self.clock.at))
        if kept:
            self.stage.diary.kept += [Kept(subject, visit, s.instrument, s.item, s.value, s.text) for s in kept]
        if sends and kept is not None and self._try(lambda: self.door.send(visitor, self.clock.at)):
            self.stage.diary.sent_in.add((subject, visit))

    @precondition(lambda self: self.enrolled)
    @rule(n=st.integers(0, 2), body=st.sampled_from(["STOPP", "START", "SENARE", "ring mig", "jag är trött"]))
    def reply(self, n, body):
        self.said += 1
        number, ref = fictional_e164(10 + n // 2), f"reply-{self.said}"
        if body == "STOPP":
            self.carrier.blocked.add(number)
        if body == "START":
            self.carrier.blocked.discard(number)
        self.written.append(Received(ref, self.clock.at, number, body))
        self._try(lambda: self.door.reply(number, body, ref, self.clock.at))

    @precondition(lambda self: self.unreported)
    @rule(
        which=st.integers(0, 50), status=st.sampled_from(["accepted", "delivered", "undelivered"]), late=st.booleans()
    )
    def receipt(self, which, status, late):
        """Told once or again, in any order, with a code that ends a number or does not."""
        token = self.unreported[which % len(self.unreported)]
        code = (30005 if late else 30003) if status == "undelivered" else None
        self._try(lambda: self.door.receipt(Receipt(token, token, status, code), self.clock.at))

    @precondition(lambda self: self.enrolled and len(self.stage.house.protocol.versions) < 2)
    @rule()
    def amend(self):
        amended = amended_of(self.stage.house.protocol)
        from_on = self.stage.today(self.clock.at) + timedelta(days=1)

        def act():
            with writing(self.engine) as connection:
                amend(connection, Amendment(amended, BY_AMENDMENT, from_on), by=NURSE, now=self.clock.at)
            return True

        if self._try(act):
            self.stage.house = in_force(self.stage.house)

    @precondition(lambda self: self.enrolled)
    @rule(n=st.integers(0, 2), days=st.integers(0, 40))
    def correct(self, n, days):
        on = self.stage.today(self.clock.at) - timedelta(days=days)
        self._do(patients.correct_randomisation, n, on=on, reason="mistyped")

    @precondition(lambda self: self.enrolled)
    @rule(n=st.integers(0, 2), days=st.integers(0, 10))
    def die(self, n, days):
        self._do(patients.record_death, n, on=self.stage.today(self.clock.at) - timedelta(days=days))

    @precondition(lambda self: self.enrolled)
    @rule(n=st.integers(0, 2))
    def withdraw(self, n):
        self._do(patients.withdraw, n, on=self.stage.today(self.clock.at), reason="own wish")

    @rule()
    def back_up(self):
        """Every row, and what people knew by then: what comes later is lost with the database."""
        with reading(self.onlooking) as connection:
            tables = [table for metadata in TABLES for table in metadata.sorted_tables]
            rows = [(table, [dict(row._mapping) for row in connection.execute(select(table))]) for table in tables]
        known = (self.enrolled, self.stage.diary.kept, self.stage.diary.sent_in, self.watching.record.standing)
        self.backup = (self.clock.at, rows, copy.deepcopy(known), self._seen(), self.stage.house)

    @precondition(lambda self: self.backup is not None)
    @rule()
    def restore(self):
        """The database of then; the carrier names what it took since, and nothing is sent a second time."""
        at, rows, known, (heard, heads), house = self.backup
        self._weather()
        databases.fill(self.onlooking, rows)
        enrolled, kept, sent_in, standing = copy.deepcopy(known)
        self.enrolled, self.stage.diary.kept, self.stage.diary.sent_in = enrolled, kept, sent_in
        self.watching.record.standing, self.watching._heard, self.watching._told = standing, heard, len(kept)
        self.watching._heads, self.watching._touched = dict(heads), self.watching._touched & set(enrolled)
        self.stage.house, self.backup = house, None
        with writing(self.engine) as connection:
            restored(connection, at, by=NURSE, now=self.clock.at)
        listed = self.carrier.sent_since(at - CLOCKS_DIFFER_BY)
        protocol, cipher = house.protocol, house.cipher
        with writing(self.engine) as connection:
            settled = settle(connection, protocol, cipher, listed, self._received(at), by=NURSE, now=self.clock.at)
        self.stage.diary.unplaced |= set(settled.unplaced)
        with writing(self.engine) as connection:
            if unsettled(connection) is not None:
                asked = {"could_tell": True, "reason": "looked into", "by": NURSE, "now": self.clock.at}
                release(connection, protocol, **asked)

    def _seen(self):
        """Up to where she who looks on has read the database."""
        return self.watching._heard, dict(self.watching._heads)

    def _received(self, since):
        """What patients wrote, of which the backup knows nothing."""
        return [one for one in self.written if one.at >= since - CLOCKS_DIFFER_BY]

    def _weather(self, *outages):
        self.weather = Weather(outages)
        self.carrier.weather = self.breaking.weather = self.weather

    def _do(self, verb, n, *arguments, **asked):
        """One act of the nurse; a refusal and a database that is away are both no act."""
        subject = () if n is None else (self.enrolled[n % len(self.enrolled)],)

        def act():
            with writing(self.engine) as connection:
                verb(connection, self.stage.house.protocol, *arguments, *subject, **asked, by=NURSE, now=self.clock.at)
            return True

        return self._try(act)

    def _try(self, act):
        try:
            return act()
        except (patients.Refusal, OperationalError):
            return None

    def _beat(self):
        now, writer = self.clock.at, letters_of(self.stage.house)
        self._try(lambda: scheduler.tick(self.engine, now, writer, self.carrier))
        self._try(lambda: scheduler.reconcile(self.engine, now, writer, self.carrier))
        handed = self.carrier.take_handed()
        with reading(self.onlooking) as connection:
            keys = ledger.keys_of_attempts(connection, [one.attempt for one in handed])
        for one in handed:
            self.unreported.append(one.attempt)
            self.links.append((*keys[one.attempt].split("/")[:2], one.link))


def run(house, *, examples, steps):
    course = type("CourseOfThisHouse", (Course,), {"house": house})
    how = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],  # tokens are drawn anew in every run, so that no course can be shrunk
        report_multiple_bugs=False,
    )
    run_state_machine_as_test(course, settings=how)


def test_every_rule_holds_in_any_course(house):
    run(house, examples=8, steps=25)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_every_rule_holds_in_five_hundred_courses(house):
    run(house, examples=500, steps=50)
