"""Is a trial file whole, the analyst's part included? What serves patients reads `epro.protocol` alone."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

from pydantic import ValidationError

from analysis.plan import AnalysisPlan
from epro.protocol import Protocol, protocol_of, read_document
from questionnaires.located import Document, Fault, Refused, faults_of
from scheduler.linting import lint

SHORTEST_NAME = 4  # letters; shorter words begin too many others


def check(path: Path, *, on: date | None = None) -> Protocol:
    """The trial file at `path`. Raises Refused with every fault of every section; `on` as in `read_protocol`."""
    document = read_document(path)
    faults: list[Fault] = list(_faults_of_analysis(document))
    protocol = None
    try:
        protocol = protocol_of(document, on=on)
    except Refused as refused:
        faults += refused.faults
    if protocol is None or faults:
        raise Refused(faults)
    return protocol


def warnings_of(protocol: Protocol, *, sender: str, address: str) -> list[Fault]:
    """What the texts give away or cost: nothing that stops a trial, everything to think of before it starts."""
    findings = lint(protocol.schedule.texts, address=address, sender=sender, own_words=own_words(protocol))
    return [protocol.document.fault(finding.where, finding.what, finding.cure) for finding in findings]


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
