"""Is a trial file whole, the analyst's part included? What serves patients reads `epro.protocol` alone."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pydantic import ValidationError

from analysis.plan import AnalysisPlan
from epro.protocol import Protocol, protocol_of, read_document
from questionnaires.located import Document, Fault, Refused, faults_of


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


def _faults_of_analysis(document: Document) -> list[Fault]:
    try:
        AnalysisPlan.model_validate(document.data.get("analysis", {}))
    except ValidationError as error:
        return faults_of(error, document, ("analysis",))
    return []
