"""What became of patients: surgery, progression, withdrawal, death, the last day somebody was seen alive.

The case report form is the source: a day that differs from what is recorded here is corrected, the earlier word stays
in the record, and the difference is listed. What is recorded here and not in the file stays, and is listed too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from epro.acts import patients
from epro.acts.enrolment import today
from epro.acts.imports.cells import Cells
from epro.acts.imports.files import Bringing, Kind, Note, Row
from epro.acts.redating import redate
from epro.protocol import CONSENT, RANDOMISATION
from epro.refusals import N_, Refusal
from epro.store import facts
from epro.store.facts import Facts

KINDS = {
    "surgery_on": facts.SURGERY,
    "progression_on": facts.PROGRESSION,
    "last_alive_on": facts.SEEN_ALIVE,
    "withdrawn_on": facts.WITHDRAWAL,
    "died_on": facts.DEATH,
}
COLUMNS = tuple(KINDS)
SOURCE = "case report form"  # the reason of what a file changes
NOT_AFTER_DEATH = ("surgery_on", "progression_on", "last_alive_on")
BEFORE_RANDOMISATION = N_("%(day)s lies before randomisation on %(randomised)s. Correct either date.")
BEFORE_CONSENT = N_("%(day)s lies before consent on %(consented)s. Correct either date.")
AFTER_DEATH = N_("%(day)s lies after death on %(died)s. Correct either date.")
RECORDED_AFTER = N_("%(day)s lies before %(recorded)s, the day recorded for %(what)s. Correct either date.")
IN_THE_FUTURE = N_("%(day)s lies in the future. Check the year.")
RECORDED_NOW = N_("%(day)s is recorded.")
CORRECTED_NOW = N_("was %(recorded)s, is now %(written)s.")
NOT_IN_FILE = N_("%(recorded)s is recorded here and not in the file; it stays.")


def take(bringing: Bringing, rows: Iterable[Cells]) -> Iterator[Row]:
    for cells in rows:
        known = bringing.patient(cells)
        if known is None:
            continue
        try:
            notes = list(hold_against(bringing, cells, known))
        except Refusal as refusal:
            bringing.refused(cells, refusal)
            continue
        yield bringing.row(cells, notes)


def hold_against(bringing: Bringing, cells: Cells, known: Facts) -> Iterator[Note]:
    """Record what the row says and is not known, correct what is known otherwise, and say of each."""
    days = {column: day for column in COLUMNS if (day := cells.day(column)) is not None}
    _refuse_impossible(bringing, cells, known, days)
    if cells.wrongs:
        return
    for column, kind in KINDS.items():
        event = known.events.get(kind)
        if column in days:
            yield from _one(bringing, known, column, days[column])
        elif event is not None and column in cells.written and kind != facts.SEEN_ALIVE:
            yield Note(column, NOT_IN_FILE, {"recorded": event.on})


def _one(bringing: Bringing, known: Facts, column: str, on: date) -> Iterator[Note]:
    kind, event = KINDS[column], known.events.get(KINDS[column])
    asked = (bringing.connection, bringing.protocol, known.subject)
    if kind == facts.SEEN_ALIVE:
        if on <= max(one.on for one in known.standing if one.kind in facts.SIGNS_OF_LIFE):
            return
        patients.record(*asked, kind, on=on, by=bringing.by, now=bringing.now)
    elif event is None and kind == facts.DEATH:
        patients.record_death(*asked, on=on, by=bringing.by, now=bringing.now)
    elif event is None and kind == facts.WITHDRAWAL:
        patients.withdraw(*asked, on=on, reason=SOURCE, by=bringing.by, now=bringing.now)
    elif event is None:
        patients.record(*asked, kind, on=on, by=bringing.by, now=bringing.now)
    elif event.on != on:
        redate(*asked, kind, on=on, reason=SOURCE, by=bringing.by, now=bringing.now)
        yield Note(column, CORRECTED_NOW, {"recorded": event.on, "written": on}, changes=True)
        return
    else:
        return
    yield Note(column, RECORDED_NOW, {"day": on}, changes=True)


def _refuse_impossible(bringing: Bringing, cells: Cells, known: Facts, days: Mapping[str, date]) -> None:
    events = known.events
    died_on = days.get("died_on") or (events[facts.DEATH].on if facts.DEATH in events else None)
    randomised_on = events[RANDOMISATION].on if RANDOMISATION in events else cells.day("randomised_on")
    for column, day in days.items():
        if day > today(bringing.protocol, bringing.now):
            cells.wrong(column, IN_THE_FUTURE, day=day)
        elif day < events[CONSENT].on:
            cells.wrong(column, BEFORE_CONSENT, day=day, consented=events[CONSENT].on)
        elif randomised_on and day < randomised_on and column != "withdrawn_on":
            cells.wrong(column, BEFORE_RANDOMISATION, day=day, randomised=randomised_on)
        if died_on and day > died_on and column in NOT_AFTER_DEATH:
            cells.wrong(column, AFTER_DEATH, day=day, died=died_on)
    for kind in (facts.SURGERY, facts.PROGRESSION):
        day_recorded = events[kind].on if kind in events else None
        if "died_on" in days and day_recorded and day_recorded > days["died_on"] and not _is_given(kind, days):
            cells.wrong("died_on", RECORDED_AFTER, day=days["died_on"], what=kind, recorded=day_recorded)


def _is_given(kind: str, days: Mapping[str, date]) -> bool:
    return any(KINDS[column] == kind for column in days)


OUTCOMES = Kind("outcomes", N_("Outcomes"), lambda _: ("subject",), lambda _: COLUMNS, take)
