"""What does a patient say to each question of a form?

The QLQ-C30 is answered as simulated. Any other questionnaire is answered from the same health: the worse it is, the
higher the option, with some noise; a gate that her answers close is not passed.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from analysis.simulation import SimulatedTrial
from epro.acts.answers import Said
from epro.protocol import Protocol
from epro.rehearsal.chance import Chance
from questionnaires.branching import asked
from questionnaires.definition import Instrument

SIMULATED = "qlq-c30"
LEFT_BLANK = 0.01
NOISE = 0.2  # of a scale's length, around what her health would have her choose
WORDS = "Words of an invented patient"


def said_by(
    protocol: Protocol, simulated: SimulatedTrial, chance: Chance, subject: str, source: str, visit: str, version: int
) -> list[Said]:
    """Every answer to one visit's form, in the order of the questions, each with a key of its own."""
    answers: list[Said] = []
    for code in protocol.visit(visit, version).instruments:
        instrument = protocol.instruments[code]
        given = dict(_of_instrument(instrument, simulated, chance, source, visit))
        for item in asked(instrument, given):
            value = given[item]
            key = f"{chance.of('key', subject, visit, code, item).getrandbits(128):032x}"
            is_text = isinstance(value, str)
            answers.append(
                Said(code, item, None if is_text else value, key, text=value if is_text else None)  # type: ignore[arg-type]
            )
    return answers


def _of_instrument(
    instrument: Instrument, simulated: SimulatedTrial, chance: Chance, source: str, visit: str
) -> Iterator[tuple[str, int | str | None]]:
    if instrument.id == SIMULATED:
        yield from simulated.said(source, visit).items()
        return
    health: Any = simulated.truth.at[(source, visit), "QL"]
    burden = 1 - float(health) / 100
    drawn = chance.of("answers", instrument.id, source, visit)
    for item in instrument.items:
        yield item.code, _option(instrument, item.code, burden, drawn)


def _option(instrument: Instrument, item: str, burden: float, drawn: Random) -> int | str | None:
    options = instrument.options(item)
    place, is_blank = min(max(burden + drawn.gauss(0, NOISE), 0.0), 1.0), drawn.random() < LEFT_BLANK
    if is_blank:
        return None
    return options[round(place * (len(options) - 1))] if options else WORDS
