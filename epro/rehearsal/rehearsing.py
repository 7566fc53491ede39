"""Put a rehearsal together: the house, the people, the weather, the carrier, and whoever acts; then play it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

import scheduler
from analysis.simulation import SimulatedTrial, simulate
from epro.acts.trial import adopt
from epro.house import House
from epro.opening import in_force
from epro.protocol import Protocol
from epro.rehearsal.carrier import RehearsalCarrier
from epro.rehearsal.cast import Person, cast_of
from epro.rehearsal.chance import Chance
from epro.rehearsal.clinic import Clinic
from epro.rehearsal.doors import Pages, Verbs
from epro.rehearsal.office import OFFICE, Office, amended_of
from epro.rehearsal.phones import Phones
from epro.rehearsal.player import Player
from epro.rehearsal.scenarios import EXPECTED, Scenario
from epro.rehearsal.stage import PlayedClock, Stage
from epro.rehearsal.weather import Breaking, Weather, weather_of
from epro.store.database import open_engine, writing
from scheduler.carriers.console import Console
from scheduler.messages import Plan

FIRST_DAY = date(2027, 1, 4)
ACCRUAL_MONTHS = 24.0
SILENT = "rehearsal.pages"
AFTERWARDS = timedelta(days=5)  # after the last window closes: receipts are waited for, no longer


@dataclass(frozen=True)
class Asked:
    """What is to be rehearsed. one_in: so many patients to one who meets the pages; 1 = all, None = none.

    amended: the file that comes into force in mid-trial; None = this one, with every text an hour later.
    """

    patients: int = 200
    seed: int = 1
    scenario: Scenario = EXPECTED
    first_day: date = FIRST_DAY
    accrual_months: float = ACCRUAL_MONTHS
    one_in: int | None = 10
    amended: Protocol | None = None


def simulated_of(protocol: Protocol, asked: Asked) -> SimulatedTrial:
    return simulate(
        seed=asked.seed,
        subjects=asked.patients,
        visits={code: visit.month for code, visit in protocol.schedule.visits.items()},
        start_on=asked.first_day,
        accrual_months=asked.accrual_months,
        scenario=asked.scenario.answers,
    )


def player_of(
    house: House,
    asked: Asked,
    *,
    outbox: Callable[[PlayedClock], Console] | None = None,
    until: datetime | None = None,
) -> Player:
    """Everybody on stage, before the first enrolment. until: None = some days after the last window closes.

    The trial file is adopted on the first day, where it is not yet, as that of a simulated trial. Raises Refusal.
    """
    protocol, chance = house.protocol, Chance(asked.seed)
    simulated = simulated_of(protocol, asked)
    people = cast_of(protocol, simulated, asked.scenario, chance, one_in=asked.one_in)
    start = datetime.combine(asked.first_day, time(6), tzinfo=protocol.zone).astimezone(UTC)
    clock = PlayedClock(start)
    with writing(house.engine) as connection:
        adopt(connection, protocol, by=OFFICE, now=start, simulated=True)
    house = replace(in_force(house), clock=clock)
    plans = [true_plan(protocol, person) for person in people]
    end = until or max(visit.closes_at for plan in plans for visit in plan.visits) + AFTERWARDS
    weather = weather_of(asked.scenario, chance, _invitations(plans, end))
    stage = Stage(house, {person.subject: person for person in people}, asked.scenario, chance, clock, end)
    amended = None if until else asked.amended or amended_of(protocol)
    return _acting(stage, simulated, weather, outbox(clock) if outbox else None, Office(stage, amended, start))


def _acting(
    stage: Stage, simulated: SimulatedTrial, weather: Weather, outbox: Console | None, office: Office
) -> Player:
    house = stage.house
    onlooking = open_engine(house.engine.url.render_as_string(hide_password=False), durable=False)
    Breaking(weather, stage.clock, stage.chance).attach(house.engine)
    carrier = RehearsalCarrier(stage.clock, stage.chance, weather, stage.scenario.reply_lost, outbox)
    phones = Phones(stage, simulated, carrier, Verbs(stage), _pages(stage), onlooking, lambda at: player.beat(at))
    player = Player(stage, phones, Clinic(stage, phones), office, carrier, weather, onlooking)
    return player


def _pages(stage: Stage) -> Pages | None:
    if not any(person.through_http for person in stage.people.values()):
        return None
    from epro.web.app import create_app

    app = create_app(stage.house)
    app.logger = logging.getLogger(SILENT)  # outages are meant; the service's own log goes on
    app.logger.setLevel(logging.CRITICAL + 1)
    return Pages(stage, app)


def true_plan(protocol: Protocol, person: Person) -> Plan:
    """What would be due to her, were every day known at once and entered right."""
    anchors = {"consent": person.consented_on, "randomisation": person.randomised_on, **person.happens}
    return scheduler.plan(protocol.schedule, anchors, subject=person.subject, zone=protocol.trial.zone)


def _invitations(plans: Sequence[Plan], end: datetime) -> list[datetime]:
    """When the first text of each visit is due."""
    first = (message.send_at for plan in plans for message in plan.messages if message.position == 0)
    return sorted(at for at in first if at is not None and at < end)
