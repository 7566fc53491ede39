"""Do the parts of a trial file agree where no library can see both sides?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import questionnaires
from epro.alerting import wrong_of
from epro.store.contacts import NotAMobile, parse_mobile
from questionnaires.definition import Instrument
from questionnaires.located import Document, Fault, Refused
from questionnaires.wording import Wording, wording_of

if TYPE_CHECKING:
    from epro.protocol import Sections
    from scheduler.schedule import Schedule

OWN_PACKS = "wordings"  # a folder of packs beside the trial file
ANCHORS_OF_EVERY_TRIAL = ("consent", "randomisation")
DAYS_RECORDED = (*ANCHORS_OF_EVERY_TRIAL, "surgery", "discharge", "progression")  # what staff can give a day for


def unknown_sections(document: Document, known: Sequence[str]) -> Iterator[Fault]:
    for name in document.data:
        if name not in known:
            listed = ", ".join(f"[{each}]" for each in known)
            yield document.fault((name,), f"there is no section [{name}]", f"The sections are {listed}.")


def disagreements(document: Document, sections: Sections) -> Iterator[Fault]:
    """Between the service's sections and [analysis]."""
    for code, site in sections.sites.items():
        try:
            parse_mobile(site.phone, sections.trial.country)
        except NotAMobile as error:
            yield document.fault(("sites", code, "phone"), f"the phone of site {code} cannot be called", str(error))
    analysis: dict[str, Any] = document.data.get("analysis", {})
    reference = analysis.get("reference_arm")
    if reference is not None and reference not in sections.arms:
        arms = f"The arms are {', '.join(sections.arms)}."
        yield document.fault(("analysis", "reference_arm"), f"no arm is called {reference!r}", arms)
    for position, stratum in enumerate(analysis.get("strata", ())):
        if stratum not in sections.strata:
            strata = f"The strata are {', '.join(sections.strata)}."
            yield document.fault(("analysis", "strata", position), f"no stratum is called {stratum!r}", strata)
    codes: dict[str, Iterable[str]] = {
        "arm": sections.arms,
        "site": sections.sites,
        "language": sections.trial.languages,
    }
    codes |= {code: stratum.levels for code, stratum in sections.strata.items()}
    for column, aliases in sections.imports.items():
        for alias, code in aliases.items():
            if code not in list(codes.get(column, [code])):
                cure = f"It may be {', '.join(codes[column])}."
                yield document.fault(("imports", column, alias), f"{column} cannot be {code!r}", cure)


def missing_for_schedule(
    document: Document, sections: Sections, schedule: Schedule, on: date | None
) -> Iterator[Fault]:
    """What the visits and the texts need and do not have: anchors, languages, instruments, wordings."""
    for anchor in ANCHORS_OF_EVERY_TRIAL:
        if anchor not in schedule.anchors:
            cure = f'Add it under [anchors]: {anchor} = "...".'
            yield document.fault(("anchors",), f"the anchor {anchor} is missing", cure)
    for code, visit in schedule.visits.items():
        if visit.anchor in schedule.anchors and visit.anchor not in DAYS_RECORDED:
            what = f"{code} hangs on {visit.anchor}, whose day is recorded nowhere"
            yield document.fault(("visit", code, "anchor"), what, f"The anchors are {', '.join(DAYS_RECORDED)}.")
    for code, anchor_of_arms in schedule.anchors.items():
        for position, arm in enumerate(anchor_of_arms.arms):
            if arm not in sections.arms:
                arms = f"The arms are {', '.join(sections.arms)}."
                yield document.fault(("anchors", code, "arms", position), f"no arm is called {arm!r}", arms)
    for language in sections.trial.languages:
        if language not in schedule.texts:
            cure = f"Add texts for {language}, or take it from [trial] languages."
            yield document.fault(("texts",), f"there are no texts in {language!r}", cure)
    for code, visit in schedule.visits.items():
        for position, instrument in enumerate(visit.instruments):
            yield from _missing_words(document, sections, ("visit", code, "instruments", position), instrument, on)
    yield from _rules_that_fit_nothing(document, sections, schedule)


def _rules_that_fit_nothing(document: Document, sections: Sections, schedule: Schedule) -> Iterator[Fault]:
    """Alerts on an item or a scale that no visit asks for."""
    asked = {code for visit in schedule.visits.values() for code in visit.instruments}
    for position, rule in enumerate(sections.alerts.rule if sections.alerts else ()):
        try:
            instrument = questionnaires.load(rule.instrument, beside=document.path.parent)
        except (LookupError, Refused):
            instrument = None
        if wrong := wrong_of(rule, instrument if rule.instrument in asked else None):
            yield document.fault(("alerts", "rule", position), *wrong)


def words_of_trial(
    document: Document, sections: Sections, instrument: Instrument, language: str, on: date | None = None
) -> Wording:
    """An instrument's words, from the pack that the trial file names: beside the trial file, else one of the library's.

    Raises UnknownWording, or Refused with every fault of the file.
    """
    pack = sections.wording[instrument.id]
    own = document.path.parent / OWN_PACKS
    folder = own if (own / pack).is_dir() else None
    return wording_of(instrument, language, pack, folder, study=sections.trial.code, on=on)


def _missing_words(
    document: Document, sections: Sections, at: tuple[str | int, ...], instrument: str, on: date | None
) -> Iterator[Fault]:
    try:
        loaded = questionnaires.load(instrument, beside=document.path.parent)
    except LookupError as error:
        yield _as_fault(document, at, error)
        return
    except Refused as refused:
        yield from refused.faults
        return
    if instrument not in sections.wording:
        what = f"[wording] does not say in which words {instrument} is asked"
        yield document.fault(at, what, f'Add {instrument} = "demo" under [wording].')
        return
    for language in sections.trial.languages:
        yield from _wording_faults(document, sections, loaded, language, on)


def _wording_faults(
    document: Document, sections: Sections, instrument: Instrument, language: str, on: date | None
) -> Iterator[Fault]:
    try:
        words_of_trial(document, sections, instrument, language, on)
    except Refused as refused:
        yield from refused.faults
    except LookupError as error:
        fault, pack = _as_fault(document, ("wording", instrument.id), error), sections.wording[instrument.id]
        command = f"epro wording new {instrument.id} {language} --pack {pack} --folder {OWN_PACKS}"
        yield replace(fault, cure=f"{fault.cure} Beside the trial file, `{command}` writes one to fill in.")


def _as_fault(document: Document, at: tuple[str | int, ...], error: LookupError) -> Fault:
    """A library's "there is no such thing" with its cure on the second line, at a place of this file."""
    what, _, cure = str(error).partition("\n")
    return document.fault(at, what, cure.strip())
