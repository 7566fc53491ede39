"""Who takes part, and what becomes of each, in the sites, arms and strata of this trial?

The simulation of `analysis` says when patients come, what befalls them and how they answer; here each gets a place in
the trial as its own file describes it, and what the simulation does not know: numbers, mistakes, manners.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from typing import Any

from analysis.simulation import SimulatedTrial
from epro.acts import identity_step
from epro.protocol import Protocol
from epro.rehearsal.chance import Chance
from epro.rehearsal.numbers import MANY, fictional_e164
from epro.rehearsal.scenarios import Scenario
from epro.rehearsal.subject_ids import subject_ids

SECOND_STEPS = {identity_step.BIRTH_YEAR: "1958", identity_step.PIN: "2846"}
DAYS_IN_HOSPITAL = (4, 12)
WRONG_BY_DAYS = (3, 25)
HAS_EMAIL = 0.6
STOPS_AT = (1, 4)  # how manieth text is answered with STOP
UNALLOCATED = 4  # numbers of nobody, for those who are entered wrongly
OWN_NUMBERS = 45  # for patients whose number matters; the others share what is left


@dataclass(frozen=True)
class Person:
    """One patient: what is so, and how the clinic gets it wrong at first. Its repr shows no address.

    source: her id in the simulation. phone: her own; typed: as it was entered. first_randomised_on: as it was entered,
    where that was wrong. stops_at: the how manieth text she answers with STOP; None = none.
    """

    subject: str
    source: str
    site: str
    language: str
    strata: Mapping[str, str]
    arm: str
    consented_on: date
    randomised_on: date
    happens: Mapping[str, date]  # surgery, discharge, progression, death, withdrawal
    phone: str = field(repr=False)
    typed: str = field(repr=False)
    email: str | None = field(repr=False)
    second_step: str | None = field(repr=False)
    first_randomised_on: date | None
    stops_at: int | None
    starts_again: bool
    is_strangers_phone: bool
    through_http: bool

    @property
    def died_on(self) -> date | None:
        return self.happens.get("death")


def cast_of(
    protocol: Protocol, simulated: SimulatedTrial, scenario: Scenario, chance: Chance, *, one_in: int | None
) -> list[Person]:
    """Everybody, in the order of consent. one_in: so many patients to one who meets the pages; None = none does.

    Raises Refusal where the trial's pattern gives no more subject ids.
    """
    ids: dict[str, Iterator[str]] = {}
    taken: set[str] = set()
    numbers = _Numbers()
    people = []
    for row in simulated.patients.to_dict("records"):
        source = str(row["subject"])
        site = row["site"] if row["site"] in protocol.sites else _one_of(tuple(protocol.sites), chance, "site", source)
        known = ids.setdefault(site, subject_ids(protocol.trial.subject_pattern, site))
        subject = next(each for each in known if each not in taken)
        taken.add(subject)
        people.append(_person(protocol, row, subject, site, scenario, chance, numbers, one_in))
    return people


def _person(
    protocol: Protocol,
    row: Mapping[Any, Any],
    subject: str,
    site: str,
    scenario: Scenario,
    chance: Chance,
    numbers: _Numbers,
    one_in: int | None,
) -> Person:
    source = str(row["subject"])
    is_wrong = chance.hits(scenario.wrong_number, "wrong number", source)
    is_strangers = not is_wrong and chance.hits(scenario.strangers_phone, "stranger", source)
    stops = not is_wrong and not is_strangers and chance.hits(scenario.stops, "stops", source)
    phone = numbers.own() if is_wrong or is_strangers or stops else numbers.shared()
    kind = protocol.trial.identity_step
    languages = protocol.trial.languages
    return Person(
        subject=subject,
        source=source,
        site=site,
        language=row["language"] if row["language"] in languages else languages[0],
        strata={
            code: row[code] if row.get(code) in stratum.levels else _one_of(stratum.levels, chance, code, source)
            for code, stratum in protocol.strata.items()
        },
        arm=_arm(protocol, str(row["arm"]), chance, source),
        consented_on=row["consented_on"],
        randomised_on=row["randomised_on"],
        happens=_happens(row, chance, source),
        phone=phone,
        typed=numbers.nobodys() if is_wrong else numbers.own() if is_strangers else phone,
        email=_email(protocol, chance, source),
        second_step=SECOND_STEPS.get(kind),
        first_randomised_on=_entered_wrongly(row, scenario, chance, source),
        stops_at=chance.of("stops at", source).randint(*STOPS_AT) if stops else None,
        starts_again=chance.hits(0.5, "starts again", source),
        is_strangers_phone=is_strangers,
        through_http=one_in is not None and chance.of("http", source).randrange(one_in) == 0,
    )


class _Numbers:
    """Who gets which of the numbers that are set aside for fiction; there are fewer than patients."""

    def __init__(self) -> None:
        self._own, self._shared, self._nobodys = count(), count(), count()

    def own(self) -> str:
        return fictional_e164(UNALLOCATED + next(self._own) % OWN_NUMBERS)

    def shared(self) -> str:
        first = UNALLOCATED + OWN_NUMBERS
        return fictional_e164(first + next(self._shared) % (MANY - first))

    def nobodys(self) -> str:
        return fictional_e164(next(self._nobodys) % UNALLOCATED)


def is_allocated(e164: str) -> bool:
    """Whether anybody has this number."""
    return e164 not in {fictional_e164(n) for n in range(UNALLOCATED)}


def _arm(protocol: Protocol, simulated: str, chance: Chance, source: str) -> str:
    """The simulation's control is the reference arm; its surgery is any other."""
    if simulated in protocol.arms:
        return simulated
    arms = list(protocol.arms)
    reference = protocol.analysis.get("reference_arm", arms[-1])
    others = [arm for arm in arms if arm != reference]
    return str(reference) if simulated == "control" else _one_of(others, chance, "arm", source)


def _happens(row: Mapping[Any, Any], chance: Chance, source: str) -> dict[str, date]:
    columns = {"surgery": "surgery_on", "progression": "progression_on", "death": "died_on"}
    columns["withdrawal"] = "withdrawn_on"
    happens = {kind: row[column] for kind, column in columns.items() if isinstance(row[column], date)}
    if "surgery" in happens:
        home_on = happens["surgery"] + chance.days(DAYS_IN_HOSPITAL, "discharge", source)
        if "death" not in happens or home_on < happens["death"]:
            happens["discharge"] = home_on
    return happens


def _email(protocol: Protocol, chance: Chance, source: str) -> str | None:
    gives_one = protocol.schedule.uses_email and chance.hits(HAS_EMAIL, "email", source)
    return f"{source.lower()}@patients.example" if gives_one else None


def _entered_wrongly(row: Mapping[Any, Any], scenario: Scenario, chance: Chance, source: str) -> date | None:
    """A day before or after the right one; none before consent."""
    if not chance.hits(scenario.corrected_date, "wrong date", source):
        return None
    right: date = row["randomised_on"]
    by = chance.days(WRONG_BY_DAYS, "wrong by", source)
    wrong = right - by if chance.hits(0.5, "too early", source) else right + by
    return max(wrong, row["consented_on"]) if wrong < right else wrong


def _one_of(choices: Sequence[str], chance: Chance, *about: object) -> str:
    return chance.of("one of", *about).choice(list(choices))
