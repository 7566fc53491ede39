"""The trial as one file: what does it say, do its parts agree, and at which line do they not?

Each library checks the shape of its own sections; this file owns [trial] [arms] [sites] [strata] [eligibility] and the
cross-references, and turns every fault into file, line, what is wrong and what would be right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale, UnknownLocaleError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

import questionnaires
from epro.alerting import Alerts
from epro.crossreferences import disagreements, missing_for_schedule, unknown_sections, words_of_trial
from epro.store.contacts import parse_mobile
from epro.versions import OPTIONAL_SECTIONS, SCHEDULER_SECTIONS, Version, schedule_of
from questionnaires.definition import Instrument
from questionnaires.located import Document, Fault, Refused, faults_of, read
from questionnaires.wording import Wording
from scheduler.schedule import Schedule, Visit

CONSENT, RANDOMISATION = "consent", "randomisation"

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=20)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TrialSection(Section):
    code: Text
    title: Text
    registration: Text
    live: bool
    planned_subjects: int = Field(ge=1)
    zone: str
    languages: tuple[str, ...] = Field(min_length=1)
    country: str = Field(pattern=r"^[A-Z]{2}$")
    subject_pattern: str
    arm_seen_by_site: bool
    identity_step: Literal["none", "birth_year", "pin"]  # chosen, never by default
    who_answers: Literal["start", "end", "no"] = "no"  # when the patient is asked who fills in the form
    second_step: Literal["required", "optional"] = "optional"
    ethics: str = ""  # the ethics authority's number of its approval

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        if zone not in available_timezones():
            raise ValueError(f"no time zone is called {zone!r}\nWrite it like Europe/Stockholm.")
        return zone

    @field_validator("languages")
    @classmethod
    def _languages_exist(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        for language in languages:
            try:
                Locale.parse(language, sep="-")
            except (ValueError, UnknownLocaleError):
                raise ValueError(f"no language is called {language!r}\nWrite it like sv or en.") from None
        return languages

    @field_validator("subject_pattern")
    @classmethod
    def _pattern_compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(
                f"this is not a regular expression: {error}\nWrite it like [A-Z]{{3}}-[0-9]{{3}}."
            ) from None
        return pattern


class Site(Section):
    name: Text
    phone: Text


class Stratum(Section):
    label: Text
    levels: tuple[Text, ...] = Field(min_length=2)


class Eligibility(Section):
    source: Text
    inclusion: tuple[Text, ...]
    exclusion: tuple[Text, ...]


class Cost(Section):
    """segment: the carrier's price of one segment of a text, in `currency`."""

    segment: float = Field(gt=0)
    currency: str = Field(pattern=r"^[A-Z]{3}$")


class Sections(Section):
    """The sections that belong to the service; those of the libraries pass through."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    trial: TrialSection
    arms: dict[Code, Text] = Field(min_length=2)
    sites: dict[Code, Site] = Field(min_length=1)
    strata: dict[Code, Stratum]
    eligibility: Eligibility
    wording: dict[str, Text]
    cost: Cost | None = None
    imports: dict[str, dict[str, Text]] = {}  # column of a file: as the trial office writes it: code
    alerts: Alerts | None = None


KNOWN_SECTIONS = (*Sections.model_fields, *SCHEDULER_SECTIONS, *OPTIONAL_SECTIONS, "analysis")


@dataclass(frozen=True)
class Protocol:
    """A trial file that holds together. versions: those that the database has adopted, this one among them."""

    document: Document
    sections: Sections
    schedule: Schedule
    versions: tuple[Version, ...] = ()

    @property
    def trial(self) -> TrialSection:
        return self.sections.trial

    @property
    def arms(self) -> Mapping[str, str]:
        return self.sections.arms

    @property
    def sites(self) -> Mapping[str, Site]:
        return self.sections.sites

    @property
    def strata(self) -> Mapping[str, Stratum]:
        return self.sections.strata

    @property
    def eligibility(self) -> Eligibility:
        return self.sections.eligibility

    @property
    def aliases(self) -> Mapping[str, Mapping[str, str]]:
        """How the trial office's files write a code, by column."""
        return self.sections.imports

    @property
    def analysis(self) -> Mapping[str, Any]:
        analysis: Mapping[str, Any] = self.document.data.get("analysis", {})
        return analysis

    @property
    def language(self) -> str:
        """The language of a patient who has chosen none."""
        return self.trial.languages[0]

    @property
    def second_step_required(self) -> bool:
        """Whether staff sign in by more than a password; always so in a live trial."""
        return self.trial.live or self.trial.second_step == "required"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.trial.zone)

    @property
    def folder(self) -> Path:
        """Where the trial file stands, and beside it the trial's own questionnaires and words."""
        return self.document.path.parent

    @property
    def sha256(self) -> str:
        return self.document.sha256

    @cached_property
    def visits(self) -> Mapping[str, Visit]:
        """Every visit of this file, in its order, and after them those that only earlier versions have."""
        earlier = [version.schedule for version in reversed(self.versions)]
        visits: dict[str, Visit] = {}
        for schedule in (self.schedule, *earlier):
            visits |= {code: visit for code, visit in schedule.visits.items() if code not in visits}
        return visits

    @cached_property
    def longest_window(self) -> timedelta:
        """No visit of any version may be answered for longer than this."""
        schedules = [self.schedule, *(version.schedule for version in self.versions)]
        days = [each.opens_before + each.closes_after for one in schedules for each in one.visits.values()]
        return timedelta(days=max(days) + 2)

    def visit(self, code: str, version: int) -> Visit:
        """A visit as the version has it under which a patient's assessment stands."""
        schedules = {one.n: one.schedule for one in self.versions}
        return schedules.get(version, self.schedule).visits.get(code) or self.visits[code]

    @cached_property
    def instruments(self) -> Mapping[str, Instrument]:
        """Those of every version."""
        schedules = [self.schedule, *(version.schedule for version in self.versions)]
        codes = {code for one in schedules for visit in one.visits.values() for code in visit.instruments}
        return {code: questionnaires.load(code, beside=self.folder) for code in sorted(codes)}

    @cached_property
    def wordings(self) -> Mapping[tuple[str, str], Wording]:
        """The words of each instrument in each language of the trial, by (instrument, language)."""
        return {
            (code, language): words_of_trial(self.document, self.sections, instrument, language)
            for code, instrument in self.instruments.items()
            for language in self.trial.languages
        }

    def site_phone(self, site: str) -> str:
        """The nurse's phone of a site, E.164."""
        return parse_mobile(self.sites[site].phone, self.trial.country)


def read_protocol(path: Path, *, on: date | None = None) -> Protocol:
    """The trial file at `path`. Raises Refused with every fault found, each with its line and its cure.

    on: the day on which words must still be licensed; None = not judged.
    """
    return protocol_of(read_document(path), on=on)


def read_document(path: Path) -> Document:
    """The trial file as TOML. Raises Refused when it is not there or not TOML."""
    try:
        return read(path)
    except FileNotFoundError:
        raise Refused(
            [Fault(path.name, 1, "there is no such file", f"Check the path {path}, or EPRO_TRIAL.")]
        ) from None


def protocol_of(document: Document, *, on: date | None = None) -> Protocol:
    """The trial that a document describes. Raises Refused."""
    faults: list[Fault] = list(unknown_sections(document, KNOWN_SECTIONS))
    sections = schedule = None
    try:
        sections = Sections.model_validate(document.data)
        faults += disagreements(document, sections)
    except ValidationError as error:
        faults += faults_of(error, document)
    try:
        schedule = schedule_of(document.data)
    except ValidationError as error:
        faults += faults_of(error, document)
    if sections is not None and schedule is not None:
        faults += missing_for_schedule(document, sections, schedule, on)
    if sections is None or schedule is None or faults:
        raise Refused(faults)
    return Protocol(document, sections, schedule)


def covariates_in(protocol: Protocol) -> Mapping[str, Mapping[str, Any]]:
    """[analysis.covariate.NAME]: what the trial office gives of each patient at baseline."""
    named: Mapping[str, Mapping[str, Any]] = protocol.analysis.get("covariate", {})
    return named


def is_number(covariate: Mapping[str, Any]) -> bool:
    return bool(covariate.get("kind", "number") == "number")


def what_live_lacks(protocol: Protocol) -> tuple[str, ...]:
    """What the file itself still lacks for real patients, each with its cure; empty when it is not live."""
    return tuple(_lacking(protocol)) if protocol.trial.live else ()


def _lacking(protocol: Protocol) -> Iterator[str]:
    for (instrument, language), wording in protocol.wordings.items():
        if wording.demonstration:
            pack = protocol.sections.wording[instrument]
            yield f"licensed wording of {instrument} in {language}: [wording] names {pack}, a demonstration"
    if not protocol.trial.ethics:
        yield "an ethics number: [trial] ethics, as the authority wrote it"
    if protocol.trial.identity_step == "none":
        yield 'a second step beside the link: [trial] identity_step is "none"'
