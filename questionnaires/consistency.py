"""Does the description of an instrument agree with itself?"""

from collections.abc import Iterator

from questionnaires.contradiction import Contradiction, listed, repeated
from questionnaires.definition import Instrument, Item, Response
from questionnaires.located import KeyPath
from questionnaires.score_consistency import score_contradictions


def contradictions(instrument: Instrument) -> Iterator[Contradiction]:
    """Everything in which the parts of an instrument disagree."""
    for name, response in instrument.responses.items():
        yield from _response_contradictions(name, response)
    yield from _item_contradictions(instrument)
    yield from score_contradictions(instrument)
    if instrument.not_scored is None and not instrument.scores:
        yield Contradiction((), "nothing here is scored", "Add a [[scale]], or say in `not_scored` why there is none.")
    if instrument.not_scored is not None and instrument.scores:
        yield Contradiction(
            ("not_scored",), "this says that there is no score, but there are scales", "Take one of them away."
        )


def _response_contradictions(name: str, response: Response) -> Iterator[Contradiction]:
    if response.options is not None and list(response.options) != sorted(set(response.options)):
        yield Contradiction(
            ("response", name, "options"),
            f"the options of response set {name} are not all different and rising",
            "List each code once, the lowest first.",
        )
    if response.between is not None and response.between[0] >= response.between[1]:
        yield Contradiction(
            ("response", name, "between"), f"response set {name} ends before it begins", "Give the lowest number first."
        )


def _item_contradictions(instrument: Instrument) -> Iterator[Contradiction]:
    items = list(enumerate(instrument.items))
    cure = "Each item stands once, with a code and a number of its own."
    yield from repeated({("item", n, "code"): item.code for n, item in items}, "item", cure)
    yield from repeated({("item", n, "number"): item.number for n, item in items}, "item number", cure)
    for n, item in items:
        keys: KeyPath = ("item", n)
        response = instrument.responses.get(item.response)
        if response is None:
            yield Contradiction(
                (*keys, "response"),
                f"item {item.code} uses the unknown response set {item.response}",
                f"Use one of {listed(instrument.responses)}, or add [response.{item.response}].",
            )
        if item.recall is not None and item.recall not in instrument.recalls:
            yield Contradiction(
                (*keys, "recall"),
                f"item {item.code} uses the unknown recall period {item.recall}",
                f"Use one of {listed(instrument.recalls)}, or add {item.recall} to [recall].",
            )
        if response is not None:
            yield from _recode_contradictions(instrument, item, response, keys)
        yield from _gate_contradictions(instrument, item, n)
        yield from _use_contradictions(instrument, item, response, keys)


def _recode_contradictions(
    instrument: Instrument, item: Item, response: Response, keys: KeyPath
) -> Iterator[Contradiction]:
    if item.recode is None:
        return
    recode = instrument.recodes.get(item.recode)
    if recode is None:
        yield Contradiction(
            (*keys, "recode"),
            f"item {item.code} uses the unknown recode {item.recode}",
            f"Use one of {listed(instrument.recodes)}, or add [recode.{item.recode}].",
        )
    elif len(recode.values) != len(response.codes):
        yield Contradiction(
            (*keys, "recode"),
            f"recode {item.recode} has {len(recode.values)} values, but item {item.code} has "
            f"{len(response.codes)} options",
            "Give one value for each option, the lowest option's first.",
        )


def _gate_contradictions(instrument: Instrument, item: Item, n: int) -> Iterator[Contradiction]:
    gate, keys = item.asked_when, ("item", n, "asked_when")
    if gate is None:
        return
    earlier = {each.code: each for each in instrument.items[:n]}
    if gate.item not in earlier:
        later = any(each.code == gate.item for each in instrument.items)
        yield Contradiction(
            (*keys, "item"),
            f"item {item.code} is asked after an answer to {gate.item}, which "
            + ("does not stand before it" if later else "is no item"),
            "A gate is an item that stands earlier in this file.",
        )
        return
    options = instrument.responses.get(earlier[gate.item].response)
    strange = [each for each in gate.answers if options is not None and each not in options.codes]
    if strange:
        yield Contradiction(
            (*keys, "answers"),
            f"item {item.code} is asked after the answer {listed(strange)} to {gate.item}, which cannot be given",
            f"Use some of its options{_shown(options)}.",
        )
    own = instrument.responses.get(item.response)
    if gate.counts_as is not None and own is not None and gate.counts_as not in own.codes:
        yield Contradiction(
            (*keys, "counts_as"),
            f"item {item.code} counts as {gate.counts_as} when it is not asked, which is no option of its own",
            f"Use one of its options{_shown(own)}.",
        )


def _use_contradictions(
    instrument: Instrument, item: Item, response: Response | None, keys: KeyPath
) -> Iterator[Contradiction]:
    """An item is scored, or says that it is not."""
    parts = [part for scale in instrument.scales for part in scale.items]
    parts += [part for grade in instrument.grades for part in grade.items]
    parts += [part for index in instrument.indices for part in index.parts]
    used = item.code in parts
    if item.scored and response is not None and response.is_text:
        yield Contradiction(keys, f"item {item.code} is text, which is never scored", "Add scored = false to it.")
    elif item.scored and not used and instrument.not_scored is None:
        yield Contradiction(
            keys, f"item {item.code} is scored in no scale", "Add it to a scale, say scored = false, or take it away."
        )
    elif not item.scored and used:
        yield Contradiction(
            (*keys, "scored"),
            f"item {item.code} says that it is not scored, but a scale has it",
            "Take scored = false away, or take it out of the scale.",
        )


def _shown(response: Response | None) -> str:
    if response is None or len(response.codes) > 12:
        return ""
    return f": {listed(response.codes)}"
