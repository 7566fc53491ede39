"""Does the description of an instrument agree with itself?"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from questionnaires.definition import Composite, Instrument, Scale
from questionnaires.located import KeyPath


class Contradiction(NamedTuple):
    """What disagrees with the rest, at which keys of the file, and what would be right."""

    keys: KeyPath
    what: str
    cure: str


def contradictions(instrument: Instrument) -> Iterator[Contradiction]:
    """Everything in which the parts of an instrument disagree."""
    yield from _response_contradictions(instrument)
    yield from _item_contradictions(instrument)
    codes: dict[KeyPath, str] = {("scale", n, "code"): scale.code for n, scale in enumerate(instrument.scales)}
    codes |= {("composite", n, "code"): composite.code for n, composite in enumerate(instrument.composites)}
    yield from _repeated(codes, "scale", "Give each scale and composite a code of its own.")
    for n, scale in enumerate(instrument.scales):
        yield from _scale_contradictions(instrument, scale, ("scale", n))
    for n, composite in enumerate(instrument.composites):
        yield from _composite_contradictions(instrument, composite, ("composite", n))


def _response_contradictions(instrument: Instrument) -> Iterator[Contradiction]:
    for name, response in instrument.responses.items():
        keys = ("response", name, "options")
        if list(response.options) != sorted(set(response.options)):
            yield Contradiction(
                keys,
                f"the options of response set {name} are not all different and rising",
                "List each code once, the lowest first.",
            )


def _item_contradictions(instrument: Instrument) -> Iterator[Contradiction]:
    items = list(enumerate(instrument.items))
    cure = "Each item stands once, with a code and a number of its own."
    yield from _repeated({("item", n, "code"): item.code for n, item in items}, "item", cure)
    yield from _repeated({("item", n, "number"): item.number for n, item in items}, "item number", cure)
    scored = {code for scale in instrument.scales for code in scale.items}
    for n, item in items:
        if item.response not in instrument.responses:
            yield Contradiction(
                ("item", n, "response"),
                f"item {item.code} uses the unknown response set {item.response}",
                f"Use one of {_listed(instrument.responses)}, or add [response.{item.response}].",
            )
        if item.recall is not None and item.recall not in instrument.recalls:
            yield Contradiction(
                ("item", n, "recall"),
                f"item {item.code} uses the unknown recall period {item.recall}",
                f"Use one of {_listed(instrument.recalls)}, or add {item.recall} to [recall].",
            )
        if item.code not in scored:
            yield Contradiction(
                ("item", n), f"item {item.code} is scored in no scale", "Add it to a scale, or take it away."
            )


def _scale_contradictions(instrument: Instrument, scale: Scale, keys: KeyPath) -> Iterator[Contradiction]:
    items = {item.code: item for item in instrument.items}
    places = {(*keys, "items", n): code for n, code in enumerate(scale.items)}
    yield from _repeated(places, f"in scale {scale.code}, item", "List each item of a scale once.")
    for place, code in places.items():
        if code not in items:
            yield Contradiction(
                place,
                f"scale {scale.code} uses the unknown item {code}",
                f"Use an item of this file, or add {code} as one.",
            )
    names = {items[code].response for code in scale.items if code in items}
    responses = [instrument.responses[name] for name in names if name in instrument.responses]
    yield from _range_contradictions(scale, {(min(each.options), max(each.options)) for each in responses}, keys)


def _range_contradictions(scale: Scale, ends: set[tuple[int, int]], keys: KeyPath) -> Iterator[Contradiction]:
    """ends: lowest and highest option of the items of the scale."""
    if len(ends) > 1:
        yield Contradiction(
            (*keys, "items"),
            f"the items of scale {scale.code} do not share one lowest and one highest option",
            "Items of one scale are answered on one range; put the others in a scale of their own.",
        )
    for lowest, highest in ends if len(ends) == 1 else ():
        if scale.range != highest - lowest:
            yield Contradiction(
                (*keys, "range"),
                f"scale {scale.code} has range {scale.range}, but its items are answered {lowest} to {highest}",
                f"The range is highest minus lowest option: {highest - lowest}.",
            )


def _composite_contradictions(instrument: Instrument, composite: Composite, keys: KeyPath) -> Iterator[Contradiction]:
    known = [scale.code for scale in instrument.scales]
    places = {(*keys, "scales", n): code for n, code in enumerate(composite.scales)}
    places |= {(*keys, "reversed", n): code for n, code in enumerate(composite.reversed)}
    yield from _repeated(places, f"in {composite.code}, scale", "List each scale once: as it is, or reversed.")
    for place, code in places.items():
        if code not in known:
            yield Contradiction(
                place, f"{composite.code} uses the unknown scale {code}", f"Use some of {_listed(known)}."
            )


def _repeated(values: Mapping[KeyPath, str | int], noun: str, cure: str) -> Iterator[Contradiction]:
    """One contradiction at every place whose value has been met before."""
    seen = set()
    for place, value in values.items():
        if value in seen:
            yield Contradiction(place, f"{noun} {value} stands twice", cure)
        seen.add(value)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none yet"
