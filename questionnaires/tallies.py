"""How do the answers of many forms become each score, and from how many of its parts?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from questionnaires.columns import Column, Mask, Numbers
from questionnaires.definition import (
    STRETCHED,
    Composite,
    Conversion,
    Grade,
    Index,
    Instrument,
    Scale,
    Score,
    counts,
    levels_of,
)

Counts = NDArray[np.int16]  # of items or scales


@dataclass(frozen=True)
class Tally:
    """One score over all rows: its value (NaN = missing), and how many of its parts are there, invalid, not asked.

    of_items: its parts are items, not scales.
    """

    score: Score
    value: Numbers
    answered: Counts
    invalid: Counts
    closed: Counts
    needed: int
    of_items: bool = True


def tallies_of(columns: Mapping[str, Column], instrument: Instrument) -> dict[str, Tally]:
    """Every score whose parts are there, by code, in the order of the instrument."""
    tallies: dict[str, Tally] = {}
    for score in instrument.scores:
        tally = _tally(score, columns, tallies, instrument)
        if tally is not None:
            tallies[score.code] = tally
    return tallies


def _tally(
    score: Score, columns: Mapping[str, Column], tallies: Mapping[str, Tally], instrument: Instrument
) -> Tally | None:
    """None when an item bank's answers hold no item of this score."""
    match score:
        case Scale() if any(code in columns for code in score.items):
            return _scale(score, columns, instrument)
        case Composite() if all(code in tallies for code in (*score.scales, *score.reversed)):
            return _composite(score, tallies)
        case Conversion() if score.scale in tallies:
            return _conversion(score, tallies[score.scale])
        case Grade() if any(code in columns for code in score.items):
            return _looked_up(score, score.items, instrument.tables[score.table].grades, columns, {}, instrument)
        case Index() if all(code in columns or code in tallies for code in score.parts):
            return _index(score, columns, tallies, instrument)
        case _:
            return None


def _scale(scale: Scale, columns: Mapping[str, Column], instrument: Instrument) -> Tally:
    found = [(code, columns[code]) for code in scale.items if code in columns]
    answered, invalid, closed = _counted([column for _, column in found])
    total = np.zeros(len(answered))
    for code, column in found:
        values = _recoded(column, code, instrument)
        if scale.formula == "highest":
            np.maximum(total, values, out=total)
        else:
            total += values
    scored = answered >= scale.needed
    if scale.formula in ("sum", "highest"):
        value = np.where(scored, total, np.nan)
    else:
        value = np.divide(total, answered, out=np.full(len(total), np.nan), where=scored)
    if scale.formula in STRETCHED:
        assert scale.range is not None  # held by `contradictions`
        value = (value - instrument.options(scale.items[0])[0]) / scale.range * 100
    if scale.formula == "functional":
        value = 100 - value
    return Tally(scale, value, answered, invalid, closed, scale.needed)


def _recoded(column: Column, item: str, instrument: Instrument) -> Numbers:
    """What each answer counts as; 0 where there is none."""
    if instrument.item(item).recode is None:
        return column.values
    place = np.searchsorted(np.array(instrument.options(item)), column.values)
    return np.where(column.answered, np.array(counts(instrument, item))[place], 0)


def _composite(composite: Composite, tallies: Mapping[str, Tally]) -> Tally:
    parts = [tallies[code].value for code in composite.scales]
    parts += [100 - tallies[code].value for code in composite.reversed]
    mean = sum(parts[1:], parts[0]) / len(parts)
    return _of_scales(composite, mean, parts)


def _conversion(conversion: Conversion, tally: Tally) -> Tally:
    known = ~np.isnan(tally.value)
    value = np.full(len(known), np.nan)
    place = (tally.value[known] - conversion.lowest).astype(np.intp)
    value[known] = np.array(conversion.values)[place]
    return replace(tally, score=conversion, value=value)


def _index(index: Index, columns: Mapping[str, Column], tallies: Mapping[str, Tally], instrument: Instrument) -> Tally:
    if index.values is not None:
        return _looked_up(index, index.parts, index.values, columns, tallies, instrument)
    assert index.decrements is not None  # held by `contradictions`
    levels = [_level(part, columns, tallies, instrument) for part in index.parts]
    value = np.ones(len(levels[0][0]))
    for part, (level, there) in zip(index.parts, levels, strict=True):
        value -= np.where(there, np.array(index.decrements[part])[level], np.nan)
    return _of_parts(index, value, index.parts, columns, tallies)


def _looked_up(
    score: Grade | Index,
    parts: Sequence[str],
    table: Sequence[float],
    columns: Mapping[str, Column],
    tallies: Mapping[str, Tally],
    instrument: Instrument,
) -> Tally:
    """The entry of a table that belongs to the levels of all parts; the last part's level changes fastest."""
    known = next(code for code in parts if code in columns or code in tallies)
    rows = len(columns[known].values if known in columns else tallies[known].value)
    place, there = np.zeros(rows, dtype=np.intp), np.ones(rows, dtype=np.bool_)
    for part in parts:
        place *= len(levels_of(instrument, part))
        if part in columns or part in tallies:
            level, answered = _level(part, columns, tallies, instrument)
            place += level
            there &= answered
        else:
            there[:] = False
    value = np.where(there, np.array(table, dtype=np.float64)[np.where(there, place, 0)], np.nan)
    return _of_parts(score, value, parts, columns, tallies)


def _level(
    part: str, columns: Mapping[str, Column], tallies: Mapping[str, Tally], instrument: Instrument
) -> tuple[NDArray[np.intp], Mask]:
    """The level of an item or scale, the lowest = 0, and where it is known."""
    if part in columns:
        value, there = columns[part].values, columns[part].answered
    else:
        value, there = tallies[part].value, ~np.isnan(tallies[part].value)
    lowest = levels_of(instrument, part)[0]
    return np.where(there, value - lowest, 0).astype(np.intp), there


def _of_parts(
    score: Score, value: Numbers, parts: Sequence[str], columns: Mapping[str, Column], tallies: Mapping[str, Tally]
) -> Tally:
    if any(part in tallies for part in parts):
        known = [tallies[part].value if part in tallies else _or_nan(columns[part]) for part in parts]
        return _of_scales(score, value, known)
    return Tally(score, value, *_counted([columns[part] for part in parts if part in columns]), len(parts))


def _or_nan(column: Column) -> Numbers:
    return np.where(column.answered, column.values, np.nan)


def _of_scales(score: Score, value: Numbers, parts: Sequence[Numbers]) -> Tally:
    answered = _how_many([~np.isnan(part) for part in parts], len(value))
    none = np.zeros_like(answered)
    return Tally(score, value, answered, none, none, len(parts), of_items=False)


def _counted(columns: Sequence[Column]) -> tuple[Counts, Counts, Counts]:
    """In each row: how many of the columns are answered, invalid, and not asked for."""
    rows = len(columns[0].values)
    unasked = [column.closed & ~column.answered for column in columns if column.closed is not None]
    return (
        _how_many([column.answered for column in columns], rows),
        _how_many([column.invalid for column in columns if column.invalid is not None], rows),
        _how_many(unasked, rows),
    )


def _how_many(masks: Sequence[Mask], rows: int) -> Counts:
    """In each row: how many of the masks are true."""
    total = np.zeros(rows, dtype=np.int16)
    for mask in masks:
        total += mask
    return total
