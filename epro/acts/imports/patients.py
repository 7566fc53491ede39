"""A row a patient: she is enrolled, randomised where she was not, or as she was before.

Of a patient who is enrolled already nothing is overwritten. Another arm, site, stratum, consent or randomisation than
was recorded is a fault; another number, language or permission is listed, and the desk's stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date

from sqlalchemy import Connection, func, select

from epro.acts import patients
from epro.acts.allocating import allocate
from epro.acts.enrolment import Enrolment
from epro.acts.imports import outcomes
from epro.acts.imports.cells import Cells
from epro.acts.imports.files import NEW, UNCHANGED, Bringing, Kind, Note, Row
from epro.protocol import CONSENT, RANDOMISATION, Protocol
from epro.refusals import N_, Refusal
from epro.store.contacts import NotAMobile, NotAnEmail, parse_email, parse_mobile
from epro.store.facts import Facts
from epro.store.models import Allocation, Assessment, Contact
from epro.store.people import facts_of
from scheduler.ports import EMAIL, SMS

REQUIRED = ("subject", "site", "language", "consented_on", "eligible", "texts_allowed")
OPTIONAL = ("phone", "email", "second_step", "randomised_on", "arm", "zone")
OTHER_THAN_RECORDED = N_("%(written)s, but %(recorded)s is recorded. Nothing is overwritten by a file.")
ANOTHER_ARM = N_("Another arm is recorded. An allocation is never changed by a file; ask the trial's statistician.")
DESK_STAYS = N_("differs from what is recorded, which stays.")
BEFORE_SYSTEM = N_("%(n)s visits were over before she was enrolled here: before the system, never texted.")
RANDOMISED_NOW = N_("is randomised: %(day)s.")
ARM_NOW = N_("the arm is recorded.")


def take(bringing: Bringing, rows: Iterable[Cells]) -> Iterator[Row]:
    arms = _arms(bringing.connection, list(bringing.known))
    made: list[Row] = []
    for cells in rows:
        asked = _enrolment(bringing.protocol, cells)
        if cells.wrongs or asked is None:
            continue
        known = bringing.known.get(cells.subject)
        try:
            if known is None:
                made.append(_enrol(bringing, cells, asked))
            else:
                made.append(_hold_against(bringing, cells, asked, known, arms.get(cells.subject)))
        except Refusal as refusal:
            bringing.refused(cells, refusal)
    yield from _with_visits_before(bringing, made)


def _enrolment(protocol: Protocol, cells: Cells) -> Enrolment | None:
    consented_on = cells.day("consented_on", needed=True)
    flags = {name: cells.flag(name, needed=True) or False for name in ("eligible", "texts_allowed")}
    asked = {
        "site": cells.choice("site", protocol.sites, needed=True),
        "language": cells.choice("language", protocol.trial.languages, needed=True),
        "strata": {code: cells.choice(code, each.levels, needed=True) for code, each in protocol.strata.items()},
        "randomised_on": cells.day("randomised_on"),
        "arm": cells.choice("arm", protocol.arms) or None,
        "phone": cells.phone() or None,
        "email": cells.text("email") or None,
        "second_step": cells.text("second_step") or None,
        "zone": cells.text("zone") or None,
    }
    if consented_on is None:
        return None
    return Enrolment(subject=cells.subject, consented_on=consented_on, **flags, **asked)  # type: ignore[arg-type]


def _enrol(bringing: Bringing, cells: Cells, asked: Enrolment) -> Row:
    patients.enrol(bringing.connection, bringing.protocol, bringing.cipher, asked, by=bringing.by, now=bringing.now)
    bringing.known |= facts_of(bringing.connection, [asked.subject])
    notes = outcomes.hold_against(bringing, cells, bringing.known[asked.subject])
    return Row(cells.row, asked.subject, NEW, tuple(notes))


def _hold_against(bringing: Bringing, cells: Cells, asked: Enrolment, known: Facts, arm: str | None) -> Row:
    """What the file says of a patient who is enrolled already."""
    randomisation = known.events.get(RANDOMISATION)
    recorded: dict[str, tuple[object, object]] = {
        "site": (asked.site, known.site),
        "consented_on": (asked.consented_on, known.events[CONSENT].on),
        **{code: (asked.strata[code], known.strata.get(code)) for code in bringing.protocol.strata},
    }
    if asked.randomised_on and randomisation:
        recorded["randomised_on"] = (asked.randomised_on, randomisation.on)
    for column, (written, there) in recorded.items():
        if written != there:
            cells.wrong(column, OTHER_THAN_RECORDED, written=written, recorded=there)
    if asked.arm and arm and asked.arm != arm:
        cells.wrong("arm", ANOTHER_ARM)
        bringing.changed_arms.append(known.subject)
    if cells.wrongs:
        return Row(cells.row, known.subject, UNCHANGED)
    notes = [*_allocate(bringing, asked, known, arm), *outcomes.hold_against(bringing, cells, known)]
    return bringing.row(cells, [*notes, *_differences(bringing, asked, known)])


def _allocate(bringing: Bringing, asked: Enrolment, known: Facts, arm: str | None) -> Iterator[Note]:
    whom = (bringing.connection, bringing.protocol, known.subject)
    if asked.randomised_on and RANDOMISATION not in known.events:
        on: date = asked.randomised_on
        patients.randomise(*whom, on=on, arm=asked.arm, by=bringing.by, now=bringing.now)
        yield Note("randomised_on", RANDOMISED_NOW, {"day": on}, changes=True)
    elif asked.arm and arm is None:
        allocate(*whom, arm=asked.arm, by=bringing.by, now=bringing.now)
        yield Note("arm", ARM_NOW, changes=True)


def _differences(bringing: Bringing, asked: Enrolment, known: Facts) -> Iterator[Note]:
    """What the desk knows otherwise: it speaks to the patient, and its word stays."""
    if asked.language != known.language:
        yield Note("language", DESK_STAYS)
    if asked.texts_allowed != known.texts_allowed:
        yield Note("texts_allowed", DESK_STAYS)
    for column, channel, address in (("phone", SMS, asked.phone), ("email", EMAIL, asked.email)):
        if address and not _is_in_use(bringing, known, channel, address):
            yield Note(column, DESK_STAYS)


def _is_in_use(bringing: Bringing, known: Facts, channel: str, typed: str) -> bool:
    contact = known.contacts.get(channel)
    try:
        address = parse_mobile(typed, bringing.protocol.trial.country) if channel == SMS else parse_email(typed)
    except (NotAMobile, NotAnEmail):
        return False
    kept = select(Contact.address_hash).where(Contact.id == (contact.id if contact else 0))
    return bringing.connection.execute(kept).scalar() in bringing.cipher.digests(address)


def _arms(connection: Connection, subjects: list[str]) -> dict[str, str]:
    rows = connection.execute(select(Allocation.subject, Allocation.arm).where(Allocation.subject.in_(subjects)))
    return {row.subject: row.arm for row in rows}


def _with_visits_before(bringing: Bringing, rows: Sequence[Row]) -> Iterator[Row]:
    """Each new patient with how many of her visits were over before she came."""
    new = [row.subject for row in rows if row.becomes == NEW]
    over = select(Assessment.subject, func.count()).where(
        Assessment.subject.in_(new), Assessment.closes_at <= bringing.now
    )
    before: dict[str, int] = {row[0]: row[1] for row in bringing.connection.execute(over.group_by(Assessment.subject))}
    for row in rows:
        notes = [Note("", BEFORE_SYSTEM, {"n": before[row.subject]})] if row.subject in before else []
        yield replace(row, notes=(*notes, *row.notes))


PATIENTS = Kind(
    "patients",
    N_("Patients"),
    lambda protocol: (*REQUIRED, *protocol.strata),
    lambda _: (*OPTIONAL, *outcomes.COLUMNS),
    take,
)
