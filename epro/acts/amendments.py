"""The trial file changes: what would that do to each patient, may it be, and then it is done for all at once.

History keeps its version: what is open, over or sent when the amendment comes into force is never touched. It comes
into force at the earliest on the day after it is made, so that no form changes while somebody fills it in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

import questionnaires
import scheduler
from epro.acts.enrolment import today, wrong_date
from epro.acts.patients import happened, known_patient
from epro.acts.replanning import Progress, every_subject, in_turn, plan_of, replan, replan_all
from epro.acts.trial import refuse_changed_words
from epro.protocol import CONSENT, Protocol
from epro.refusals import N_, Refusal, Wrong
from epro.store import facts, people
from epro.store.audit import TRIAL_CHAIN, Actor, entry
from epro.store.models import Allocation, Form, Patient, TrialVersion
from epro.versions import BY_AMENDMENT, BY_CONSENT, Version, awaiting_consent, versions_of
from scheduler import ledger
from scheduler.changes import Changes

RULES = (BY_AMENDMENT, BY_CONSENT)


@dataclass(frozen=True)
class Amendment:
    """A new trial file, for whom it holds and from which day on."""

    protocol: Protocol
    rule: str
    from_on: date


@dataclass(frozen=True)
class Effect:
    """What an amendment would change for one patient."""

    subject: str
    changes: Changes


def effects(connection: Connection, amendment: Amendment, now: datetime) -> list[Effect]:
    """What it would change for every patient, in the order of their ids; nothing is written. Raises Refusal."""
    before = versions_of(connection)
    refuse_unfit(connection, amendment, before, now)
    after = (*before, _version(amendment, before))
    found = []
    for some in in_turn(every_subject(connection)):
        histories, known = ledger.histories(connection, some), people.facts_of(connection, some)
        for subject in some:
            plans = (plan_of(versions, known[subject], histories[subject], now) for versions in (before, after))
            found.append(Effect(subject, scheduler.preview(*plans)))
    return found


def amend(
    connection: Connection,
    amendment: Amendment,
    *,
    by: Actor,
    now: datetime,
    reason: str | None = None,
    progress: Progress = lambda done, total: None,
) -> int:
    """Store the new version and plan every patient anew, in the caller's transaction. Returns its number.

    Raises Refusal, and PackIsLocked where words that were answered in have changed.
    """
    before = versions_of(connection)
    refuse_unfit(connection, amendment, before, now)
    version = _version(amendment, before)
    with entry(connection, chain=TRIAL_CHAIN, action="trial amended", by=by, at=now, reason=reason) as opened:
        opened.insert(
            TrialVersion,
            n=version.n,
            sha256=version.sha256,
            text=amendment.protocol.document.text,
            from_on=version.from_on,
            rule=version.rule,
            simulated=_is_simulated(connection),
        )
        replan_all(connection, entry=opened, now=now, progress=progress)
    return version.n


def consent_anew(
    connection: Connection, protocol: Protocol, subject: str, *, on: date, by: Actor, now: datetime
) -> Changes:
    """Record that a patient consented to the trial as amended; from that day on she follows its versions."""
    known = known_patient(connection, subject)
    wrongs = list(wrong_date(protocol, "happened_on", on, now, known.events[CONSENT].on))
    awaiting = awaiting_consent(versions_of(connection), known)
    if not wrongs and not any(version.from_on <= on for version in awaiting):
        wrongs.append(Wrong("happened_on", N_("On this day no version of the trial waited for her consent.")))
    if wrongs:
        raise Refusal(wrongs)
    newest = max(version.n for version in awaiting if version.from_on <= on)
    with entry(connection, chain=known.site, action="consented anew", by=by, at=now) as opened:
        happened(opened, subject, facts.CONSENTED_ANEW, on, value=str(newest))
        return replan(connection, protocol, subject, entry=opened, now=now)


def earliest_day(connection: Connection, protocol: Protocol, now: datetime) -> date:
    """The first day from which an amendment may hold: tomorrow; today as long as there is no patient."""
    anybody = connection.execute(select(Patient.subject).limit(1)).first() is not None
    return today(protocol, now) + timedelta(days=1 if anybody else 0)


def refuse_unfit(connection: Connection, amendment: Amendment, before: Sequence[Version], now: datetime) -> None:
    """Raises Refusal with every reason why this file cannot follow the one in force."""
    wrongs = [*_wrong_version(connection, amendment, before, now), *_still_needed(connection, amendment, before)]
    if wrongs:
        raise Refusal(wrongs)
    refuse_changed_words(connection, amendment.protocol)


def _wrong_version(
    connection: Connection, amendment: Amendment, before: Sequence[Version], now: datetime
) -> Iterator[Wrong]:
    last, protocol = before[-1], amendment.protocol
    if amendment.rule not in RULES:
        yield Wrong("rule", N_("%(value)s is not one of %(choices)s."), _choice(amendment.rule, RULES))
    known = next((version for version in before if version.sha256 == protocol.sha256), None)
    if known is last:
        yield Wrong("", N_("This file is in force already, as version %(n)s."), {"n": last.n})
    elif known is not None:
        yield Wrong("", N_("This file is version %(n)s, which was amended since."), {"n": known.n})
    earliest = max(earliest_day(connection, protocol, now), last.from_on)
    if amendment.from_on < earliest:
        sentence = N_("%(day)s is too early; the earliest possible day is %(earliest)s.")
        yield Wrong("from", sentence, {"day": amendment.from_on, "earliest": earliest})


def _still_needed(connection: Connection, amendment: Amendment, before: Sequence[Version]) -> Iterator[Wrong]:
    """What patients or earlier versions use and the new file no longer has."""
    protocol = amendment.protocol
    patients = connection.execute(select(Patient.site, Patient.language, Patient.strata)).all()
    arms = set(connection.execute(select(Allocation.arm).distinct()).scalars())
    for section, used, there in (
        ("arms", arms, protocol.arms),
        ("sites", {row.site for row in patients}, protocol.sites),
        ("languages", {row.language for row in patients}, protocol.trial.languages),
        ("strata", {code for row in patients for code in row.strata}, protocol.strata),
    ):
        for code in sorted(used - set(there)):
            yield Wrong(section, N_("Patients have %(code)s; the file must keep it."), {"code": code})
    asked = {code for version in before for visit in version.schedule.visits.values() for code in visit.instruments}
    for code in sorted(asked):
        if patients and (code not in protocol.sections.wording or not _loads(code, protocol)):
            sentence = N_("An earlier version asks %(code)s; the file must still say in which words.")
            yield Wrong("wording", sentence, {"code": code})
    for row in connection.execute(select(Form.instrument, Form.version).distinct()):
        if row.instrument in asked and _loads(row.instrument, protocol):
            now_is = questionnaires.load(row.instrument, beside=protocol.folder).version
            if now_is != row.version:
                sentence = N_("%(code)s was answered as version %(was)s and is now %(now)s; give the new one a new id.")
                yield Wrong("instruments", sentence, {"code": row.instrument, "was": row.version, "now": now_is})


def _loads(code: str, protocol: Protocol) -> bool:
    try:
        questionnaires.load(code, beside=protocol.folder)
    except LookupError:
        return False
    return True


def _version(amendment: Amendment, before: Sequence[Version]) -> Version:
    protocol = amendment.protocol
    return Version(before[-1].n + 1, amendment.from_on, amendment.rule, protocol.sha256, protocol.schedule)


def _is_simulated(connection: Connection) -> bool:
    latest = select(TrialVersion.simulated).order_by(TrialVersion.n.desc()).limit(1)
    return bool(connection.execute(latest).scalar_one())


def _choice(value: str, choices: Sequence[str]) -> dict[str, Any]:
    return {"value": repr(value), "choices": ", ".join(choices)}
