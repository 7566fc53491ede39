"""Play a trial from beginning to end with somebody looking on, and say what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from epro.house import House
from epro.rehearsal.advice import Advice, advice_of
from epro.rehearsal.invariants import AT_EVERY_STEP
from epro.rehearsal.player import Player, Progress
from epro.rehearsal.precision import Precision, precisions
from epro.rehearsal.reckoning import (
    Calls,
    Completion,
    OutageCost,
    PatientPage,
    Silence,
    Texts,
    calls_of,
    completions,
    longest_silence,
    outage_costs,
    pages,
    texts_of,
)
from epro.rehearsal.rehearsing import Asked, player_of
from epro.rehearsal.watching import Breach, Watching
from epro.rehearsal.whole import AS_A_WHOLE, CHAIN, RECORD
from epro.store.database import reading

DAYS_A_MONTH = 30.4375


@dataclass(frozen=True)
class Held:
    """An invariant, and how often it was broken."""

    name: str
    story: str
    broken: int


@dataclass(frozen=True)
class Rehearsed:
    """What a rehearsal found; its JSON has the same names."""

    trial: Mapping[str, str]
    asked: Mapping[str, Any]
    first_on: str
    last_on: str
    steps: int
    completion: list[Completion]
    texts: Texts
    calls: Calls
    silence: Silence | None
    outages: list[OutageCost]
    happened: Mapping[str, int]
    precision: list[Precision]
    advice: list[Advice]
    rules: list[Held]
    breaches: list[Breach]
    patients: list[PatientPage]


def rehearse(house: House, asked: Asked, progress: Progress, tell: Callable[[str], None] = lambda _: None) -> Rehearsed:
    """Play the trial in this empty house, and reckon up. tell: told what is done after the playing. Raises Refusal."""
    player = player_of(house, asked)
    watching = Watching(player.stage, player.carrier, player.onlooking)
    player.onlooker = watching
    player.play(progress)
    tell("Looking at everything once more")
    watching.look_at_the_end(player.stage.until)
    tell("Analysing what came in")
    try:
        return _reckoned(player, watching, asked)
    finally:
        player.close()


def _reckoned(player: Player, watching: Watching, asked: Asked) -> Rehearsed:
    stage, diary = player.stage, player.stage.diary
    house, protocol = stage.house, stage.house.protocol
    followed = (stage.until.date() - asked.first_day).days / DAYS_A_MONTH - asked.accrual_months
    found = precisions(house, asked, house.settings.home / "trial-folder", followed, stage.until)
    with reading(player.onlooking) as connection:
        patients = pages(connection, stage, player.carrier.taken)
        completion = completions(connection, protocol, stage.until)
        silence = longest_silence(connection, stage, patients)
        outages = list(outage_costs(connection, player.weather.outages, diary))
    return Rehearsed(
        trial=_trial(house),
        asked=as_asked(asked),
        first_on=asked.first_day.isoformat(),
        last_on=stage.until.date().isoformat(),
        steps=player.steps,
        completion=completion,
        texts=texts_of(protocol, patients),
        calls=calls_of(diary.calls, stage),
        silence=silence,
        outages=outages,
        happened={**dict(sorted(diary.happened.items())), "links that opened nothing any more": diary.closed_doors},
        precision=found,
        advice=advice_of(protocol, list(stage.people.values()), patients, completion),
        rules=_rules(watching.breaches),
        breaches=watching.breaches,
        patients=patients,
    )


def _trial(house: House) -> dict[str, str]:
    trial = house.protocol.trial
    first = house.protocol.versions[0].sha256
    return {"code": trial.code, "title": trial.title, "sha256": first, "zone": trial.zone, "epro": version("epro")}


def as_asked(asked: Asked) -> dict[str, Any]:
    """What was asked for, as it is written down."""
    return {
        "patients": asked.patients,
        "seed": asked.seed,
        "scenario": asked.scenario.name,
        "scenario_title": asked.scenario.title,
        "first_day": asked.first_day.isoformat(),
        "accrual_months": asked.accrual_months,
        "through_pages": "none" if asked.one_in is None else "all" if asked.one_in == 1 else f"one in {asked.one_in}",
    }


def _rules(breaches: list[Breach]) -> list[Held]:
    steps = [(one.name, one.story) for one in AT_EVERY_STEP]
    told = [*steps, *((one.name, one.story) for one in (*AS_A_WHOLE, CHAIN, RECORD))]
    return [Held(name, story, sum(found.invariant == name for found in breaches)) for name, story in told]
