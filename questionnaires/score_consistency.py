"""Do the scores of an instrument agree with its items, and with each other?"""

from collections.abc import Iterator

from questionnaires.contradiction import Contradiction, listed, repeated
from questionnaires.definition import (
    STRETCHED,
    Composite,
    Conversion,
    Grade,
    Index,
    Instrument,
    Scale,
    counts,
    levels_of,
    states_of,
)
from questionnaires.located import Key, KeyPath

ONE_CODE = "Give each scale, composite, conversion, grade and value set a code of its own."


def score_contradictions(instrument: Instrument) -> Iterator[Contradiction]:
    """Everything in which the scores of an instrument disagree with the rest of it."""
    codes: dict[KeyPath, str] = {("scale", n, "code"): each.code for n, each in enumerate(instrument.scales)}
    codes |= {("composite", n, "code"): each.code for n, each in enumerate(instrument.composites)}
    codes |= {("conversion", n, "code"): each.code for n, each in enumerate(instrument.conversions)}
    codes |= {("grade", n, "code"): each.code for n, each in enumerate(instrument.grades)}
    codes |= {("index", n, "code"): each.code for n, each in enumerate(instrument.indices)}
    yield from repeated(codes, "scale", ONE_CODE)
    for n, scale in enumerate(instrument.scales):
        yield from _scale_contradictions(instrument, scale, ("scale", n))
    for n, composite in enumerate(instrument.composites):
        yield from _composite_contradictions(instrument, composite, ("composite", n))
    for n, conversion in enumerate(instrument.conversions):
        yield from _conversion_contradictions(instrument, conversion, ("conversion", n))
    for n, grade in enumerate(instrument.grades):
        yield from _grade_contradictions(instrument, grade, ("grade", n))
    for n, index in enumerate(instrument.indices):
        yield from index_contradictions(instrument, index, ("index", n))
    yield from _threshold_contradictions(instrument)


def index_contradictions(instrument: Instrument, index: Index, keys: KeyPath = ()) -> Iterator[Contradiction]:
    """In which a value set disagrees with the instrument; keys: where it stands in its file."""
    levelled = [item.code for item in instrument.items]
    levelled += [scale.code for scale in instrument.scales] + [grade.code for grade in instrument.grades]
    unknown = [(n, part) for n, part in enumerate(index.parts) if part not in levelled]
    for n, part in unknown:
        yield Contradiction(
            (*keys, "parts", n),
            f"{instrument.id} has no item or scale {part}",
            f"Use some of {listed(levelled)}.",
        )
    if (index.values is None) == (index.decrements is None):
        yield Contradiction(
            keys, "a value set gives either decrements or values", "Give one of them: [decrements], or values = [...]."
        )
    if unknown or not _sound(instrument, [part for part in index.parts if _is_item(instrument, part)]):
        return
    if index.values is not None and len(index.values) != states_of(instrument, index.parts):
        yield Contradiction(
            (*keys, "values"),
            f"there are {len(index.values)} values for {states_of(instrument, index.parts)} states",
            "Give one for each state, 11…1 first, the level of the last part changing fastest.",
        )
    if index.decrements is not None:
        yield from _decrement_contradictions(instrument, index, (*keys, "decrements"))


def _decrement_contradictions(instrument: Instrument, index: Index, keys: KeyPath) -> Iterator[Contradiction]:
    given = index.decrements or {}
    for part in index.parts:
        levels = levels_of(instrument, part)
        if part not in given:
            yield Contradiction(keys, f"there are no decrements of {part}", f"Add {part} = [...] here.")
        elif len(given[part]) != len(levels):
            yield Contradiction(
                (*keys, part),
                f"{part} has {len(given[part])} decrements for {len(levels)} levels",
                f"Give one for each of {listed(levels)}; the first is mostly 0.",
            )
    for part in given:
        if part not in index.parts:
            yield Contradiction((*keys, part), f"{part} is not one of the parts", f"They are {listed(index.parts)}.")


def _scale_contradictions(instrument: Instrument, scale: Scale, keys: KeyPath) -> Iterator[Contradiction]:
    yield from _item_list_contradictions(instrument, scale, f"scale {scale.code}", keys)
    if scale.formula in STRETCHED and scale.range is None:
        yield Contradiction(keys, f"scale {scale.code} has no range", "Add the range: highest minus lowest option.")
    if scale.formula not in STRETCHED and scale.range is not None:
        yield Contradiction(
            (*keys, "range"), f"scale {scale.code} is a {scale.formula}, which has no range", "Take the range away."
        )
    if scale.formula == "sum" and scale.needs != "all":
        yield Contradiction(
            (*keys, "needs"),
            f"scale {scale.code} is a sum, which is too low when an item is missing",
            'Write needs = "all", or formula = "mean".',
        )
    if _sound(instrument, scale.items):
        yield from _range_contradictions(instrument, scale, keys)


def _range_contradictions(instrument: Instrument, scale: Scale, keys: KeyPath) -> Iterator[Contradiction]:
    values = [counts(instrument, code) for code in scale.items]
    ends = {(min(each), max(each)) for each in values}
    if len(ends) > 1:
        yield Contradiction(
            (*keys, "items"),
            f"the items of scale {scale.code} do not share one lowest and one highest option",
            "Items of one scale are answered on one range, or recoded to one; put the others in a scale of their own.",
        )
        return
    if scale.formula not in STRETCHED:
        return
    for n, code in enumerate(scale.items):
        if instrument.item(code).recode is not None:
            yield Contradiction(
                (*keys, "items", n),
                f"item {code} is recoded, and scale {scale.code} stretches it once more",
                'Write formula = "mean".',
            )
    ((lowest, highest),) = ends
    if scale.range is not None and scale.range != highest - lowest:
        yield Contradiction(
            (*keys, "range"),
            f"scale {scale.code} has range {scale.range}, but its items are answered {lowest} to {highest}",
            f"The range is highest minus lowest option: {highest - lowest}.",
        )


def _composite_contradictions(instrument: Instrument, composite: Composite, keys: KeyPath) -> Iterator[Contradiction]:
    known = [scale.code for scale in instrument.scales]
    places: dict[KeyPath, str] = {(*keys, "scales", n): code for n, code in enumerate(composite.scales)}
    places |= {(*keys, "reversed", n): code for n, code in enumerate(composite.reversed)}
    yield from repeated(places, f"in {composite.code}, scale", "List each scale once: as it is, or reversed.")
    for place, code in places.items():
        if code not in known:
            yield Contradiction(
                place, f"{composite.code} uses the unknown scale {code}", f"Use some of {listed(known)}."
            )


def _conversion_contradictions(
    instrument: Instrument, conversion: Conversion, keys: KeyPath
) -> Iterator[Contradiction]:
    sums = {scale.code: scale for scale in instrument.scales if scale.formula == "sum"}
    if conversion.scale not in sums:
        yield Contradiction(
            (*keys, "scale"),
            f"{conversion.code} converts {conversion.scale}, which is no sum of this instrument",
            f"Use one of {listed(sums)}.",
        )
    elif _sound(instrument, sums[conversion.scale].items):
        lowest, highest = map(round, instrument.bounds(conversion.scale))
        if (conversion.lowest, len(conversion.values)) != (lowest, highest - lowest + 1):
            yield Contradiction(
                (*keys, "values"),
                f"{conversion.code} has {len(conversion.values)} values from {conversion.lowest} on, but "
                f"{conversion.scale} goes from {lowest} to {highest}",
                "Give one value for each whole number on the way.",
            )


def _grade_contradictions(instrument: Instrument, grade: Grade, keys: KeyPath) -> Iterator[Contradiction]:
    yield from _item_list_contradictions(instrument, grade, f"grade {grade.code}", keys)
    table = instrument.tables.get(grade.table)
    if table is None:
        yield Contradiction(
            (*keys, "table"),
            f"grade {grade.code} uses the unknown table {grade.table}",
            f"Use one of {listed(instrument.tables)}, or add [table.{grade.table}].",
        )
    elif _sound(instrument, grade.items) and len(table.grades) != states_of(instrument, grade.items):
        yield Contradiction(
            (*keys, "table"),
            f"table {grade.table} has {len(table.grades)} grades, but the items of {grade.code} have "
            f"{states_of(instrument, grade.items)} combinations of answers",
            "Give one grade for each, the last item's answer changing fastest.",
        )


def _item_list_contradictions(
    instrument: Instrument, score: Scale | Grade, name: str, keys: KeyPath
) -> Iterator[Contradiction]:
    places: dict[KeyPath, str] = {(*keys, "items", n): code for n, code in enumerate(score.items)}
    yield from repeated(places, f"in {name}, item", "List each item of a scale once.")
    for place, code in places.items():
        if not _is_item(instrument, code):
            yield Contradiction(
                place, f"{name} uses the unknown item {code}", f"Use an item of this file, or add {code} as one."
            )


def _threshold_contradictions(instrument: Instrument) -> Iterator[Contradiction]:
    known = [score.code for score in instrument.scores]
    named: dict[tuple[Key, ...], str] = {}
    for n, threshold in enumerate(instrument.thresholds):
        named |= {("threshold", n, "below", code): code for code in threshold.below}
        named |= {("threshold", n, "above", code): code for code in threshold.above}
    for n, difference in enumerate(instrument.differences):
        named |= {("difference", n, "scales", code): code for code in difference.scales}
    for keys, code in named.items():
        if code not in known:
            yield Contradiction(keys, f"there is no scale {code}", f"Use some of {listed(known)}.")


def _is_item(instrument: Instrument, code: str) -> bool:
    return any(item.code == code for item in instrument.items)


def _sound(instrument: Instrument, items: tuple[str, ...] | list[str]) -> bool:
    """The items, their response sets and recodes are there, so that their answers can be reckoned with."""
    for code in items:
        if not _is_item(instrument, code):
            return False
        item = instrument.item(code)
        response = instrument.responses.get(item.response)
        if response is None or not response.codes:
            return False
        recode = instrument.recodes.get(item.recode) if item.recode is not None else None
        if item.recode is not None and (recode is None or len(recode.values) != len(response.codes)):
            return False
    return True
