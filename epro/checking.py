"""Is a trial file whole, the analyst's part included? What serves patients reads `epro.protocol` alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import ValidationError

from analysis.plan import AnalysisPlan, impossible
from epro.crossreferences import ANCHORS_OF_EVERY_TRIAL
from epro.protocol import Protocol, protocol_of, read_document
from questionnaires.located import Document, Fault, Refused, faults_of
from scheduler.linting import Around, Finding, at_its_longest, lint
from scheduler.ports import SMS
from scheduler.texts import segments

SHORTEST_NAME = 4  # letters; shorter words begin too many others


def check(path: Path, *, on: date | None = None) -> Protocol:
    """The trial file at `path`. Raises Refused with every fault of every section; `on` as in `read_protocol`."""
    document = read_document(path)
    faults: list[Fault] = list(_faults_of_analysis(document))
    protocol = None
    try:
        protocol = protocol_of(document, on=on)
        faults += [] if faults else _unplanned(protocol)
    except Refused as refused:
        faults += refused.faults
    if protocol is None or faults:
        raise Refused(faults)
    return protocol


def warnings_of(protocol: Protocol, around: Around) -> list[Fault]:
    """What the texts give away or cost, and arms that cannot be compared: nothing that stops a trial from starting."""
    findings = [*lint(protocol.schedule.texts, around, own_words=own_words(protocol)), *_unshared_anchors(protocol)]
    return [protocol.document.fault(finding.where, finding.what, finding.cure) for finding in findings]


def _unshared_anchors(protocol: Protocol) -> Iterator[Finding]:
    """Arms are compared at every visit but the baseline: an event that one arm lacks gives it no such visit."""
    for code, visit in protocol.schedule.visits.items():
        if visit.baseline or visit.anchor in ANCHORS_OF_EVERY_TRIAL:
            continue
        having = protocol.schedule.anchors[visit.anchor].arms
        lacking = [arm for arm in protocol.arms if arm not in having]
        where = ("visit", code, "anchor")
        if not having:
            what = f"arms are compared at {code}, and nothing says whether every arm has {visit.anchor!r}"
            arms = ", ".join(f'"{arm}"' for arm in protocol.arms)
            yield Finding(
                where, what, f'Say under [anchors] which do: {visit.anchor} = {{ title = "…", arms = [{arms}] }}.'
            )
        elif lacking:
            without = " or ".join(lacking)
            what = f"arms are compared at {code}, which hangs on {visit.anchor!r}: no patient of {without} has it"
            yield Finding(where, what, "Hang it on randomisation, which every arm has.")


@dataclass(frozen=True)
class Sized:
    """What one text of the ladder takes as an sms, at its longest."""

    language: str
    text: str
    segments: int
    alphabet: str


def sizes_of(protocol: Protocol, address: str) -> list[Sized]:
    """Every text that may go as an sms, below this public address."""
    sized = []
    for language, texts in protocol.schedule.texts.items():
        for code in dict.fromkeys(step.text for step in protocol.schedule.ladder.steps if step.channel == SMS):
            taken = segments(at_its_longest(texts[code], address))
            sized.append(Sized(language, code, taken.count, taken.alphabet))
    return sized


def most_segments(protocol: Protocol, address: str) -> int:
    """Of one patient who answers nothing until the trial is over, in the language whose texts are longest."""
    size = {(one.language, one.text): one.segments for one in sizes_of(protocol, address)}
    steps = [step.text for step in protocol.schedule.ladder.steps if step.channel == SMS]
    dearest = max(sum(size[language, text] for text in steps) for language in protocol.schedule.texts)
    return dearest * len(protocol.schedule.visits)


def own_words(protocol: Protocol) -> list[str]:
    """What names this trial or its sites."""
    trial = protocol.trial
    names = [trial.code, trial.registration, *(site.name for site in protocol.sites.values())]
    return [word for name in names for word in (name, *re.split(r"\W+", name)) if len(word) >= SHORTEST_NAME]


def _faults_of_analysis(document: Document) -> list[Fault]:
    try:
        AnalysisPlan.model_validate(document.data.get("analysis", {}))
    except ValidationError as error:
        return faults_of(error, document, ("analysis",))
    return []


def _unplanned(protocol: Protocol) -> list[Fault]:
    """An analysis that names what the trial does not have."""
    plan = AnalysisPlan.model_validate(protocol.analysis)
    visits = {code: visit.baseline for code, visit in protocol.schedule.visits.items()}
    return [
        protocol.document.fault(("analysis", *each.keys), each.what, each.cure)
        for each in impossible(plan, visits, protocol.strata, protocol.instruments)
    ]
